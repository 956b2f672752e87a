"""Depth-band design: the age matrix's stack distances say how deep, the rows' intensities say who.

A window's multiset of stack-distance bins is used up slot by slot. A bin names a band of the LRU stack; among the
band's rows that have lookups left, one is drawn by weight: its remaining lookups over its remaining time. Counts are
exact by construction, and the LRU curve follows the multiset. Two Fenwick trees over accesses hold stack and weights.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...jit import kernel
from ..locality import window_length
from ..profile import TableLocality
from .ages import Ages
from .depths import depth_edges, implied_depths, whole
from .rows import Rows

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

RECENT = 32  # rows on top of the stack that are looked at one by one


class Bands(NamedTuple):
    """Row numbers per filled slot, and the share of accesses whose band held no eligible row."""

    order: Ints
    fallback: float


def depthband(rows: Rows, locality: TableLocality, ages: Ages, slots: Ints, rng: np.random.Generator) -> Bands:
    """Row numbers in time order; slots: rising slots of the clock that are filled, one per access."""
    length = locality.length
    width = window_length(length, len(ages.demand))
    filled = np.bincount(slots // width, minlength=len(ages.demand))
    depths = implied_depths(ages.demand, length, width, len(rows.counts))
    edges = depth_edges(len(rows.counts))
    state = _start(rows.counts, len(slots), len(rows.activity), len(edges) - 1)
    missed = _generate(
        state,
        slots,
        whole(depths, filled),
        edges,
        np.argsort(rows.births + rng.random(len(rows.births)), kind="stable"),
        rows.births + rows.spans,
        ages.deaths,
        rows.activity,
        length,
        width,
        rng,
    )
    return Bands(state.out, missed / max(len(slots), 1))


@kernel
def _add(tree: Ints, i: int, value: int) -> None:
    while i < len(tree):
        tree[i] += value
        i += i & -i


@kernel
def _find(tree: Ints, top: int, rest: int) -> int:
    """The position whose weight covers `rest`, counted from the left."""
    position = 0
    step = top
    while step > 0:
        q = position + step
        if q < len(tree) and tree[q] <= rest:
            position = q
            rest -= tree[q]
        step >>= 1
    return position


@kernel
def _weight_of_oldest(stack: Ints, tree: Ints, top: int, rows: int) -> int:
    """Weight of the `rows` deepest rows of the stack."""
    position = 0
    total = 0
    step = top
    while step > 0:
        q = position + step
        if q < len(tree) and stack[q] <= rows:
            position = q
            rows -= stack[q]
            total += tree[q]
        step >>= 1
    return total


class _State(NamedTuple):
    """What changes from access to access. tree: weights of rows at their last access, stack: 1 there (Fenwick trees);
    weight: the same weights, plain; out: rows so far; left: lookups left; last: last access, −1 before birth; planned:
    lookups left in the hot window; recent, recent_weight: the RECENT rows on top of the stack; remain: accesses to be
    made per bin; supply: usual weight of a band; ratio: its weight now over the usual one."""

    tree: Ints
    stack: Ints
    weight: Ints
    out: Ints
    left: Ints
    last: Ints
    planned: Floats
    recent: Ints
    recent_weight: Floats
    remain: Floats
    supply: Floats
    ratio: Floats


def _start(counts: Ints, accesses: int, hot: int, bins: int) -> _State:
    return _State(
        tree=np.zeros(accesses + 1, np.int64),
        stack=np.zeros(accesses + 1, np.int64),
        weight=np.zeros(accesses, np.int64),
        out=np.empty(accesses, np.int64),
        left=counts.copy(),
        last=np.full(len(counts), -1, np.int64),
        planned=np.zeros(hot),
        recent=np.full(RECENT, -1, np.int64),
        recent_weight=np.zeros(RECENT),
        remain=np.zeros(bins + 1),
        supply=np.zeros(bins),
        ratio=np.zeros(bins),
    )


@kernel
def _weight_of(s: _State, row: int, death: float, window_end: float, t: int, short: float) -> int:
    """A row's intensity, scaled: lookups left over time left, in its window if it is hot."""
    if s.left[row] <= 0:
        return 0
    if row < len(s.planned):
        value = max(s.planned[row], 0.02) / max(window_end - t, short * 0.1)
    else:
        value = s.left[row] / max(death - t, short)
    return max(1, int(value * 1e6))


@kernel
def _band(s: _State, top: int, born: int, shallow: int, deep: int) -> tuple[int, int]:
    """Weights below a band of the stack and up to its end, counted from the deepest row: depths shallow … deep − 1."""
    low = _weight_of_oldest(s.stack, s.tree, top, max(0, born - deep))
    return low, _weight_of_oldest(s.stack, s.tree, top, max(0, born - shallow))


@kernel
def _new_window(s: _State, plan: Floats, deaths: Floats, done: int, window_end: float, t: int, short: float) -> int:
    """Give hot rows the plan of a new window and weigh all rows anew; the sum of weights."""
    for row in range(len(plan)):
        s.planned[row] = max(s.planned[row], 0.0) * 0.5 + plan[row]
    s.tree[:] = 0
    total = 0
    for p in range(done):
        if s.weight[p] > 0:
            row = s.out[p]
            s.weight[p] = _weight_of(s, row, deaths[row], window_end, t, short)
            s.tree[p + 1] += s.weight[p]
            total += s.weight[p]
    n = len(s.tree) - 1
    for p in range(1, n + 1):
        q = p + (p & -p)
        if q <= n:
            s.tree[q] += s.tree[p]
    for q in range(len(s.recent)):
        if s.recent[q] >= 0:
            s.recent_weight[q] = s.weight[s.last[s.recent[q]]]
    return total


@kernel
def _look(s: _State, edges: Ints, period: Ints, shallow_bins: int, top: int, born: int, i: int) -> None:
    """Bring the ratios up to date: of shallow bands always, of deep ones as often as they change."""
    for b in range(shallow_bins):
        if born > edges[b]:
            now = s.recent_weight[edges[b] : edges[b + 1]].sum()
            s.supply[b] += (now - s.supply[b]) * (0.002 if i > 1000 else 0.05)
            s.ratio[b] = now / s.supply[b] if s.supply[b] > 0 else 0.0
    for b in range(shallow_bins, len(s.ratio)):
        if i % period[b] == 0 and s.remain[b] > 0 and born > edges[b]:
            low, high = _band(s, top, born, edges[b], edges[b + 1])
            s.supply[b] = high - low if s.supply[b] == 0 else s.supply[b] + (high - low - s.supply[b]) * 0.02
            s.ratio[b] = (high - low) / s.supply[b] if s.supply[b] > 0 else 0.0


@kernel
def _choose_bin(s: _State, chance: Floats, rng: np.random.Generator) -> int:
    """A bin in proportion to what remains of it × its ratio; −1 where all are used up or empty."""
    mass = 0.0
    for b in range(len(chance)):
        mass += s.remain[b] * s.ratio[b]
        chance[b] = mass
    if mass <= 0:
        return -1
    u = rng.random() * mass
    b = 0
    while b < len(chance) - 1 and chance[b] <= u:
        b += 1
    return b


@kernel
def _choose_recent(s: _State, low: int, high: int, rng: np.random.Generator) -> int:
    """A row of depths low … high − 1 on top of the stack, by weight; −1 where none has lookups left."""
    u = rng.random() * s.recent_weight[low:high].sum()
    row = -1
    for q in range(low, high):
        if s.recent_weight[q] > 0:
            row = s.recent[q]
            if u < s.recent_weight[q]:
                break
            u -= s.recent_weight[q]
    return row


@kernel
def _choose_row(
    s: _State,
    edges: Ints,
    shallow_bins: int,
    top: int,
    born: int,
    dying: bool,
    chance: Floats,
    rng: np.random.Generator,
) -> int:
    """A row by bin and weight; −1 where no band that is wanted has a row with lookups left.

    dying: whether rows end later than they should; of three draws, the first that agrees with it is taken.
    """
    for _ in range(20):
        b = _choose_bin(s, chance, rng)
        if b < 0:
            return -1
        row = -1
        if b < shallow_bins:
            row = _choose_recent(s, edges[b], edges[b + 1], rng)
        else:
            low, high = _band(s, top, born, edges[b], edges[b + 1])
            if high <= low:
                s.ratio[b] = 0.0
                continue
            for _ in range(3):
                row = s.out[_find(s.tree, top, low + int(rng.random() * (high - low)))]
                if (s.left[row] == 1) == dying:
                    break
        s.remain[b] = max(0.0, s.remain[b] - 1)
        return row
    return -1


@kernel
def _put(s: _State, row: int, i: int) -> int:
    """Take the row off its place in the stack and put it on top, as access i; the weight that this removed."""
    removed = 0
    p = s.last[row]
    if p >= 0:
        _add(s.stack, p + 1, -1)
        removed = s.weight[p]
        if removed > 0:
            _add(s.tree, p + 1, -removed)
            s.weight[p] = 0
    s.out[i] = row
    s.last[row] = i
    _add(s.stack, i + 1, 1)
    s.left[row] -= 1
    if row < len(s.planned):
        s.planned[row] -= 1
    q = 0
    while q < len(s.recent) - 1 and s.recent[q] != row:
        q += 1
    while q > 0:
        s.recent[q] = s.recent[q - 1]
        s.recent_weight[q] = s.recent_weight[q - 1]
        q -= 1
    s.recent[0] = row
    return removed


@kernel
def _generate(
    s: _State,
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
    """Fill s.out; the number of accesses whose bands held no eligible row."""
    n = len(slots)
    bins = len(edges) - 1
    top = 1
    while top * 2 <= n:
        top *= 2
    shallow_bins = int(np.searchsorted(edges, len(s.recent), side="right")) - 1
    period = np.maximum(1, np.minimum(256, (edges[1:] - edges[:-1]) // 2))
    chance = np.empty(bins)
    wide = length / activity.shape[1]
    short = length / 256.0
    window, ahead, window_stop, window_size, shape, total, born, missed = -1, 0, 0, 1, -1, 0, 0, 0
    died, due = 0.0, 0.0
    for i in range(n):
        t = slots[i]
        if t // width != window:
            window = t // width
            window_size = demand[window].sum()
            window_stop = i + window_size
            while ahead < len(demand) and ahead <= window + 1:  # one window ahead, so that none must end in a pinch
                s.remain[:bins] += demand[ahead, :bins]
                ahead += 1
            s.remain[bins] += demand[window, bins]
        if t >= (shape + 1) * wide:
            shape = int(t / wide)
            total = _new_window(s, activity[:, shape], deaths, i, (shape + 1) * wide, t, short)
            for b in range(shallow_bins, bins):
                low, high = _band(s, top, born, edges[b], edges[b + 1])
                s.ratio[b] = (high - low) / s.supply[b] if s.supply[b] > 0 else 1.0
        _look(s, edges, period, shallow_bins, top, born, i)
        if born < len(by_birth) and rng.random() * (window_stop - i) < s.remain[bins]:
            row = by_birth[born]
            s.remain[bins] -= 1
        else:
            row = _choose_row(s, edges, shallow_bins, top, born, died < due, chance, rng)
        if row < 0:
            missed += 1
            row = s.out[_find(s.tree, top, int(rng.random() * total))] if total > 0 else by_birth[born]
        if s.last[row] < 0:
            born += 1
        total -= _put(s, row, i)
        weight = _weight_of(s, row, deaths[row], (shape + 1) * wide, t, short)
        s.recent_weight[0] = weight
        if weight > 0:
            s.weight[i] = weight
            _add(s.tree, i + 1, weight)
            total += weight
        else:
            died += 1.0
        due += death_demand[window] / window_size
    return missed
