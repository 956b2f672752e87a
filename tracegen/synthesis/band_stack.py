"""Band stack: the loop of the depth-band design, on an LRU stack whose bands always know their weight.

The stack is a linked list with a marker at the top row of every band. A row that comes to the top pushes one row over
each marker above its old place (Kim, Hill and Wood, SIGMETRICS 1991, keep a stack's groups the same way). A tree of
sums over the list's order finds a row by weight.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...jit import inlined, kernel

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


class BandStack(NamedTuple):
    """What changes from access to access.

    node int32 [rows, 8]: the rows above and below in the stack (−1 at the ends), band, weight, place in the tree's
    order (−1 before birth), lookups left. row_at: the row at every place. tree: sums of weights over
    … 1024, 32, 1 places; levels: where each begins. ends: newest and oldest row, rows
    born, next free place. first: top row of every band. band float64 [6, bins and some zeros]: weight, accesses to be
    made, usual weight and its inverse, weight over usual, accesses × that ratio. planned: lookups left of a
    hot row in this window.
    """

    node: Nodes
    row_at: Nodes
    tree: Ints
    levels: Ints
    ends: Nodes
    first: Nodes
    band: Floats
    planned: Floats


def empty_stack(counts: Ints, hot: int, edges: Ints) -> BandStack:
    """Room for rows of these lookups, of which the first `hot` have plans, and for bands between `edges`."""
    rows, bins = len(counts), len(edges) - 1
    sizes = [2 * rows + 64]
    while sizes[0] > 2 << SHIFT:
        sizes.insert(0, (sizes[0] >> SHIFT) + 1)
    node = np.full((rows, 8), -1, np.int32)
    node[:, LEFT] = counts
    return BandStack(
        node=node,
        row_at=np.zeros(sizes[-1], np.int32),
        tree=np.zeros(sum(sizes), np.int64),
        levels=np.cumsum([0, *sizes[:-1]]),
        ends=np.array([-1, -1, 0, 0], np.int32),
        first=np.full(bins, -1, np.int32),
        band=np.zeros((6, ((bins + 3) // BLOCK + 1) * BLOCK)),  # at least 3 zeros behind, see _sum
        planned=np.zeros(hot),
    )


@inlined
def _add(tree: Ints, levels: Ints, place: int, value: int) -> None:
    for level in range(len(levels) - 1, -1, -1):
        tree[levels[level] + place] += value
        place >>= SHIFT


@inlined
def _find(tree: Ints, levels: Ints, rest: int) -> int:
    """The place whose weight covers `rest`, counted from the oldest."""
    place = 0
    for level in range(len(levels)):
        place <<= SHIFT
        while rest >= tree[levels[level] + place]:
            rest -= tree[levels[level] + place]
            place += 1
    return place


@inlined
def _rebuild(node: Nodes, row_at: Nodes, tree: Ints, levels: Ints, ends: Nodes, band: Floats) -> None:
    """Number the places anew from the oldest row on, and sum weights again, of bands too."""
    tree[:] = 0
    band[MASS] = 0
    row = ends[OLDEST]
    place = 0
    while row >= 0:
        node[row, PLACE] = place
        row_at[place] = row
        weight = node[row, WEIGHT]
        band[MASS, node[row, BAND]] += weight
        _add(tree, levels, place, weight)
        row = node[row, NEWER]
        place += 1
    ends[FREE] = place


@inlined
def _push(node: Nodes, first: Nodes, band: Floats, ends: Nodes, bands: int) -> None:
    """Every band from 1 to `bands` takes the row just above its top one: the stack above moves down by one."""
    for b in range(1, bands + 1):
        row = node[first[b], NEWER] if first[b] >= 0 else ends[OLDEST]
        weight = node[row, WEIGHT]
        first[b] = row
        node[row, BAND] = b
        band[MASS, b] += weight
        band[MASS, b - 1] -= weight


@inlined
def _to_top(node: Nodes, first: Nodes, band: Floats, ends: Nodes, edges: Ints, row: int) -> None:
    """Take the row, without weight by now, off its place in the stack, if it has one, and put it on top."""
    newest = ends[NEWEST]
    if row == newest:
        return
    if node[row, PLACE] < 0:
        deepest = 0
        while deepest + 1 < len(first) and edges[deepest + 1] <= ends[BORN]:
            deepest += 1
        _push(node, first, band, ends, deepest)
        ends[BORN] += 1
    else:
        _push(node, first, band, ends, node[row, BAND])
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


@inlined
def _unweigh(node: Nodes, tree: Ints, levels: Ints, band: Floats, row: int) -> None:
    """Take the row's weight off its band and its place."""
    weight = node[row, WEIGHT]
    if weight > 0:
        band[MASS, node[row, BAND]] -= weight
        _add(tree, levels, node[row, PLACE], -weight)
        node[row, WEIGHT] = 0


@inlined
def _weigh(
    node: Nodes, row_at: Nodes, tree: Ints, levels: Ints, ends: Nodes, band: Floats, row: int, weight: int
) -> None:
    """Give the row on top of the stack the next free place, and its weight there."""
    if ends[FREE] == len(row_at):
        _rebuild(node, row_at, tree, levels, ends, band)
    else:
        node[row, PLACE] = ends[FREE]
        row_at[ends[FREE]] = row
        ends[FREE] += 1
    node[row, WEIGHT] = weight
    band[MASS, 0] += weight
    _add(tree, levels, node[row, PLACE], weight)


@inlined
def _weight_of(node: Nodes, planned: Floats, row: int, death: float, window_end: float, t: int, short: float) -> int:
    """A row's intensity, scaled: lookups left over time left, in its window if it is hot."""
    if node[row, LEFT] <= 0:
        return 0
    if row < len(planned):
        value = max(planned[row], 0.02) / max(window_end - t, short * 0.1)
    else:
        value = node[row, LEFT] / max(death - t, short)
    return max(1, int(value * 1e6))


@inlined
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


@inlined
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


@inlined
def _sum(band: Floats, kind: int, start: int) -> float:
    """The sum from `start` on, four at a time; with 3 zeros behind the bins nothing is missed."""
    a = b = c = d = 0.0
    for k in range(start, band.shape[1] - 3, 4):
        a += band[kind, k]
        b += band[kind, k + 1]
        c += band[kind, k + 2]
        d += band[kind, k + 3]
    return (a + b) + (c + d)


@inlined
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


@inlined
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


@inlined
def _new_plan(
    node: Nodes, planned: Floats, plan: Floats, ends: Nodes, deaths: Floats, stop: float, t: int, short: float
) -> None:
    """Give hot rows the plan of the window of activity that ends at `stop`, and weigh all rows anew."""
    for row in range(len(plan)):
        planned[row] = max(planned[row], 0.0) * 0.5 + plan[row]
    row = ends[OLDEST]
    while row >= 0:
        node[row, WEIGHT] = _weight_of(node, planned, row, deaths[row], stop, t, short)
        row = node[row, NEWER]


@inlined
def _periods(edges: Ints) -> Ints:
    """Accesses between two looks at every band: powers of two that never fall, about half the band's rows."""
    period = np.ones(len(edges) - 1, np.int64)
    for b in range(1, len(period)):
        period[b] = period[b - 1]
        while 4 * period[b] <= edges[b + 1] - edges[b] and period[b] < SLOWEST:
            period[b] *= 2
    return period


@kernel
def draw(
    s: BandStack,
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
    """Fill `out`; the number of accesses whose bands held no eligible row."""
    node, row_at, tree, levels, ends, first, band, planned = s  # a tuple handed to every step would be slow
    bins = len(edges) - 1
    fresh = int(np.searchsorted(edges, FRESH_DEPTH, side="right")) - 1
    period = _periods(edges)
    sums = np.zeros(band.shape[1] // BLOCK)
    wide = length / len(activity)
    short = length / 256.0
    window, window_stop, window_size, shape, missed = -1, 0, 1, -1, 0
    band[REMAIN, :bins] = demand[0, :bins]
    births, died, due = 0.0, 0.0, 0.0
    for i in range(len(slots)):
        t = slots[i]
        if t >= (window + 1) * width:
            while t >= (window + 1) * width:
                window += 1
                births += demand[window, bins]
                if window + 1 < len(demand):  # one window ahead, so that none must end in a pinch
                    band[REMAIN, :bins] += demand[window + 1, :bins]
            window_size = max(1, demand[window].sum())
            window_stop = i + window_size
            band[PRODUCT] = band[REMAIN] * band[RATIO]
        if t >= (shape + 1) * wide:
            shape = int(t / wide)
            _new_plan(node, planned, activity[shape], ends, deaths, (shape + 1) * wide, t, short)
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
            total = int(band[MASS].sum())
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
