"""Fits: what a measured curve says of a machine: plateaus, where one level ends, cost per call and per item."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


def plateau(sizes: Numbers, values: Numbers, above: float, upto: float) -> float | None:
    """The least value at sizes within (above, upto], None where there is no point."""
    inside = (sizes > above) & (sizes <= upto)
    return float(values[inside].min()) if inside.any() else None


def crossing(sizes: Numbers, values: Numbers, level: float) -> float | None:
    """The size at which values last rise through `level`, linear in both logarithms; None where they do not."""
    below = np.flatnonzero(values <= level)
    if not len(below) or below[-1] + 1 == len(values):
        return None
    k = int(below[-1])
    x, y = np.log(sizes[k : k + 2]), np.log(values[k : k + 2])
    return float(np.exp(x[0] + (np.log(level) - y[0]) / (y[1] - y[0]) * (x[1] - x[0])))


def level_latencies(sizes: Numbers, values: Numbers, level_bytes: Sequence[float]) -> tuple[float, ...] | None:
    """Seconds per load within each level, and beyond the last; None where the points do not reach every level.

    A level's latency is the least at working sets of more than 1.5 times the level before and at most its own size.
    """
    found = []
    before = 0.0
    for size in level_bytes:
        found.append(plateau(sizes, values, 1.5 * before, size))
        before = size
    found.append(plateau(sizes, values, 4 * before, np.inf))
    known = [value for value in found if value is not None]
    return tuple(np.maximum.accumulate(known).tolist()) if len(known) == len(found) else None


def level_bandwidths(sizes: Numbers, values: Numbers, level_bytes: Sequence[float]) -> tuple[float | None, ...]:
    """Bytes per second that each level sends; None where no point lies within it.

    A level's bandwidth is the most at working sets of more than 1.5 times the level before and at most its own size.
    """
    found: list[float | None] = []
    before = 0.0
    for size in level_bytes:
        slowest = plateau(sizes, -values, 1.5 * before, size)
        found.append(None if slowest is None else -slowest)
        before = size
    return tuple(found)


def effective_sizes(sizes: Numbers, values: Numbers, latencies: Sequence[float]) -> tuple[float | None, ...]:
    """Working set up to which each level serves: where the curve passes the geometric mean of it and the next."""
    return tuple(
        crossing(sizes, values, float(np.sqrt(near * far))) if far > 1.1 * near else None
        for near, far in pairwise(latencies)
    )


def cost(counts: Numbers, seconds: Numbers) -> tuple[float, float]:
    """(per call, per item) of seconds ≈ per call + per item × count, least squares of relative errors, not negative."""
    from scipy.optimize import nnls

    design = np.stack([1 / seconds, counts / seconds], axis=1)
    scale = design.max(axis=0)
    solution = nnls(design / scale, np.ones(len(seconds)))[0] / scale
    return float(solution[0]), float(solution[1])
