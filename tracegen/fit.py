"""fit: noisy statistics → a consistent table profile. Post-processing: no privacy is spent, no data is seen."""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from .clock import Clock
from .locality import SHAPE_WINDOWS, SMALL, reuse_edges
from .packed import Packed
from .popularity import Spectrum, spectrum
from .profile import FeatureProfile, TableLocality, TableProfile, Variant
from .samples.levels import grades

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

CERTAIN = 3.0  # noise deviations above which a head row is there beyond doubt
SURE = 0.5  # deviations beyond what the largest of so much noise reaches


@dataclass(frozen=True, eq=False)
class Released:
    """One table's released values and public facts; noise: standard deviation per statistic, 0 where exact."""

    clock: Clock
    declared: int
    values: dict[str, Ints]
    noise: dict[str, float]


def fit_table(released: Released, filled: int) -> TableProfile:
    """A table profile whose counts, bags and samples agree; `filled` samples are not empty.

    Its windows and contents are still empty: see completed.
    """
    clock = released.clock
    bags = None if clock.one_hot or clock.features else _bags(released.values["bags"], clock.samples, filled)
    features = _features(released, filled)
    accesses = filled if bags is None else int(np.arange(len(bags)) @ bags)
    if features:
        accesses = sum(feature.accesses for feature in features)
    counts = fit_counts(
        released.values["popularity"],
        int(released.values["distinct"][0]),
        accesses,
        released.declared,
        released.noise["popularity"],
    )
    values = released.values
    bins = len(reuse_edges(clock.length)) - 1
    windows = len(values["ages"]) // (bins + 2)  # ages and, behind them, one number of deaths per window
    ages = values["ages"][: windows * (bins + 1)].reshape(windows, bins + 1)
    locality = TableLocality(
        samples=clock.samples,
        per_sample=clock.per_sample,
        reuse=Packed.of(values["reuse"]),
        ages=Packed.of(ages),
        deaths=Packed.of(values["ages"][windows * (bins + 1) :]),
        spans=Packed.of(values["spans"]),
        births=Packed.of(values["births"]),
        pairs=Packed.of(values["pairs"]),
        windows=Packed.of(np.zeros((0, SHAPE_WINDOWS), np.int64)),
        noise=released.noise,
        steps=Packed.of(values["steps"]) if bags is not None else None,
        **{name: Packed.of(values[name]) for name in ("pages", "kin", "repeats") if name in values},
    )
    return TableProfile(
        clock.name,
        released.declared,
        spectrum(counts),
        None if bags is None else _sizes(bags),
        locality if accesses else None,
        Variant("renewal") if accesses else Variant(),
        features=features,
    )


def completed(table: TableProfile, values: dict[str, Ints], noise: dict[str, float]) -> TableProfile:
    """The table with released values that were counted by what it says: windows, and of bags contents."""
    if table.locality is None:
        return table
    known = {name: Packed.of(value) for name, value in values.items()}
    locality = msgspec.structs.replace(table.locality, noise={**table.locality.noise, **noise}, **known)
    return msgspec.structs.replace(table, locality=locality)


def _features(released: Released, filled: int) -> tuple[FeatureProfile, ...]:
    """The features that share the table, with their bag sizes; none where it has one alone."""
    bags, steps, made = 0, 0, []
    for f in released.clock.features:
        sizes, following = np.array([0, filled]), None
        if not f.one_hot:
            sizes = _bags(released.values["bags"][bags : bags + f.per_sample + 1], released.clock.samples, filled)
            cells = grades(1, f.per_sample, False).cells  # of bags.size_steps
            following = Packed.of(released.values["steps"].ravel()[steps : steps + cells**2].reshape(cells, cells))
            bags, steps = bags + f.per_sample + 1, steps + cells**2
        made.append(FeatureProfile(f.name, f.column, f.per_sample, f.one_hot, _sizes(sizes), following))
    return tuple(made)


def _sizes(bags: Ints) -> Spectrum:
    return tuple((int(s), int(n)) for s, n in enumerate(bags) if n > 0)


def _bags(bags: Ints, samples: int, filled: int) -> Ints:
    """Samples per bag size, non-negative, summing to `filled` once the emptied samples are taken off."""
    sizes = simplex(bags.astype(np.float64), samples)
    sizes[0] = max(0.0, sizes[0] - (samples - filled))
    return rounded(sizes / max(sizes.sum(), 1e-9) * filled) if sizes.sum() > 0 else rounded(_only_empty(sizes, filled))


def _only_empty(sizes: Floats, filled: int) -> Floats:
    empty = np.zeros_like(sizes)
    empty[0] = filled
    return empty


def fit_counts(popularity: Ints, distinct: int, accesses: int, declared: int, noise: float) -> Ints:
    """Lookups of every row, most first, summing to `accesses`, from the released popularity statistic.

    Noisy values: rows per count are projected on the simplex of `distinct` rows and made unimodal, the head is made
    monotone, and the smallest change (least squares) makes the lookups add up.
    """
    if accesses <= 0:
        return np.zeros(0, np.int64)
    small, above = popularity[:SMALL].astype(np.float64), float(popularity[SMALL])
    excess = popularity[SMALL + 1 :].astype(np.float64)
    if noise <= 0:
        head = excess[: int(above)] + SMALL + 1
        return np.concatenate((head, np.repeat(np.arange(SMALL, 0, -1), small[::-1].astype(np.int64)))).astype(np.int64)
    level = falling(excess)
    certain = int(np.count_nonzero(level > CERTAIN * noise))
    rows = min(max(1, distinct, certain), accesses, declared)
    shares = simplex(np.append(small, above), rows)
    heads = min(max(round(shares[-1]), certain), len(excess), rows)
    small = simplex(shares[:-1], rows - heads)
    head = np.maximum(level[:heads], 0.0)
    small = _balanced(denoised(small, noise), rows - heads, accesses - (SMALL + 1) * heads - head.sum())
    values = np.concatenate((head + SMALL + 1, np.repeat(np.arange(SMALL, 0, -1), rounded(small)[::-1])))
    return to_total(values.astype(np.float64), accesses, rows)


def denoised(small: Floats, noise: float) -> Floats:
    """The nearest sequence of one hump, and on it whatever stands so far out of the noise that there must be more."""
    top = int(np.argmax(small))
    hump = np.append(falling(small[:top][::-1])[::-1], falling(small[top:]))
    return np.asarray(hump + haar_threshold(small - hump, noise), np.float64)


def haar_threshold(values: Floats, noise: float) -> Floats:
    """The series without the Haar details that noise could make (Donoho 1994; the threshold is for Laplace noise)."""
    size = 1 << max(0, (len(values) - 1).bit_length())
    level = np.append(values, np.full(size - len(values), values.mean()))
    threshold = noise * (np.log(size) / math.sqrt(2) + SURE)  # n Laplace variables reach ln(n) / √2 deviations
    details = []
    while len(level) > 1:
        details.append((level[::2] - level[1::2]) / np.sqrt(2))
        level = (level[::2] + level[1::2]) / np.sqrt(2)
    for detail in reversed(details):
        kept = np.where(np.abs(detail) > threshold, detail, 0.0)
        level = np.column_stack((level + kept, level - kept)).ravel() / np.sqrt(2)
    return level[: len(values)]


def _balanced(small: Floats, rows: int, lookups: float) -> Floats:
    """Rows per small count: not negative, nearest to `small` with the given sums of rows and lookups."""
    k = np.arange(1, SMALL + 1, dtype=np.float64)
    moments = np.array([[k @ k, k.sum()], [k.sum(), float(SMALL)]])
    for _ in range(12):
        small = np.maximum(small, 0)
        by_count, level = np.linalg.solve(moments, [lookups - k @ small, rows - small.sum()])
        small = small + by_count * k + level
    positive: Floats = np.maximum(small, 0)
    return positive


def to_total(counts: Floats, total: int, rows: int) -> Ints:
    """Integer counts ≥ 1 of exactly `rows` rows that sum to `total`, nearest in proportion to `counts` − 1."""
    counts = np.sort(np.resize(counts, rows) if len(counts) < rows else counts)[::-1][:rows]
    extra = np.maximum(counts - 1, 0)
    if extra.sum() <= 0:
        extra = np.ones(rows)
    steps = np.round(np.cumsum(extra) * ((total - rows) / extra.sum()))
    steps[-1] = total - rows
    return np.sort(1 + np.diff(steps, prepend=0).astype(np.int64))[::-1]


def simplex(values: Floats, total: float) -> Floats:
    """The nearest point (Euclidean) that is not negative and sums to `total` (Held, Wolfe and Crowder 1974)."""
    if total <= 0:
        return np.zeros_like(values)
    falling_values = np.sort(values)[::-1]
    gaps = np.cumsum(falling_values) - total
    last = int(np.flatnonzero(falling_values - gaps / np.arange(1, len(values) + 1) > 0)[-1])
    nearest: Floats = np.maximum(values - gaps[last] / (last + 1), 0)
    return nearest


def falling(values: Floats) -> Floats:
    """The nearest sequence that never rises (pool adjacent violators)."""
    levels: list[float] = []
    widths: list[int] = []
    for value in values:
        level, width = float(value), 1
        while levels and levels[-1] < level:
            level = (levels[-1] * widths[-1] + level * width) / (widths[-1] + width)
            width += widths.pop()
            levels.pop()
        levels.append(level)
        widths.append(width)
    return np.repeat(levels, widths) if levels else np.zeros(0)


def rounded(values: Floats) -> Ints:
    """Integers whose running sums are the rounded running sums: the total is kept to the nearest integer."""
    return np.diff(np.round(np.cumsum(values)), prepend=0).astype(np.int64)
