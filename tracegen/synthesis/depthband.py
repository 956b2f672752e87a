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
from ..locality import SHAPE_WINDOWS, window_length
from ..profile import TableLocality
from .ages import Ages
from .depths import depth_edges, implied_depths
from .rows import Rows

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


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
    order, missed = _generate(
        slots,
        whole(depths, filled),
        depth_edges(len(rows.counts)),
        np.argsort(rows.births + rng.random(len(rows.births)), kind="stable"),
        rows.counts,
        rows.births + rows.spans,
        ages.deaths,
        rows.activity,
        length,
        width,
        SHAPE_WINDOWS,
        rng,
    )
    return Bands(order, missed / max(len(slots), 1))


def whole(demand: Floats, filled: Ints) -> Ints:
    """Whole numbers per window × bin; a window's sum is its filled slots, rounding errors are carried on."""
    out = np.zeros(demand.shape, np.int64)
    carried = np.zeros(demand.shape[1])
    for k, n in enumerate(filled):
        total = demand[k].sum()
        wanted = carried + (demand[k] / total * n if total > 0 else 0.0)
        positive = np.maximum(wanted, 0)
        scaled = positive * (n / positive.sum()) if positive.sum() > 0 else np.full(len(wanted), n / len(wanted))
        out[k] = np.floor(scaled)
        rest = int(n - out[k].sum())
        out[k][np.argsort(out[k] - scaled, kind="stable")[:rest]] += 1
        carried = wanted - out[k]
    return out


@kernel
def _prefix(tree: Ints, i: int) -> int:
    total = 0
    while i > 0:
        total += tree[i]
        i -= i & -i
    return total


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


@kernel
def _weight(remaining: int, death: float, hot: bool, planned: float, window_end: float, t: int, short: float) -> int:
    """A row's intensity, scaled: lookups left over time left, in its window if it is hot."""
    if remaining <= 0:
        return 0
    value = max(planned, 0.02) / max(window_end - t, short * 0.1) if hot else remaining / max(death - t, short)
    return max(1, int(value * 1e6))


@kernel
def _band(stack: Ints, tree: Ints, top: int, born: int, shallow: int, deep: int) -> tuple[int, int]:
    """Weights below a band of the stack and up to its end, counted from the deepest row: depths shallow … deep − 1."""
    low = _weight_of_oldest(stack, tree, top, max(0, born - deep))
    return low, _weight_of_oldest(stack, tree, top, max(0, born - shallow))


@kernel
def _generate(
    slots: Ints,
    demand: Ints,
    edges: Ints,
    by_birth: Ints,
    counts: Ints,
    deaths: Floats,
    death_demand: Floats,
    activity: Floats,
    length: int,
    width: int,
    shape_windows: int,
    rng: np.random.Generator,
) -> tuple[Ints, int]:
    n = len(slots)
    rows = len(counts)
    bins = len(edges) - 1
    hot = len(activity)
    top = 1
    while top * 2 <= n:
        top *= 2
    tree = np.zeros(n + 1, np.int64)  # weights of last accesses
    stack = np.zeros(n + 1, np.int64)  # 1 at the last access of every row
    weight = np.zeros(n, np.int64)
    out = np.empty(n, np.int64)
    left = counts.copy()
    last = np.full(rows, -1, np.int64)
    planned = np.zeros(hot)
    remain = np.zeros(bins + 1)  # accesses still to be made per bin
    supply = np.zeros(bins)  # usual weight of each band
    ratio = np.zeros(bins)  # its weight now, over the usual
    chance = np.empty(bins + 1)
    shallow_bins = 0
    while shallow_bins < bins and edges[shallow_bins + 1] <= 32:
        shallow_bins += 1
    recent = np.full(32, -1, np.int64)  # the rows on top of the stack
    recent_weight = np.zeros(33)
    period = np.maximum(1, np.minimum(256, (edges[1:] - edges[:-1]) // 2))
    wide = length / shape_windows
    short = length / 256.0
    window = -1
    ahead = 0
    shape = -1
    window_end = 0.0
    window_stop = 0
    window_size = 1
    died = 0.0
    due = 0.0
    total = 0
    born = 0
    missed = 0
    for i in range(n):
        t = slots[i]
        if t // width != window:
            window = t // width
            window_size = demand[window].sum()
            window_stop = i + window_size
            while ahead < len(demand) and ahead <= window + 1:
                for b in range(bins):
                    remain[b] += demand[ahead, b]
                ahead += 1
            remain[bins] += demand[window, bins]
        if t >= (shape + 1) * wide:
            shape = int(t / wide)
            window_end = (shape + 1) * wide
            for r in range(hot):
                planned[r] = max(planned[r], 0.0) * 0.5 + activity[r, shape]
            tree[:] = 0
            total = 0
            for p in range(i):
                if weight[p] > 0:
                    r = out[p]
                    v = _weight(left[r], deaths[r], r < hot, planned[r] if r < hot else 0.0, window_end, t, short)
                    weight[p] = v
                    tree[p + 1] += v
                    total += v
            for p in range(1, n + 1):
                q = p + (p & -p)
                if q <= n:
                    tree[q] += tree[p]
            for q in range(32):
                if recent[q] >= 0:
                    recent_weight[q] = weight[last[recent[q]]]
            for b in range(shallow_bins, bins):
                low, high = _band(stack, tree, top, born, edges[b], edges[b + 1])
                ratio[b] = (high - low) / supply[b] if supply[b] > 0 else 1.0
        for b in range(shallow_bins):
            now = 0.0
            for q in range(edges[b], edges[b + 1]):
                now += recent_weight[q]
            if born > edges[b]:
                supply[b] += (now - supply[b]) * (0.002 if i > 1000 else 0.05)
                ratio[b] = now / supply[b] if supply[b] > 0 else 0.0
        for b in range(shallow_bins, bins):
            if i % period[b] == 0 and remain[b] > 0 and born > edges[b]:
                low, high = _band(stack, tree, top, born, edges[b], edges[b + 1])
                supply[b] = (high - low) if supply[b] == 0 else supply[b] + (high - low - supply[b]) * 0.02
                ratio[b] = (high - low) / supply[b] if supply[b] > 0 else 0.0
        row = -1
        if born < rows and rng.random() * (window_stop - i) < remain[bins]:
            row = by_birth[born]
            remain[bins] -= 1
        for _ in range(20):
            if row >= 0:
                break
            mass = 0.0
            for b in range(bins):
                mass += remain[b] * ratio[b]
                chance[b] = mass
            if mass <= 0:
                break
            u = rng.random() * mass
            b = 0
            while b < bins - 1 and chance[b] <= u:
                b += 1
            if b < shallow_bins:
                now = 0.0
                for q in range(edges[b], edges[b + 1]):
                    now += recent_weight[q]
                u = rng.random() * now
                for q in range(edges[b], edges[b + 1]):
                    if recent_weight[q] > 0:
                        row = recent[q]
                        if u < recent_weight[q]:
                            break
                        u -= recent_weight[q]
            else:
                low, high = _band(stack, tree, top, born, edges[b], edges[b + 1])
                if high <= low:
                    ratio[b] = 0.0
                    continue
                for _ in range(3):
                    row = out[_find(tree, top, low + int(rng.random() * (high - low)))]
                    if (left[row] == 1) == (died < due):
                        break
            remain[b] -= 1
            if remain[b] < 0:
                remain[b] = 0
            break
        if row < 0:
            missed += 1
            if total == 0:
                if born < rows:
                    row = by_birth[born]
                else:
                    row = out[i - 1]
                    left[row] += 1
            else:
                row = out[_find(tree, top, int(rng.random() * total))]
        p = last[row]
        if p < 0:
            born += 1
        else:
            _add(stack, p + 1, -1)
            if weight[p] > 0:
                _add(tree, p + 1, -weight[p])
                total -= weight[p]
                weight[p] = 0
        out[i] = row
        last[row] = i
        _add(stack, i + 1, 1)
        left[row] -= 1
        if row < hot:
            planned[row] -= 1
        v = _weight(left[row], deaths[row], row < hot, planned[row] if row < hot else 0.0, window_end, t, short)
        if v > 0:
            weight[i] = v
            _add(tree, i + 1, v)
            total += v
        q = 0
        while q < 31 and recent[q] != row:
            q += 1
        while q > 0:
            recent[q] = recent[q - 1]
            recent_weight[q] = recent_weight[q - 1]
            q -= 1
        recent[0] = row
        recent_weight[0] = v
        if left[row] == 0:
            died += 1.0
        due += death_demand[window] / window_size
    return out, missed
