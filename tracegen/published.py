"""Profiles from published aggregates: reuse histograms of many tables turned into tables one can draw from.

Published is only the sum over all tables of rows and lookups per reuse-count bin, rounded to three digits. What a
table by itself looks like, in what order rows come, and how large bags are is not; the assumptions that fill the gap
are constants here and stand in every profile made here.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from .. import HotrowError
from .popularity import spectrum
from .profile import TableProfile, TraceProfile, built_in, load

DEFAULT_TABLES = 8
TABLE_SPREAD = 1.0  # standard deviation of the logarithm of a table's share of all rows (assumed)
HALF_DIGIT = 0.0005  # published fractions are rounded to three digits


class PublishedReuse(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A published reuse histogram over `tables` tables and `samples` samples.

    rows[k], lookups[k]: fractions of touched rows and of lookups whose row was looked up (edges[k], edges[k+1]]
    times; the last bin is open.
    """

    name: str
    source: str
    licence: str
    tables: int
    samples: int
    lookups_total: int
    rows_total: int
    edges: tuple[int, ...]
    rows: tuple[float, ...]
    lookups: tuple[float, ...]


def published(name: str) -> PublishedReuse:
    """The built-in published histogram called `name`."""
    return msgspec.json.decode(
        (resources.files(__package__) / "profiles" / f"{name}.json").read_bytes(), type=PublishedReuse
    )


def load_profile(name_or_path: str | Path, tables: int = DEFAULT_TABLES, seed: int = 0) -> TraceProfile:
    """A profile from a file, or a built-in one by name; published histograms are scaled to `tables` of their tables.

    Raises HotrowError naming what exists when there is no such file or name.
    """
    if str(name_or_path) in built_in():
        file = resources.files(__package__) / "profiles" / f"{name_or_path}.json"
        released = b'"origin"' in file.read_bytes()  # a whole profile; published histograms have none yet
        with resources.as_file(file) as path:
            return load(path) if released else scale(published(str(name_or_path)), tables, seed)
    if not Path(name_or_path).exists():
        raise HotrowError(
            f"{name_or_path}: neither a profile file nor a built-in profile; built in are {', '.join(built_in())}"
        )
    return load(name_or_path)


def scale(histogram: PublishedReuse, tables: int = DEFAULT_TABLES, seed: int = 0) -> TraceProfile:
    """A profile of `tables` tables whose sum over tables has the published histogram.

    Rows and lookups scale with the number of tables, samples do not; lookups per row stay as published. With very
    few tables (one or two) a bin of hot rows can hold more than its share of lookups leaves room for; it is then empty.
    Raises HotrowError if `tables` is not in 1 … the published number.
    """
    if not 1 <= tables <= histogram.tables:
        raise HotrowError(f"{tables} tables of {histogram.name}; 1 to {histogram.tables} are possible")
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(tables,)))
    counts = _row_counts(histogram, tables / histogram.tables)
    shares = rng.lognormal(0.0, TABLE_SPREAD, tables)
    owner = rng.choice(tables, len(counts), p=shares / shares.sum())
    made = []
    for k in range(tables):
        own = counts[owner == k]
        sizes = rng.multinomial(int(own.sum()), np.full(histogram.samples, 1 / histogram.samples))
        made.append(TableProfile(f"t{k}", len(own), spectrum(own), spectrum(sizes)))
    return TraceProfile(
        name=histogram.name,
        origin="published",
        source=f"{histogram.source} ({histogram.licence}); {tables} of {histogram.tables} tables",
        samples=histogram.samples,
        tables=tuple(made),
        assumptions=(
            "temporal order is not published: draws are independent, so real locality is usually higher",
            f"the variation between tables is not published: shares of rows are log-normal with σ = {TABLE_SPREAD:g}, "
            "popularity alike",
            "bag sizes are not published: lookups fall on samples at random, so bag sizes are near Poisson",
            "rows that nobody looked up are not published: declared rows are the touched ones",
            f"the open last bin ends at one lookup per sample ({histogram.samples})",
            "within a bin, lookups per row follow a power law with the bin's published mean",
        ),
    )


def _row_counts(histogram: PublishedReuse, fraction: float) -> NDArray[np.int64]:
    """Lookups of every row for a `fraction` of the published tables, so that every bin holds its published share."""
    rows, lookups = _reconciled(histogram)
    total_rows = histogram.rows_total * fraction
    total_lookups = histogram.lookups_total * fraction
    last = max(histogram.samples, histogram.edges[-1] + 1)
    bounds = [*histogram.edges, last]
    parts = []
    for k in range(len(rows)):
        n, target = round(rows[k] * total_rows), round(lookups[k] * total_lookups)
        low, high = bounds[k] + 1, bounds[k + 1]
        n = min(max(n, -(-target // high)), target // low)  # few hot rows: their number follows their lookups
        parts.append(_bin_counts(n, min(max(target, n * low), n * high), low, high))
    return np.concatenate(parts)


def _reconciled(histogram: PublishedReuse) -> tuple[NDArray[Any], NDArray[Any]]:
    """The fractions nearest the rounded ones (least sum of deviations) that can be true together.

    Each bin's mean lookups per row must lie in its bin, both sums must be 1, and no fraction may leave its rounding.
    """
    from scipy.optimize import linprog

    bins = len(histogram.rows)
    per_row = histogram.rows_total / histogram.lookups_total
    bounds = np.array([*histogram.edges, max(histogram.samples, histogram.edges[-1] + 1)], float)
    given = np.concatenate((histogram.rows, histogram.lookups))
    # variables: rows [bins], lookups [bins], deviations [2 bins]
    eye = np.eye(2 * bins)
    inside = np.zeros((2 * bins, 4 * bins))
    for k in range(bins):
        inside[k, k], inside[k, bins + k] = (bounds[k] + 1) * per_row, -1
        inside[bins + k, k], inside[bins + k, bins + k] = -bounds[k + 1] * per_row, 1
    deviation = np.vstack((np.hstack((eye, -eye)), np.hstack((-eye, -eye))))
    sums = np.zeros((2, 4 * bins))
    sums[0, :bins] = sums[1, bins : 2 * bins] = 1
    limits = [(max(g - HALF_DIGIT, 0), g + HALF_DIGIT) for g in given] + [(0, None)] * (2 * bins)
    solved = linprog(
        np.concatenate((np.zeros(2 * bins), np.ones(2 * bins))),
        A_ub=np.vstack((inside, deviation)),
        b_ub=np.concatenate((np.zeros(2 * bins), given, -given)),
        A_eq=sums,
        b_eq=[1, 1],
        bounds=limits,
    )
    if not solved.success:
        raise HotrowError(f"{histogram.name}: the published fractions contradict each other ({solved.message})")
    return solved.x[:bins], solved.x[bins : 2 * bins]


def _bin_counts(n: int, total: int, low: int, high: int) -> NDArray[np.int64]:
    """n integers in low … high that sum to `total`, spread as a power law with that mean."""
    if n == 0:
        return np.zeros(0, np.int64)
    values = np.arange(low, high + 1)
    law = _power_law(values, total / n)
    counts = values[np.searchsorted(np.cumsum(law), (np.arange(n) + 0.5) / n * law.sum())]
    return _nudged(counts.astype(np.int64), total, low, high)


def _power_law(values: NDArray[Any], mean: float) -> NDArray[Any]:
    """Weights ∝ value^−s on `values` with the given mean."""
    from scipy.optimize import brentq

    logs = np.log(values)

    def weights(s: float) -> NDArray[Any]:
        w = np.exp(-s * (logs - logs[0 if s > 0 else -1]))
        return np.asarray(w / w.sum())

    def gap(s: float) -> float:
        return float(weights(s) @ values) - mean

    if gap(60.0) >= 0 or gap(-60.0) <= 0:
        return weights(60.0 if gap(60.0) >= 0 else -60.0)
    return weights(float(brentq(gap, -60.0, 60.0)))


def _nudged(counts: NDArray[np.int64], total: int, low: int, high: int) -> NDArray[np.int64]:
    """Move counts by steps towards low or high until they sum to `total`."""
    gap = total - int(counts.sum())
    room = high - counts if gap > 0 else counts - low
    reach = np.cumsum(room)
    moved = np.diff(np.minimum(reach, abs(gap)), prepend=0)
    return counts + moved if gap > 0 else counts - moved
