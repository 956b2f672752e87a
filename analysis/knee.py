"""Knee: the capacity beyond which more cache buys little, with its uncertainty.

The knee is where the miss-ratio curve, over the logarithm of the capacity, lies furthest below the straight line
between its ends (the difference curve of Satopää et al., "Finding a kneedle in a haystack", ICDCSW 2011). Its interval
comes from resampling blocks of the trace: a knee that moves when other parts of the trace are seen is uncertain.
The line runs on to twice the last useful capacity, so that the foot of a cliff at the very end (a loop) is seen. Such
a knee is where this trace's rows end; resampling the trace cannot tell where those of another would, so it has no
interval.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import HotrowError

POINTS = 200  # capacities that are tried, evenly spaced on a logarithmic axis
BLOCKS = 32  # consecutive parts of the trace that are resampled as a whole
RESAMPLES = 400
LEVEL = 0.9


@dataclass(frozen=True)
class Knee:
    """capacity in rows with its 90 % interval low … high; miss_ratio there; depth below the line, fraction of 1.

    low and high are None where the knee is the end of the curve, beyond which no more lookups hit, within one step of
    the capacities tried.
    A depth near 0 means that the curve is straight and has no knee to speak of.
    """

    capacity: int
    low: int | None
    high: int | None
    miss_ratio: float
    depth: float

    def __str__(self) -> str:
        """The capacity with its interval and depth."""
        around = "end of the curve" if self.low is None else f"{self.low:,} … {self.high:,}"
        return f"{self.capacity:,} ({around}), {self.depth:.0%}"


def knee(distances: NDArray[np.int64], rng: np.random.Generator) -> Knee:
    """The knee of the LRU curve of accesses with these stack distances (−1 for a first access), in trace order.

    Raises HotrowError where no access repeats a row: there is no curve.
    """
    top = int(distances.max(initial=-1)) + 1
    if top < 1:
        raise HotrowError("no row is looked up twice, so the miss-ratio curve is flat and has no knee")
    capacities = np.unique(np.append(np.round(np.geomspace(1, 2 * top, POINTS)).astype(np.int64), top))
    blocks = np.array_split(distances, min(BLOCKS, len(distances)))
    hits = np.stack([_hits(block, capacities) for block in blocks])
    sizes = np.array([len(block) for block in blocks])
    best, depth = _deepest(capacities, 1 - hits.sum(0) / sizes.sum())
    at, missed = int(capacities[best]), float(1 - hits.sum(0)[best] / sizes.sum())
    if capacities[best + 1] >= top:
        return Knee(at, None, None, missed, depth)
    drawn = rng.integers(0, len(blocks), (RESAMPLES, len(blocks)))
    resampled = [_deepest(capacities, 1 - hits[d].sum(0) / sizes[d].sum())[0] for d in drawn]
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="nearest")
    roots = np.sqrt(capacities)
    between = roots[:-1] * roots[1:]  # a point speaks for half a step to either side
    return Knee(at, int(between[max(min(low, best) - 1, 0)]), int(np.ceil(between[max(high, best)])), missed, depth)


def _hits(distances: NDArray[np.int64], capacities: NDArray[np.int64]) -> NDArray[np.int64]:
    """Hits at each capacity."""
    repeated = np.bincount(
        np.searchsorted(capacities, distances[distances >= 0], "right"), minlength=len(capacities) + 1
    )
    return np.cumsum(repeated)[: len(capacities)]


def _deepest(capacities: NDArray[np.int64], miss_ratio: NDArray[np.float64]) -> tuple[int, float]:
    """Index of the point furthest below the line between the ends, and how far that is."""
    x = np.log(capacities)
    span = x[-1] - x[0]
    line = miss_ratio[0] + (miss_ratio[-1] - miss_ratio[0]) * ((x - x[0]) / span if span else 0)
    gap = line - miss_ratio
    return int(np.argmax(gap)), float(gap.max())
