"""Band stack: the loop of the depth-band design, on an LRU stack whose bands always know their weight.

The stack is a linked list with a marker at the top row of every band. A row that comes to the top pushes one row over
each marker above its old place (Kim, Hill and Wood, SIGMETRICS 1991, keep a stack's groups the same way). A tree of
sums over the list's order finds a row by weight.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...jit import lean_kernel, lean_step

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Nodes = NDArray[np.int32]

NEWER, OLDER, BAND, WEIGHT, PLACE, LEFT = range(6)  # columns of a row's node
MASS, REMAIN, SUPPLY, INVERSE, RATIO, PRODUCT = range(6)  # of a band
NEWEST, OLDEST, BORN, FREE = range(4)  # ends of the stack, rows on it, next free place
SHIFT = 5  # 32 children to a node in the tree of sums
BLOCK = 8  # bins that are summed together
TURNS = 4  # accesses in which every shallow band's usual weight is brought up to date
NARROW = 8  # a band of up to so many rows is walked, a wider one searched by the tree
FRESH_DEPTH = 32  # depth up to which a band's weight swings from access to access
RISE = 500.0  # of a shallow band's weight over its usual one, at most
SLOWEST = 256  # accesses between two looks at a deep band's weight, at most


@lean_step
def _add(tree: Ints, levels: Ints, place: int, value: int) -> None:
    for level in range(len(levels) - 1, -1, -1):
        tree[levels[level] + place] += value
        place >>= SHIFT


@lean_step
def _find(tree: Ints, levels: Ints, rest: int) -> int:
    """The place whose weight covers `rest`, counted from the oldest: eight at a time, then one by one."""
    place = 0
    for level in range(len(levels)):
        k = levels[level] + (place << SHIFT)
        while True:  # beyond the level's end there is more weight, so that the step is not taken
            eight = (tree[k] + tree[k + 1]) + (tree[k + 2] + tree[k + 3])
            eight += (tree[k + 4] + tree[k + 5]) + (tree[k + 6] + tree[k + 7])
            if rest < eight:
                break
            rest -= eight
            k += 8
        while rest >= tree[k]:
            rest -= tree[k]
            k += 1
        place = k - levels[level]
    return place


@lean_step
def _rebuild(node: Nodes, row_at: Nodes, tree: Ints, levels: Ints, ends: Nodes, band: Floats) -> None:
    """Number the places of rows with lookups left anew, oldest first, and sum weights again, of bands too.

    Places are walked in their order, which is the stack's, and not the list: its steps would wait for one another.
    """
    for k in range(len(tree)):
        tree[k] = 0
    for b in range(band.shape[1]):
        band[MASS, b] = 0
    place = 0
    leaves = levels[len(levels) - 1]
    for old in range(ends[FREE]):
        row = row_at[old]
        if node[row, PLACE] == old and node[row, LEFT] > 0:
            node[row, PLACE] = place
            row_at[place] = row
            weight = node[row, WEIGHT]
            band[MASS, node[row, BAND]] += weight
            tree[leaves + place] = weight
            place += 1
    ends[FREE] = place
    for level in range(len(levels) - 1, 0, -1):
        for k in range(place):
            tree[levels[level - 1] + (k >> SHIFT)] += tree[levels[level] + k]
        place = ((place - 1) >> SHIFT) + 1


@lean_step
def _push(node: Nodes, first: Nodes, band: Floats, bands: int) -> None:
    """Every band from 1 to `bands` takes the row just above its top one: the stack above moves down by one."""
    taken = 0.0
    for b in range(1, bands + 1):
        row = node[first[b], NEWER]
        weight = node[row, WEIGHT]
        first[b] = row
        node[row, BAND] = b
        band[MASS, b - 1] += taken - weight
        taken = weight
    if bands > 0:
        band[MASS, bands] += taken


@lean_step
def _open(node: Nodes, first: Nodes, band: Floats, row: int, b: int) -> None:
    """The oldest row is the first to reach band b."""
    first[b] = row
    node[row, BAND] = b
    band[MASS, b] += node[row, WEIGHT]
    band[MASS, b - 1] -= node[row, WEIGHT]


@lean_step
def _to_top(node: Nodes, first: Nodes, band: Floats, ends: Nodes, edges: Ints, row: int) -> None:
    """Take the row, without weight by now, off its place in the stack, if it has one, and put it on top."""
    newest = ends[NEWEST]
    if row == newest:
        return
    if node[row, PLACE] < 0:
        deepest = 0
        while deepest + 1 < len(first) and edges[deepest + 1] <= ends[BORN]:
            deepest += 1
        opens = deepest > 0 and first[deepest] < 0
        _push(node, first, band, deepest - opens)
        if opens:
            _open(node, first, band, ends[OLDEST], deepest)
        ends[BORN] += 1
    else:
        _push(node, first, band, node[row, BAND])
        above, below = node[row, NEWER], node[row, OLDER]
        node[above, OLDER] = below
        if below >= 0:
            node[below, NEWER] = above
        else:
            ends[OLDEST] = above
    if newest >= 0:
        node[newest, NEWER] = row
    else:
        ends[OLDEST] = row
    node[row, NEWER] = -1
    node[row, OLDER] = newest
    node[row, BAND] = 0
    ends[NEWEST] = row
    first[0] = row


@lean_step
def _unweigh(node: Nodes, tree: Ints, levels: Ints, band: Floats, row: int) -> None:
    """Take the row's weight off its band and its place."""
    weight = node[row, WEIGHT]
    if weight > 0:
        band[MASS, node[row, BAND]] -= weight
        _add(tree, levels, node[row, PLACE], -weight)
        node[row, WEIGHT] = 0


@lean_step
def _weigh(
    node: Nodes, row_at: Nodes, tree: Ints, levels: Ints, ends: Nodes, band: Floats, row: int, weight: int
) -> None:
    """Give the row on top of the stack the next free place, and its weight there."""
    if ends[FREE] == len(row_at):
        _rebuild(node, row_at, tree, levels, ends, band)
    node[row, PLACE] = ends[FREE]
    row_at[ends[FREE]] = row
    ends[FREE] += 1
    node[row, WEIGHT] = weight
    band[MASS, 0] += weight
    _add(tree, levels, node[row, PLACE], weight)


@lean_step
def _weight_of(node: Nodes, planned: Floats, row: int, death: float, window_end: float, t: int, short: float) -> int:
    """A row's intensity, scaled: lookups left over time left, in its window if it is hot."""
    if node[row, LEFT] <= 0:
        return 0
    if row < len(planned):
        value = max(planned[row], 0.02) / max(window_end - t, short * 0.1)
    else:
        value = node[row, LEFT] / max(death - t, short)
    return max(1, int(value * 1e6))


@lean_step
def _look(band: Floats, first: Nodes, period: Ints, fresh: int, i: int) -> None:
    """Bring the products up to date: of shallow bands always, of deep ones as often as they change."""
    rate = 0.008 if i > 1000 else 0.2
    for b in range(i % TURNS, fresh, TURNS):
        band[SUPPLY, b] += (band[MASS, b] - band[SUPPLY, b]) * rate
        band[INVERSE, b] = 1 / max(band[SUPPLY, b], 1e-9)
    for b in range(fresh):
        band[PRODUCT, b] = band[REMAIN, b] * min(band[MASS, b] * band[INVERSE, b], RISE)
    for b in range(fresh, len(first)):
        if i & (period[b] - 1) or first[b] < 0:  # periods are powers of two that never fall: nor do deeper bands look
            break
        if band[REMAIN, b] > 0:
            supply = band[SUPPLY, b]
            band[SUPPLY, b] = band[MASS, b] if supply == 0 else supply + (band[MASS, b] - supply) * 0.02
            band[INVERSE, b] = 1 / max(band[SUPPLY, b], 1e-9)
            band[RATIO, b] = band[MASS, b] * band[INVERSE, b]
            band[PRODUCT, b] = band[REMAIN, b] * band[RATIO, b]


@lean_step
def _choose_bin(band: Floats, sums: Floats, u: float) -> int:
    """A bin in proportion to its product, u in 0 … 1; −1 where all are 0. sums: room for those of blocks of 8."""
    total = 0.0
    for block in range(len(sums)):
        k = block * BLOCK
        low = (band[PRODUCT, k] + band[PRODUCT, k + 1]) + (band[PRODUCT, k + 2] + band[PRODUCT, k + 3])
        high = (band[PRODUCT, k + 4] + band[PRODUCT, k + 5]) + (band[PRODUCT, k + 6] + band[PRODUCT, k + 7])
        sums[block] = low + high
        total += low + high
    if total <= 0:
        return -1
    u *= total
    block = 0
    while block < len(sums) - 1 and u >= sums[block]:
        u -= sums[block]
        block += 1
    chosen = -1
    for b in range(block * BLOCK, block * BLOCK + BLOCK):
        if band[PRODUCT, b] > 0:
            chosen = b
            if u < band[PRODUCT, b]:
                break
            u -= band[PRODUCT, b]
    return chosen


@lean_step
def _sum(band: Floats, kind: int, start: int) -> float:
    """The sum from `start` on, four at a time; with 3 zeros behind the bins nothing is missed."""
    a = b = c = d = 0.0
    for k in range(start, band.shape[1] - 3, 4):
        a += band[kind, k]
        b += band[kind, k + 1]
        c += band[kind, k + 2]
        d += band[kind, k + 3]
    return (a + b) + (c + d)


@lean_step
def _draw(
    node: Nodes,
    row_at: Nodes,
    tree: Ints,
    levels: Ints,
    first: Nodes,
    band: Floats,
    b: int,
    narrow: bool,
    rng: np.random.Generator,
) -> int:
    """A row of band b by weight."""
    rest = int(rng.random() * band[MASS, b])
    if not narrow:
        return int(row_at[_find(tree, levels, rest + int(_sum(band, MASS, b + 1)))])
    row = int(first[b])
    while rest >= node[row, WEIGHT]:
        rest -= node[row, WEIGHT]
        row = int(node[row, OLDER])
    return row


@lean_step
def _choose_row(
    node: Nodes,
    row_at: Nodes,
    tree: Ints,
    levels: Ints,
    first: Nodes,
    band: Floats,
    sums: Floats,
    edges: Ints,
    fresh: int,
    dying: bool,
    rng: np.random.Generator,
) -> int:
    """A row by bin and weight; −1 where no band that is wanted has a row with lookups left.

    dying: whether rows end later than they should; of three draws, the first that agrees with it is taken.
    """
    for _ in range(20):
        b = _choose_bin(band, sums, rng.random())
        if b < 0:
            return -1
        if band[MASS, b] <= 0:
            band[RATIO, b] = 0.0
            band[PRODUCT, b] = 0.0
            continue
        row = -1
        for _ in range(3 if b >= fresh else 1):
            row = _draw(node, row_at, tree, levels, first, band, b, edges[b + 1] - edges[b] <= NARROW, rng)
            if (node[row, LEFT] == 1) == dying:
                break
        band[REMAIN, b] = max(0.0, band[REMAIN, b] - 1)
        band[PRODUCT, b] = band[REMAIN, b] * band[RATIO, b]
        return row
    return -1


@lean_step
def _new_plan(
    node: Nodes,
    planned: Floats,
    plan: Floats,
    shape: int,
    deaths: Floats,
    stop: float,
    t: int,
    short: float,
) -> None:
    """Give hot rows their plan of window `shape` of activity, which ends at `stop`, and weigh all rows anew."""
    for row in range(len(planned)):
        planned[row] = max(planned[row], 0.0) * 0.5 + plan[shape, row]
    for row in range(len(node)):
        if node[row, PLACE] >= 0:
            node[row, WEIGHT] = _weight_of(node, planned, row, deaths[row], stop, t, short)


@lean_kernel
def draw(
    state: tuple[Any, ...],
    out: Ints,
    slots: Ints,
    demand: Ints,
    edges: Ints,
    by_birth: Ints,
    deaths: Floats,
    death_demand: Floats,
    activity: Floats,
    length: int,
    width: int,
    rng: np.random.Generator,
) -> int:
    """Fill `out`; the number of accesses whose bands held no eligible row. state: a BandStack of empty_stack."""
    node, row_at, tree, levels, ends, first, band, planned, period, sums = state  # handed on whole, it would be slow
    bins = len(edges) - 1
    fresh = 0
    while fresh + 1 < len(edges) and edges[fresh + 1] <= FRESH_DEPTH:
        fresh += 1
    wide = length / len(activity)
    short = length / 256.0
    window, window_stop, window_size, shape, missed = -1, 0, 1, -1, 0
    for b in range(bins):
        band[REMAIN, b] = demand[0, b]
    births, died, due = 0.0, 0.0, 0.0
    for i in range(len(slots)):
        t = slots[i]
        if t >= (window + 1) * width:
            while t >= (window + 1) * width:
                window += 1
                births += demand[window, bins]
                if window + 1 < len(demand):  # one window ahead, so that none must end in a pinch
                    for b in range(bins):
                        band[REMAIN, b] += demand[window + 1, b]
            window_size = 0
            for b in range(bins + 1):
                window_size += demand[window, b]
            window_size = max(1, window_size)
            window_stop = i + window_size
            for b in range(bins):
                band[PRODUCT, b] = band[REMAIN, b] * band[RATIO, b]
        if t >= (shape + 1) * wide:
            shape = int(t / wide)
            _new_plan(node, planned, activity, shape, deaths, (shape + 1) * wide, t, short)
            _rebuild(node, row_at, tree, levels, ends, band)
            for b in range(fresh, bins):
                band[RATIO, b] = band[MASS, b] / band[SUPPLY, b] if band[SUPPLY, b] > 0 else 1.0
                band[PRODUCT, b] = band[REMAIN, b] * band[RATIO, b]
        _look(band, first, period, fresh, i)
        if ends[BORN] < len(by_birth) and rng.random() * (window_stop - i) < births:
            row = by_birth[ends[BORN]]
            births -= 1
        else:
            row = _choose_row(node, row_at, tree, levels, first, band, sums, edges, fresh, died < due, rng)
        if row < 0:
            missed += 1
            total = int(_sum(band, MASS, 0))
            row = row_at[_find(tree, levels, int(rng.random() * total))] if total > 0 else by_birth[ends[BORN]]
        out[i] = row
        _unweigh(node, tree, levels, band, row)
        _to_top(node, first, band, ends, edges, row)
        node[row, LEFT] -= 1
        if row < len(planned):
            planned[row] -= 1
        weight = _weight_of(node, planned, row, deaths[row], (shape + 1) * wide, t, short)
        _weigh(node, row_at, tree, levels, ends, band, row, weight)
        died += weight == 0
        due += death_demand[window] / window_size
    return missed
