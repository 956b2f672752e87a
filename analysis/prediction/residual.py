"""Residual: what physics leaves over of measured times, learnt as a Gaussian process and bounded by its data.

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
LENGTH = 0.8  # of every feature to begin with; each is then chosen by leaving each point out in turn
FACTORS = (0.5, 0.7, 1.0, 1.4, 2.0)
SWEEPS = 3
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


def layer_features(op: Operator, parts: Parts) -> tuple[float, ...]:
    """Scaled sizes, and how far the time exceeds a bare call's."""
    total, call = sum(parts.values()), max(parts["overhead"], 1e-12)
    return (*(float(np.log2(max(size, 1)) / 4) for size in (op.m, op.k, op.n)), float(np.log(total / call) / 1.5))


def correction(costs: Coefficients, op: Operator, parts: Parts, shares: Sequence[float]) -> float:
    """The factor that a bag's predicted time is multiplied by."""
    return 1.0 if costs.residual is None else _factor(costs.residual, features(op, parts, shares))


def layer_correction(costs: Coefficients, op: Operator, parts: Parts) -> float:
    """The factor that a layer's predicted time is multiplied by."""
    return 1.0 if costs.layer_residual is None else _factor(costs.layer_residual, layer_features(op, parts))


def _factor(residual: Residual, described: tuple[float, ...]) -> float:
    lengths = np.array(residual.lengths)
    kernel = _kernel(np.array([described]) / lengths, np.array(residual.points) / lengths)
    return float(np.exp((kernel @ np.array(residual.weights))[0]))


def learn(points: Numbers, left_over: Numbers) -> tuple[Residual, Numbers]:
    """The process from features [points, features] and ln(measured / physics) [points]; and what each point leaves
    over when it is left out."""
    lengths = np.full(points.shape[1], LENGTH)
    for _ in range(SWEEPS):
        for k in range(len(lengths)):
            tried = [np.where(np.arange(len(lengths)) == k, factor * lengths, lengths) for factor in FACTORS]
            errors = [float(np.abs(_left_out(points / each, left_over)[1]).mean()) for each in tried]
            lengths = tried[int(np.argmin(errors))]
    weights, outside = _left_out(points / lengths, left_over)
    rounded = tuple(tuple(round(x, 4) for x in row) for row in points.tolist())
    return Residual(tuple(lengths.tolist()), rounded, tuple(round(x, 5) for x in weights.tolist())), outside


def _left_out(scaled: Numbers, left_over: Numbers) -> tuple[Numbers, Numbers]:
    """The process's weights, and what points leave over when left out (Rasmussen and Williams 2006, 5.4)."""
    clipped = np.clip(left_over, -CLIP, CLIP)
    inverse = np.linalg.inv(_kernel(scaled, scaled) + NOISE**2 * np.eye(len(scaled)))
    weights = inverse @ clipped
    return weights, left_over - clipped + weights / np.diag(inverse)


def _kernel(a: Numbers, b: Numbers) -> Numbers:
    squares = ((a[:, None] - b[None]) ** 2).sum(axis=2)
    return np.asarray(AMPLITUDE**2 * np.exp(-squares / 2))
