"""Renewal design: every row draws its own intervals, then all rows are merged by time.

Intervals follow the maximum-entropy kernel, their sum the row's span, their order the released pairs of consecutive
reuse times; hot rows are warped through their windows of activity; runs of interval 1 stay glued.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...jit import kernel
from ..locality import octave_starts, reuse_edges
from ..packed import Packed
from ..profile import Calibration, TableLocality
from .kernel import interval_table, mean_octave
from .rows import Rows
from .succession import find_lifts, in_turn

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Nodes = NDArray[np.int32]

CALIBRATIONS = 4
HEAD, SAMPLE = 10_000, 150_000  # calibrated on: rows of more than so small a part of lookups, and lookups of others
PARTS = 1_000_000  # a calibrated law's probabilities are stored in millionths,
LIFT_PARTS = 1_000  # lifts in thousandths
GUIDE = 1024  # cells of the table that speeds up drawing a bin


def calibrate(rows: Rows, locality: TableLocality, rng: np.random.Generator) -> Calibration:
    """The laws whose intervals, drawn, stretched and warped, have the released reuse times; and how they are ordered.

    A few rounds scale the maximum-entropy laws by released over realised shares of reuse times.
    """
    edges = reuse_edges(locality.length)
    reuse = np.maximum(locality.reuse.array().astype(np.float64), 0)
    laws = interval_table(rows.counts, rows.spans, reuse, edges, locality.length)
    some, weights = _sampled(rows)
    plan = _Plan.of(some, locality, len(laws))
    target = _shares(reuse)

    def warped(intervals: Floats) -> Floats:
        _warp(some.births.copy(), intervals, plan.starts, plan.shape, float(locality.length), rng)
        return intervals

    for _ in range(CALIBRATIONS):
        intervals = warped(_draw(some, plan, laws, edges, rng))
        realised = _histogram(intervals, plan.starts, weights, edges, octave_starts(edges, locality.length))
        laws = laws * np.clip((target + 1e-7) / (_shares(realised) + 1e-7), 0.2, 5.0)
    lifts = find_lifts(_draw(some, plan, laws, edges, rng), plan.starts, weights, locality, warped, rng)
    return Calibration(
        laws=Packed.of(np.round(laws / np.maximum(laws.sum(1, keepdims=True), 1e-9) * PARTS).astype(np.int64)),
        lifts=Packed.of(np.round(lifts * LIFT_PARTS).astype(np.int64)),
    )


def _sampled(rows: Rows) -> tuple[Rows, Floats]:
    """Rows enough to calibrate on, and for how many each stands: all of many lookups, one of so many others."""
    total = int(rows.counts.sum())
    head = max(len(rows.activity), int(np.count_nonzero(rows.counts > total / HEAD)))
    stride = max(1, int(rows.counts[head:].sum()) // SAMPLE)
    taken = np.append(np.arange(head), np.arange(head + stride // 2, len(rows.counts), stride))
    weights = np.where(np.arange(len(taken)) < head, 1.0, float(stride))
    return Rows(rows.counts[taken], rows.births[taken], rows.spans[taken], rows.activity), weights


def renewal(
    rows: Rows, locality: TableLocality, calibration: Calibration, rng: np.random.Generator, chains: Ints | None = None
) -> Ints:
    """Row numbers in time order, int64 [sum of counts]; the slots they fall on are the caller's.

    chains: lengths of chains of rows of equal count that take up the rows in order, and whose lookups never part;
    None: every row for itself.
    """
    if chains is not None:
        return _chained(rows, locality, calibration, rng, chains)
    edges = reuse_edges(locality.length)
    laws = calibration.laws.array().astype(np.float64)
    plan = _Plan.of(rows, locality, len(laws))
    intervals = _draw(rows, plan, laws, edges, rng)
    intervals = in_turn(intervals, plan.starts, calibration.lifts.array() / LIFT_PARTS, rng)
    births = rows.births.copy()
    _warp(births, intervals, plan.starts, plan.shape, float(locality.length), rng)
    times, owner, size = _runs(rows.counts, births, intervals, plan.starts, rng)
    return _laid_out(np.argsort(times), owner, size, int(rows.counts.sum()))


def _chained(
    rows: Rows, locality: TableLocality, calibration: Calibration, rng: np.random.Generator, chains: Ints
) -> Ints:
    """The first row of every chain is generated; the others follow each of its lookups."""
    leaders = np.cumsum(chains) - chains
    hot = leaders[leaders < len(rows.activity)]
    led = Rows(rows.counts[leaders], rows.births[leaders], rows.spans[leaders], rows.activity[hot])
    order = renewal(led, locality, calibration, rng)
    lengths = chains[order]
    inside = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return np.asarray(np.repeat(leaders[order], lengths) + inside, np.int64)


class _Plan(NamedTuple):
    """starts: where each row's intervals begin, int64 [rows + 1]; octave: of its law; shape: cumulated share of
    activity, float64 [hot rows, windows]."""

    starts: Ints
    octave: Ints
    shape: Floats

    @classmethod
    def of(cls, rows: Rows, locality: TableLocality, laws: int) -> _Plan:
        return cls(
            np.concatenate(([0], np.cumsum(rows.counts - 1))),
            np.minimum(mean_octave(rows.counts, rows.spans), laws - 1),
            np.cumsum(rows.activity, 1) / np.maximum(rows.activity.sum(1, keepdims=True), 1e-9),
        )


def _shares(histogram: Floats) -> Floats:
    return np.asarray(histogram / max(histogram.sum(), 1e-9))


@kernel
def _histogram(intervals: Floats, starts: Ints, weights: Floats, edges: Ints, first_bins: Ints) -> Floats:
    """Intervals per reuse bin, each row's by its weight; first_bins: the bin of 2^k for every octave k."""
    out = np.zeros(len(edges) - 1)
    for i in range(len(weights)):
        for j in range(starts[i], starts[i + 1]):
            value = max(1, round(intervals[j]))
            b = first_bins[min(len(first_bins) - 1, math.frexp(value)[1] - 1)]
            while b < len(out) - 1 and value >= edges[b + 1]:
                b += 1
            out[b] += weights[i]
    return out


def _draw(rows: Rows, plan: _Plan, laws: Floats, edges: Ints, rng: np.random.Generator) -> Floats:
    law = np.maximum(laws, 0) + 1e-15
    cumulated = np.cumsum(law / law.sum(1, keepdims=True), axis=1)
    cumulated[:, -1] = 1.0
    grid = np.arange(GUIDE) / GUIDE
    guide = np.array([np.searchsorted(c, grid, "right") for c in cumulated]).clip(0, laws.shape[1] - 1)
    return _draw_intervals(plan.starts, rows.spans, plan.octave, cumulated, guide, edges.astype(np.float64), rng)


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
def _runs(
    counts: Ints, births: Floats, intervals: Floats, starts: Ints, rng: np.random.Generator
) -> tuple[Floats, Nodes, Nodes]:
    """Start, row and length of every run: accesses of a row at interval 1, which nothing parts."""
    n = starts[-1] + len(counts)
    times = np.empty(n)
    owner = np.empty(n, np.int32)
    size = np.empty(n, np.int32)
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
    return times[:runs], owner[:runs], size[:runs]


@kernel
def _laid_out(order: Ints, owner: Nodes, size: Nodes, accesses: int) -> Ints:
    """Row numbers of the runs in order."""
    out = np.empty(accesses, np.int64)
    p = 0
    for run in order:
        for _ in range(size[run]):
            out[p] = owner[run]
            p += 1
    return out
