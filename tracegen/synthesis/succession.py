"""Succession: in which order a row's intervals come, so that one follows another as often as released.

Every row keeps its intervals, and the trace its reuse times. The next one's octave is drawn from those that the row has
left, each weighed by its lift: how much likelier it is after the one before than alone. A few rounds find the lifts.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ...jit import kernel
from ..profile import TableLocality
from .ages import stands_out

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

ROUNDS, STEP = 5, 0.8  # of finding lifts, and the power of what is lacking that each makes up for
MOST = 10.0  # times that an octave may be likelier after another, or less likely
SPARSE = 1e-5  # share of pairs below which a lift is not told from 1


def find_lifts(
    intervals: Floats,
    starts: Ints,
    weights: Floats,
    locality: TableLocality,
    seen: Callable[[Floats], Floats],
    rng: np.random.Generator,
) -> Floats:
    """Lifts, octave before × octave, of the round whose pairs came nearest to the released ones.

    intervals: row by row, from `starts` on; weights: for how many rows each stands; seen: what intervals become before
    their reuse times are measured.
    """
    wanted = known_pairs(locality)
    lift = best = np.ones_like(wanted)
    nearest = math.inf
    for _ in range(ROUNDS):
        found = _shares(_pairs(seen(in_turn(intervals, starts, lift, rng)), starts, weights, len(lift)))
        apart = float(np.abs(found - wanted).sum())
        if apart < nearest:
            nearest, best = apart, lift
        lift = np.clip(lift * (_lift(wanted) / _lift(found)) ** STEP, 1 / MOST, MOST)
    return best


def known_pairs(locality: TableLocality) -> Floats:
    """Shares of consecutive intervals by octave; where noise is, independence and what stands out of the noise."""
    pairs = locality.pairs.array().astype(np.float64)
    noise = locality.noise["pairs"]
    if noise > 0:
        alone = np.outer(np.maximum(pairs.sum(1), 0), np.maximum(pairs.sum(0), 0)) / max(pairs.sum(), 1.0)
        pairs = alone + stands_out(pairs - alone, noise)
    return _shares(np.maximum(pairs, 0))


def _shares(pairs: Floats) -> Floats:
    return np.asarray(pairs / max(pairs.sum(), 1e-9))


def _lift(shares: Floats) -> Floats:
    """How much likelier an octave is after another than alone; 1 where there is next to nothing."""
    alone = np.outer(shares.sum(1), shares.sum(0))
    return np.asarray((shares + SPARSE) / (alone + SPARSE))


@kernel
def _octave(interval: float, octaves: int) -> int:
    return min(octaves - 1, max(0, math.frexp(interval)[1] - 1))


@kernel
def _pairs(intervals: Floats, starts: Ints, weights: Floats, octaves: int) -> Floats:
    out = np.zeros((octaves, octaves))
    for i in range(len(weights)):
        for j in range(starts[i], starts[i + 1] - 1):
            out[_octave(intervals[j], octaves), _octave(intervals[j + 1], octaves)] += weights[i]
    return out


@kernel
def in_turn(intervals: Floats, starts: Ints, lift: Floats, rng: np.random.Generator) -> Floats:
    """Every row's intervals in another order, drawn one after another without putting back.

    The order begins at a random place of the row: what is unlikely is left over, and must not always come last.
    """
    octaves = len(lift)
    out = intervals.copy()
    longest = 1
    for i in range(len(starts) - 1):
        longest = max(longest, starts[i + 1] - starts[i])
    own = np.empty(longest)  # a row's intervals, octave by octave
    first, left = np.zeros(octaves, np.int64), np.zeros(octaves, np.int64)  # of every octave: place in own, and number
    weight = np.zeros(octaves)
    for i in range(len(starts) - 1):
        a = starts[i]
        m = starts[i + 1] - a
        low, high = _by_octave(intervals[a : a + m], own, first, left)
        if low == high:
            continue
        place = int(rng.random() * m)
        before = -1
        for _ in range(m):
            total = 0.0
            for k in range(low, high + 1):
                weight[k] = left[k] * (lift[before, k] if before >= 0 else 1.0)
                total += weight[k]
            u = rng.random() * total
            for k in range(low, high + 1):
                if left[k] > 0:
                    before = k
                    if u < weight[k]:
                        break
                u -= weight[k]
            left[before] -= 1
            out[a + place] = own[first[before] + left[before]]
            place = place + 1 if place + 1 < m else 0
    return out


@kernel
def _by_octave(values: Floats, own: Floats, first: Ints, left: Ints) -> tuple[int, int]:
    """Sort values by their octave into `own`; lowest and highest octave, which are equal where nothing was sorted."""
    octaves = len(left)
    left[:] = 0
    low, high = octaves, 0
    for value in values:
        k = _octave(value, octaves)
        left[k] += 1
        low = min(low, k)
        high = max(high, k)
    if len(values) < 2 or low == high:
        return 0, 0
    place = 0
    for k in range(low, high + 1):
        first[k] = place
        place += left[k]
        left[k] = 0
    for value in values:
        k = _octave(value, octaves)
        own[first[k] + left[k]] = value
        left[k] += 1
    return low, high
