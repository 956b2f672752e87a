"""Renewal design: every row draws its own intervals, then all rows are merged by time.

Intervals follow the maximum-entropy kernel, their sum the row's span, their order the released correlation of
consecutive reuse times; hot rows are warped through their windows of activity; runs of interval 1 stay glued.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...jit import kernel
from ..locality import reuse_edges
from ..profile import TableLocality
from .kernel import interval_table, mean_octave
from .rows import Rows

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

CALIBRATIONS = 4
GUIDE = 1024  # cells of the table that speeds up drawing a bin
SAME_ORDER = 0.03  # correlations nearer than this to the released one need no reordering


def renewal(rows: Rows, locality: TableLocality, rng: np.random.Generator) -> Ints:
    """Row numbers in time order, int64 [sum of counts]; the slots they fall on are the caller's."""
    edges = reuse_edges(locality.length)
    reuse = np.maximum(locality.reuse.array().astype(np.float64), 0)
    table = interval_table(rows.counts, rows.spans, reuse, edges, locality.length)
    octave = np.minimum(mean_octave(rows.counts, rows.spans), len(table) - 1)
    starts = np.concatenate(([0], np.cumsum(rows.counts - 1)))
    target = _shares(reuse)
    shape = np.cumsum(rows.activity, 1) / np.maximum(rows.activity.sum(1, keepdims=True), 1e-9)
    correlation = _released_correlation(locality)
    for round_ in range(CALIBRATIONS + 1):
        intervals = _draw(rows, starts, octave, table, edges, rng)
        if round_ == CALIBRATIONS:
            intervals = _ordered(intervals, starts, correlation, len(table), rng)
        births = rows.births.copy()
        if len(shape):
            _warp(births, intervals, starts, shape, float(locality.length), rng)
        if round_ < CALIBRATIONS:
            table = table * np.clip((target + 1e-7) / (_shares(_histogram(intervals, edges)) + 1e-7), 0.2, 5.0)
    return _merge(rows.counts, births, intervals, starts, rng)


def _shares(histogram: Floats) -> Floats:
    return np.asarray(histogram / max(histogram.sum(), 1e-9))


def _histogram(intervals: Floats, edges: Ints) -> Floats:
    bins = np.searchsorted(edges, np.round(intervals), "right") - 1
    return np.bincount(np.clip(bins, 0, len(edges) - 2), minlength=len(edges) - 1).astype(np.float64)


def _draw(rows: Rows, starts: Ints, octave: Ints, table: Floats, edges: Ints, rng: np.random.Generator) -> Floats:
    law = np.maximum(table, 0) + 1e-15
    cumulated = np.cumsum(law / law.sum(1, keepdims=True), axis=1)
    cumulated[:, -1] = 1.0
    grid = np.arange(GUIDE) / GUIDE
    guide = np.array([np.searchsorted(c, grid, "right") for c in cumulated]).clip(0, table.shape[1] - 1)
    return _draw_intervals(starts, rows.spans, octave, cumulated, guide, edges.astype(np.float64), rng)


@kernel
def _draw_intervals(
    starts: Ints, spans: Floats, octave: Ints, cumulated: Floats, guide: Ints, edges: Floats, rng: np.random.Generator
) -> Floats:
    ratio = np.log(edges[1:] / edges[:-1])
    cells = guide.shape[1]
    out = np.empty(starts[-1])
    longest = 1
    for i in range(len(starts) - 1):
        longest = max(longest, starts[i + 1] - starts[i])
    trial = np.empty(longest)
    for i in range(len(starts) - 1):
        m = starts[i + 1] - starts[i]
        if m == 0:
            continue
        a = starts[i]
        span = max(spans[i], float(m))
        if m == 1:
            out[a] = span
            continue
        law = octave[i]
        best = np.inf
        for _ in range(8 if m < 64 else 1):
            total = 0.0
            for j in range(m):
                u = rng.random()
                b = guide[law, int(u * cells)]
                while cumulated[law, b] <= u:
                    b += 1
                d = math.floor(edges[b] * math.exp(ratio[b] * rng.random()) + 1e-9)
                trial[j] = d
                total += d
            miss = abs(math.log(total / span))
            if miss < best:
                best = miss
                out[a : a + m] = trial[:m]
                if miss < 0.1:
                    break
        _stretch(out, a, m, span)
    return out


@kernel
def _stretch(out: Floats, a: int, m: int, span: float) -> None:
    """Scale the long ones of m intervals so that all sum to `span`; every one where that is not enough."""
    total = 0.0
    for j in range(a, a + m):
        total += out[j]
    limit = 0.5 * span / m
    movable = 0.0
    for j in range(a, a + m):
        if out[j] > limit:
            movable += out[j]
    wanted = span - (total - movable)
    if movable > 0 and wanted > 0.1 * movable:
        factor = wanted / movable
        for j in range(a, a + m):
            if out[j] > limit:
                out[j] = max(1.0, out[j] * factor)
    else:
        for j in range(a, a + m):
            out[j] = max(1.0, out[j] * span / total)


def _released_correlation(locality: TableLocality) -> float:
    return _correlation(np.maximum(locality.pairs.array().astype(np.float64), 0))


def _correlation(pairs: Floats) -> float:
    """Correlation of the octaves of consecutive intervals; NaN where there is none to speak of."""
    total = pairs.sum()
    if total <= 0:
        return math.nan
    k = np.arange(len(pairs))
    first, second = k - pairs.sum(1) @ k / total, k - pairs.sum(0) @ k / total
    spread = (pairs.sum(1) @ first**2) * (pairs.sum(0) @ second**2)
    return float(first @ pairs @ second / math.sqrt(spread)) if spread > 0 else math.nan


def _ordered(intervals: Floats, starts: Ints, wanted: float, octaves: int, rng: np.random.Generator) -> Floats:
    """Every row's intervals reordered so that consecutive ones correlate as released."""
    if not math.isfinite(wanted) or abs(wanted - _correlation(_pairs(intervals, starts, octaves))) <= SAME_ORDER:
        return intervals
    low, high = -0.6, 0.98
    for _ in range(7):
        middle = (low + high) / 2
        tried = _reorder(intervals, starts, middle, rng)
        if _correlation(_pairs(tried, starts, octaves)) > wanted:
            high = middle
        else:
            low = middle
    return _reorder(intervals, starts, (low + high) / 2, rng)


@kernel
def _reorder(intervals: Floats, starts: Ints, memory: float, rng: np.random.Generator) -> Floats:
    """Ranks follow a first-order autoregression; every row keeps its multiset of intervals."""
    out = intervals.copy()
    fresh = math.sqrt(1 - memory * memory)
    for i in range(len(starts) - 1):
        m = starts[i + 1] - starts[i]
        if m < 3:
            continue
        a = starts[i]
        z = np.empty(m)
        z[0] = rng.standard_normal()
        for j in range(1, m):
            z[j] = memory * z[j - 1] + fresh * rng.standard_normal()
        order = np.argsort(z)
        values = np.sort(intervals[a : a + m])
        for j in range(m):
            out[a + order[j]] = values[j]
    return out


@kernel
def _pairs(intervals: Floats, starts: Ints, octaves: int) -> Floats:
    out = np.zeros((octaves, octaves))
    for i in range(len(starts) - 1):
        for j in range(starts[i], starts[i + 1] - 1):
            first = min(octaves - 1, int(math.log2(max(1.0, intervals[j]))))
            second = min(octaves - 1, int(math.log2(max(1.0, intervals[j + 1]))))
            out[first, second] += 1
    return out


@kernel
def _warp(
    births: Floats, intervals: Floats, starts: Ints, shape: Floats, length: float, rng: np.random.Generator
) -> None:
    """Run every hot row's own time through its cumulated activity, so that each window gets its share; in place."""
    windows = shape.shape[1]
    wide = length / windows
    for i in range(len(shape)):
        a = starts[i]
        m = starts[i + 1] - a
        total = 0.0
        for j in range(a, a + m):
            total += intervals[j]
        mean = total / max(m, 1)
        own = rng.random() * mean
        full = total + own + rng.random() * mean
        w = 0
        before = 0.0
        for j in range(m + 1):
            place = own / full if full > 0 else rng.random()
            while w < windows - 1 and shape[i, w] < place:
                w += 1
            done = shape[i, w - 1] if w > 0 else 0.0
            share = shape[i, w] - done
            time = (w + (min(1.0, (place - done) / share) if share > 0 else 0.5)) * wide
            if j < m:
                own += intervals[a + j]
            if j == 0:
                births[i] = time
            else:
                intervals[a + j - 1] = max(time - before, 0.5)
            before = time


@kernel
def _merge(counts: Ints, births: Floats, intervals: Floats, starts: Ints, rng: np.random.Generator) -> Ints:
    """Row numbers by time; accesses of a row at interval 1 form a run that nothing parts."""
    n = starts[-1] + len(counts)
    times = np.empty(n)
    owner = np.empty(n, np.int64)
    size = np.empty(n, np.int64)
    runs = 0
    for i in range(len(counts)):
        t = births[i] + rng.random()
        times[runs] = t
        owner[runs] = i
        size[runs] = 1
        runs += 1
        for j in range(starts[i], starts[i + 1]):
            t += intervals[j]
            if intervals[j] < 1.5:
                size[runs - 1] += 1
            else:
                times[runs] = t
                owner[runs] = i
                size[runs] = 1
                runs += 1
    order = np.argsort(times[:runs])
    out = np.empty(n, np.int64)
    p = 0
    for k in range(runs):
        run = order[k]
        for _ in range(size[run]):
            out[p] = owner[run]
            p += 1
    return out
