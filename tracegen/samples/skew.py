"""Skew: a Zipf–Mandelbrot law of popularity, fitted to published FIFO hit rates where no log is public.

p(k) ∝ (k + shift)^−exponent for the k-th most popular row. Lookups are independent draws (the independent reference
model), for which a FIFO cache holds row k a share p_k T / (1 + p_k T) of the time, with T such that the shares sum to
its capacity (Dan and Towsley, SIGMETRICS 1990; Fricker, Robert and Roberts, ITC 2012).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..fit import to_total

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

GROUPS = 2000  # rows of one law are lumped into so many groups of like probability


class Law(NamedTuple):
    """exponent, shift: of the Zipf–Mandelbrot law."""

    exponent: float
    shift: float


class Lumped(NamedTuple):
    """Groups of rows alike: probability of one row, and rows in the group."""

    probability: Floats
    rows: Floats


def lumped(rows: int, law: Law, share: float = 1.0) -> Lumped:
    """A table of `rows` rows in groups, its probabilities summing to `share`."""
    edges = np.unique(np.round(np.geomspace(1, rows + 1, min(rows, GROUPS) + 1)).astype(np.int64))
    width = np.diff(edges).astype(np.float64)
    weight = (np.sqrt(edges[:-1] * (edges[1:] - 1.0)) + law.shift) ** -law.exponent
    return Lumped(share * weight / (weight @ width), width)


def fifo_hit_rates(tables: Sequence[Lumped], capacities: Floats) -> Floats:
    """Hit rates of one FIFO cache for all tables, whose probabilities sum to 1; capacities in rows."""
    p = np.concatenate([t.probability for t in tables])
    rows = np.concatenate([t.rows for t in tables])
    rates = np.zeros(len(capacities))
    for k, capacity in enumerate(capacities):
        low, high = -20.0, 60.0  # logarithm of T
        for _ in range(80):
            middle = (low + high) / 2
            held = p * np.exp(middle) / (1 + p * np.exp(middle))
            low, high = (middle, high) if held @ rows < capacity else (low, middle)
        rates[k] = (p * held) @ rows if capacity > 0 else 0.0
    return rates


def fit_law(rows: Sequence[int], capacities: Floats, rates: Floats) -> tuple[Law, float]:
    """The law, the same for all tables, nearest to published FIFO hit rates; and its mean absolute error.

    rows: of the tables, each of which takes the same share of lookups.
    """
    from scipy.optimize import minimize

    def error(parameters: Floats) -> float:
        law = Law(float(parameters[0]), float(np.exp(parameters[1])))
        tables = [lumped(n, law, 1 / len(rows)) for n in rows]
        return float(np.abs(fifo_hit_rates(tables, capacities) - rates).mean())

    found = min(
        (minimize(error, start, method="Nelder-Mead", options={"maxiter": 120}) for start in ([1.0, 0.0], [1.2, 3.0])),
        key=lambda result: float(result.fun),
    )
    return Law(round(float(found.x[0]), 4), round(float(np.exp(found.x[1])), 4)), float(found.fun)


def counts_of(rows: int, law: Law, lookups: int) -> Ints:
    """Lookups of every row that `lookups` independent draws are expected to touch, most first; they sum to `lookups`.

    Rows of a group are spread over their Poisson distribution's quantiles.
    """
    from scipy.stats import poisson

    groups = lumped(rows, law)
    parts = []
    for p, n in zip(groups.probability, groups.rows.astype(np.int64), strict=True):
        mean = p * lookups
        if mean > 1000:
            parts.append(np.full(n, round(mean)))
            continue
        top = int(poisson.isf(1e-9, mean)) + 1
        reached = np.round(n * poisson.cdf(np.arange(top + 1), mean))  # rows with at most so many lookups
        parts.append(np.repeat(np.arange(top + 1), np.diff(reached, prepend=0).astype(np.int64)))
    counts = np.concatenate(parts).astype(np.float64)
    counts = np.sort(counts[counts > 0])[::-1]
    return to_total(counts, lookups, min(max(len(counts), 1), lookups, rows))
