"""Residual: what physics leaves over of embedding_bag's times, learnt as a Gaussian process and bounded by its data.

Far from every measured point it fades to nothing, so that an imagined machine is predicted by physics alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .costs import Coefficients, Residual
from .operators import Parts
from .steps import Operator

AMPLITUDE, NOISE = 0.20, 0.06  # in ln seconds: what is learnt, and what one measured point may be off by
LENGTHS = (0.5, 0.8, 1.2)  # chosen by leaving each point out in turn
CLIP = 0.4
Numbers = NDArray[np.float64]


def features(op: Operator, parts: Parts, shares: Sequence[float]) -> tuple[float, ...]:
    """Scaled sizes, miss shares and how far the time exceeds a bare call's."""
    total, call = sum(parts.values()), max(parts["overhead"], 1e-12)
    return (
        float(np.log2(max(op.k, 1)) / 3),
        float(np.log2(max(op.m, 1)) / 4),
        float(np.log2(op.n) / 1.5),
        *(3.0 * share for share in shares[:3]),
        2.0 * parts["translation"] / total,
        float(np.log(total / call) / 1.5),
    )


def correction(costs: Coefficients, op: Operator, parts: Parts, shares: Sequence[float]) -> float:
    """The factor that an operator's predicted time is multiplied by."""
    if costs.residual is None:
        return 1.0
    own = np.array([features(op, parts, shares)])
    points = np.array(costs.residual.points)
    return float(np.exp((_kernel(own, points, costs.residual.length) @ np.array(costs.residual.weights))[0]))


def learn(points: Numbers, left_over: Numbers) -> tuple[Residual, Numbers]:
    """The process from features [points, features] and ln(measured / physics) [points]; and what each point leaves
    over when it is left out."""
    best: tuple[float, Residual, Numbers] | None = None
    clipped = np.clip(left_over, -CLIP, CLIP)
    for length in LENGTHS:
        inverse = np.linalg.inv(_kernel(points, points, length) + NOISE**2 * np.eye(len(points)))
        weights = inverse @ clipped
        outside = left_over - clipped + weights / np.diag(inverse)
        error = float(np.abs(outside).mean())
        if best is None or error < best[0]:
            rounded = tuple(tuple(round(x, 4) for x in row) for row in points.tolist())
            best = error, Residual(length, rounded, tuple(round(x, 5) for x in weights.tolist())), outside
    assert best is not None
    return best[1], best[2]


def _kernel(a: Numbers, b: Numbers, length: float) -> Numbers:
    squares = ((a[:, None] - b[None]) ** 2).sum(axis=2)
    return np.asarray(AMPLITUDE**2 * np.exp(-squares / (2 * length**2)))
