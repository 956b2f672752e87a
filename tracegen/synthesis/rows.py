"""Rows of a synthetic table: each gets its count, its span, its birth and, if hot, its windows. No data is seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..fit import simplex
from ..locality import SHAPE_WINDOWS, birth_class, count_class, span_edges
from ..popularity import expand
from ..profile import TableLocality, TableProfile, Variant

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

NEIGHBOUR_TRUST = 0.7  # a class's posterior counts this much less as a prior of the class beside it
CLASS_SPREAD = 0.01  # typical deviation of a span probability from its prior; sets how far noisy cells are trusted
TRIES = 8  # draws of a span until one lies in its cell; rows of few lookups seldom do, and take any place in it
SURE_CLASSES = 6  # classes of few lookups hold many rows: their data decides alone


@dataclass(frozen=True, eq=False)
class Rows:
    """counts: int64 [rows], most first; births, spans: slots, float64 [rows]; activity: planned lookups of the first
    rows per window of the clock, float64 [hot rows, SHAPE_WINDOWS], rows summing to their counts."""

    counts: Ints
    births: Floats
    spans: Floats
    activity: Floats


def draw_rows(table: TableProfile, locality: TableLocality, variant: Variant, rng: np.random.Generator) -> Rows:
    """Counts as fitted; spans given counts, births given both, drawn with low variance; hot rows by their windows."""
    counts = expand(table.counts)
    length = locality.length
    activity = plan_activity(locality, counts) if variant.windows else np.zeros((0, SHAPE_WINDOWS))
    spans = _draw_spans(counts, locality, variant.spans, rng)
    births = _draw_births(counts, spans, locality, rng)
    hot = len(activity)
    if hot:
        alive = activity > 0
        first = alive.argmax(1)
        waited = rng.exponential(1 / np.maximum(activity[np.arange(hot), first], 1))  # windows until the first lookup
        births[:hot] = (first + np.minimum(waited, 1)) * length / SHAPE_WINDOWS
        active = alive.sum(1) * length / SHAPE_WINDOWS * (1 - 1 / (counts[:hot] + 1))
        spans[:hot] = np.clip(active, counts[:hot] - 1, length - 1)
    return Rows(counts, births, spans, activity)


def plan_activity(locality: TableLocality, counts: Ints) -> Floats:
    """Hot rows' lookups per window, matched to counts by rank; noisy ones shrunk towards an even plan (James–Stein)."""
    released = locality.windows.array().astype(np.float64)[: len(counts)]
    if not len(released):
        return np.zeros((0, SHAPE_WINDOWS))
    released = released[np.argsort(-released.sum(1), kind="stable")]
    totals = counts[: len(released)].astype(np.float64)
    noise = locality.noise["windows"]
    plan = np.empty_like(released)
    for k, (row, total) in enumerate(zip(released, totals, strict=True)):
        own = simplex(row, total)
        if noise > 0:
            even = total / SHAPE_WINDOWS
            surprise = float(((row - even) ** 2).sum())
            own = even + (own - even) * max(0.0, 1 - (SHAPE_WINDOWS - 2) * noise**2 / max(surprise, 1e-9))
        plan[k] = own
    return plan


def _draw_spans(counts: Ints, locality: TableLocality, trust: str, rng: np.random.Generator) -> Floats:
    length = locality.length
    edges = span_edges(length)
    classes = count_class(counts)
    again = counts > 1
    table = locality.spans.array().astype(np.float64)
    rows = np.bincount(classes[again], minlength=len(table)).astype(np.float64)
    law = span_law(table, rows, locality.noise["spans"], edges, trust)
    spans = np.zeros(len(counts))
    for k in np.unique(classes[again]):
        mine = np.flatnonzero((classes == k) & again)
        cell = _low_variance(law[k], len(mine), rng)
        low, high = edges[cell].astype(np.float64), edges[cell + 1].astype(np.float64)
        u = rng.random(len(mine))
        spans[mine] = np.where(low < length / 8, low * (high / low) ** u, low + (high - low) * u)
        whole = mine[cell == len(edges) - 2]
        spans[whole] = _nearly_all(counts[whole], edges[-2], length, rng)
    return np.where(again, np.clip(np.floor(spans), counts - 1, max(length - 1, 0)), 0.0)


def _nearly_all(counts: Ints, least: int, length: int, rng: np.random.Generator) -> Floats:
    """Spans of rows that live as long as the clock: those of uniform points, Beta(c − 1, 2), from `least` on.

    A row of many lookups comes at once; drawn evenly from the last cell it would come later than many rare rows.
    """
    spans = least + (length - least) * rng.random(len(counts))
    left = np.arange(len(counts))
    for _ in range(TRIES):
        drawn = rng.beta(counts[left] - 1, 2) * length
        fits = drawn >= least
        spans[left[fits]] = drawn[fits]
        left = left[~fits]
    return spans


def span_law(table: Floats, rows: Floats, noise: float, edges: Ints, trust: str) -> Floats:
    """Distribution of spans per count class [classes, bins]; table: released rows per cell; rows: of every class.

    trust: raw takes the noisy table as it is; prior takes independent draws' spans; mixed weighs, class by class and
    outwards from the fullest, the data against the class beside it and the prior (positive-part James–Stein).
    """
    prior = _independent_spans(len(table), edges)
    if noise <= 0 or trust == "raw":
        sums = table.sum(1, keepdims=True) if noise <= 0 else rows[:, None]
        kept = table if noise <= 0 else np.array([simplex(t, n) for t, n in zip(table, rows, strict=True)])
        return np.where(sums > 0, kept / np.maximum(kept.sum(1, keepdims=True), 1e-9), prior)
    if trust == "prior":
        return prior
    law = np.zeros_like(table)
    confidence = np.zeros(len(table))
    for k, beside in _outwards(int(np.argmax(rows)), len(table)):
        borrowed = confidence[beside] if beside >= 0 else 0.0
        start = borrowed * law[beside] + (1 - borrowed) * prior[k] if beside >= 0 else prior[k]
        weight = 0.0
        if rows[k] > 0:
            own = simplex(table[k], rows[k]) / rows[k]
            expected = table.shape[1] * (noise / rows[k]) ** 2
            weight = max(0.0, 1 - expected / max(float(((table[k] / rows[k] - start) ** 2).sum()), 1e-30))
            if k >= SURE_CLASSES:
                weight = min(weight, CLASS_SPREAD**2 / (CLASS_SPREAD**2 + (noise / rows[k]) ** 2))
            start = weight * own + (1 - weight) * start
        law[k] = start
        confidence[k] = weight + (1 - weight) * borrowed * NEIGHBOUR_TRUST
    return law


def _outwards(start: int, classes: int) -> list[tuple[int, int]]:
    """(class, the neighbour already visited) from `start` to both ends."""
    up = [(k, k - 1) for k in range(start + 1, classes)]
    return [(start, -1), *up, *((k, k + 1) for k in range(start - 1, -1, -1))]


def _independent_spans(classes: int, edges: Ints) -> Floats:
    """Spans of c uniform points on the clock: P(span ≤ s) = c s^(c−1) − (c−1) s^c."""
    k = np.arange(classes)
    typical = np.where(k < 4, k + 1.0, 1.4 * 2.0 ** np.maximum(k - 2, 0))[:, None]
    s = edges[None] / edges[-1]
    cells = np.maximum(np.diff(typical * s ** (typical - 1) - (typical - 1) * s**typical, axis=1), 1e-12)
    law: Floats = cells / cells.sum(1, keepdims=True)
    return law


def _draw_births(counts: Ints, spans: Floats, locality: TableLocality, rng: np.random.Generator) -> Floats:
    length = locality.length
    classes = birth_class(counts, spans.astype(np.int64), length)
    table = locality.births.array().astype(np.float64)
    noise = locality.noise["births"]
    place = np.zeros(len(counts))
    even = np.full(SHAPE_WINDOWS, 1 / SHAPE_WINDOWS)
    for k in np.unique(classes):
        mine = np.flatnonzero(classes == k)
        own = simplex(table[k], len(mine)) / len(mine) if noise > 0 else table[k] / max(table[k].sum(), 1)
        if noise > 0:
            expected = SHAPE_WINDOWS * (noise / len(mine)) ** 2
            weight = max(0.0, 1 - expected / max(float(((table[k] / len(mine) - even) ** 2).sum()), 1e-30))
            own = weight * own + (1 - weight) * even
        cell = _low_variance(own if own.sum() > 0 else even, len(mine), rng)
        place[mine] = (cell + rng.random(len(mine))) / SHAPE_WINDOWS
    return np.floor(place * (length - spans))


def _low_variance(law: Floats, draws: int, rng: np.random.Generator) -> Ints:
    """Cells drawn by systematic sampling, in random order."""
    cumulated = np.cumsum(law) / law.sum()
    points = (np.arange(draws) + rng.random(draws)) / draws
    rng.shuffle(points)
    return np.minimum(np.searchsorted(cumulated, points, "right"), len(law) - 1)
