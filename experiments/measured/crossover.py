"""Question: from which batch on is the GPU faster? Where the ratio of times passes 1, with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .axis_points import AxisPoint


@dataclass(frozen=True)
class Crossover:
    """Batch from which on the other device is faster; None where it never, or always, is within the batches tried.

    low, high: where the ends of the ratios' intervals pass 1. A flat curve crosses nowhere in particular: then the
    ratios say more than the crossing.
    """

    batch: float | None
    low: float | None
    high: float | None


def crossover(points: Sequence[AxisPoint]) -> Crossover:
    """The crossover of points along one setting of the axis "device", whose speedups are over the CPU."""
    known = [(float(p.step.split()[-1]), p.speedup) for p in points if p.speedup is not None]
    known.sort(key=lambda item: item[0])
    batches = [batch for batch, _ in known]
    return Crossover(
        passes_one(batches, [s.value for _, s in known]),
        passes_one(batches, [s.high for _, s in known]),
        passes_one(batches, [s.low for _, s in known]),
    )


def passes_one(batches: Sequence[float], ratios: Sequence[float]) -> float | None:
    """The first batch at which the ratio rises through 1, linear in both logarithms."""
    for (x0, y0), (x1, y1) in pairwise(zip(np.log(batches), np.log(ratios), strict=True)):
        if y0 < 0 <= y1:
            return float(np.exp(x0 - y0 * (x1 - x0) / (y1 - y0)))
    return None
