"""Interval kernel: the maximum-entropy law of a row's reuse times given its mean interval, one table for all rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..locality import octaves

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def mean_octave(counts: Ints, spans: Floats) -> Ints:
    """The octave of every row's mean interval; 0 for rows looked up once."""
    mean = spans / np.maximum(counts - 1, 1)
    return np.where(counts > 1, np.floor(np.log2(np.maximum(mean, 1.0))), 0).astype(np.int64)


def interval_table(counts: Ints, spans: Floats, reuse: Floats, edges: Ints, length: int) -> Floats:
    """Intervals by octave of the mean × reuse bin: column sums as released, row means as the spans demand.

    P(d | m) ∝ w(d) g(d) exp(−λ_m d): w the bin's width, g one common locality kernel, found by iterative scaling;
    g = 1 is the law of independent draws. Rows looked up twice have one interval, their span: they are taken off first.
    """
    several = counts > 2
    octave = mean_octave(counts, spans)
    size = octaves(length)
    intervals = np.bincount(octave[several], counts[several] - 1.0, minlength=size)
    means = np.bincount(octave[several], spans[several], minlength=size) / np.maximum(intervals, 1)
    once = np.searchsorted(edges, np.maximum(spans[counts == 2], 1), "right") - 1
    positive = np.maximum(reuse, 0)
    scaled = positive / max(positive.sum(), 1e-9) * float((counts - 1).sum())
    target = np.asarray(scaled, np.float64)
    target = np.maximum(target - np.bincount(np.minimum(once, len(edges) - 2), minlength=len(edges) - 1), 0)
    return _scaled(edges, target, intervals.astype(np.float64), means)


def _scaled(edges: Ints, target: Floats, intervals: Floats, means: Floats, rounds: int = 60) -> Floats:
    centres = bin_centres(edges)
    log_kernel = np.log(np.diff(edges).astype(np.float64))
    total = intervals.sum()
    table = np.zeros((len(intervals), len(centres)))
    used = intervals > 0
    if total <= 0:
        return table
    target = target / max(target.sum(), 1e-9) * total
    for _ in range(rounds):
        table[used] = _tilted(log_kernel, centres, means[used]) * intervals[used, None]
        columns = table.sum(0)
        if np.abs(columns - target).sum() < 1e-3 * total:
            break
        log_kernel = log_kernel + np.log(np.clip((target + 1e-9) / np.maximum(columns, 1e-9), 1e-4, 1e4))
    return table


def _tilted(log_kernel: Floats, centres: Floats, means: Floats) -> Floats:
    """Rows ∝ exp(log_kernel − λ d) with the given means, λ by bisection, all rows at once."""
    low = np.full(len(means), -60.0 / centres[-1])
    high = 60.0 / np.maximum(1.0, np.minimum(means, centres[-1]) * 0.02)
    law = np.empty((len(means), len(centres)))
    for _ in range(46):
        near = (low < 0) | (high < 4 * np.maximum(low, 1e-12))
        middle = np.where(near, 0.5 * (low + high), np.sqrt(np.maximum(low * high, 0)))
        exponent = log_kernel - middle[:, None] * centres
        law = np.exp(exponent - exponent.max(1, keepdims=True))
        law /= law.sum(1, keepdims=True)
        longer = law @ centres > means
        low, high = np.where(longer, middle, low), np.where(longer, high, middle)
    return law


def bin_centres(edges: Ints) -> Floats:
    """Mean of a log-uniform variable in every bin; the value itself in bins of one."""
    low, high = edges[:-1].astype(np.float64), edges[1:].astype(np.float64)
    return np.where(high - low <= 1, low, (high - low) / np.log(high / low))
