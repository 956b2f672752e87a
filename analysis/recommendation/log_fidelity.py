"""Log fidelity: how far whole samples of a synthetic log are from the real ones: joint misses, bags, pages, one cache.

Every number but the two deviations is an error: 0 is perfect. Miss ratios and shares are fractions of 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ... import HotrowError
from ...tracegen.sharing.groups import shared_name, together
from ...tracegen.trace import TableLookups, Trace
from ..fidelity import cache_sizes
from ..miss_ratio import lru_curve
from ..reuse_distance import stack_distances
from ..stack.dense_ids import dense_ids
from .interleave import interleaved
from .shared_tables import SharedFeature, shared_features

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

FRACTIONS = (0.01, 0.03, 0.1, 0.3, 1.0)  # of a table's distinct rows: its LRU cache
PAGE_ROWS = 32


@dataclass(frozen=True)
class SampleMisses:
    """Misses per sample where every table has an LRU cache of `fraction` of its distinct rows (at 1: first lookups).

    distance: Kolmogorov, between the distributions over samples; perfect: share of samples without a miss; deviation:
    standard deviation of misses per sample; each pair is (real, synthetic).
    """

    fraction: float
    distance: float
    perfect: tuple[float, float]
    deviation: tuple[float, float]


@dataclass(frozen=True)
class TablePages:
    """A table's pages of `PAGE_ROWS` rows: LRU curves (real, synthetic) at `capacities` in pages; error: mean gap."""

    table: str
    error: float
    capacities: tuple[int, ...]
    curves: tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True)
class TableBags:
    """One table's bags. sizes: Kolmogorov distance of bag sizes; empty, duplicates, succession, company: (real,
    synthetic) share of empty bags, share of lookups whose row stood earlier in the bag, correlation of successive bag
    sizes, share of neighbours in a bag that have been neighbours in a bag before."""

    table: str
    sizes: float
    empty: tuple[float, float]
    duplicates: tuple[float, float]
    succession: tuple[float, float]
    company: tuple[float, float]


@dataclass(frozen=True)
class LogFidelity:
    """Errors of a whole synthetic log. shared: mean difference of the LRU curves of one cache for all tables, drawn at
    `capacities` as `shared_curves` (real, synthetic). features: of the tables that several share."""

    shared: float
    misses: tuple[SampleMisses, ...]
    pages: tuple[TablePages, ...]
    bags: tuple[TableBags, ...]
    capacities: tuple[int, ...]
    shared_curves: tuple[tuple[float, ...], tuple[float, ...]]
    features: tuple[SharedFeature, ...] = ()

    @property
    def miss_distance(self) -> float:
        """Kolmogorov distance of misses per sample, mean over cache sizes."""
        return float(np.mean([m.distance for m in self.misses]))

    @property
    def perfect_error(self) -> float:
        """Difference of perfect-hit rates, mean over cache sizes."""
        return float(np.mean([abs(m.perfect[0] - m.perfect[1]) for m in self.misses]))

    @property
    def page_error(self) -> float:
        """Difference of page curves, mean over sizes and tables."""
        return float(np.mean([p.error for p in self.pages])) if self.pages else 0.0


def log_fidelity(
    real: Trace, synthetic: Trace, threads: int | None = None, share: Sequence[Sequence[str]] = ()
) -> LogFidelity:
    """Errors of `synthetic`; tables are paired by name, by order where a name is missing.

    share: groups of features that look up one table: one cache, and pages, for all of them; bags are told apart.
    Raises HotrowError where the logs differ in their number of tables, one has no samples, or a group is none.
    """
    features = paired(real, synthetic)
    apart = (real, _renamed(features))
    real, synthetic = (together(trace, share) for trace in apart)
    pairs = paired(real, synthetic)
    if not real.samples or not synthetic.samples:
        raise HotrowError("nothing to compare: one of the two logs has no samples")
    streams = [interleaved(trace) for trace in (real, synthetic)]
    sizes = cache_sizes(len(np.unique(streams[0])))
    curves = [lru_curve(ids, threads).miss_ratio(sizes) for ids in streams]
    return LogFidelity(
        _gap(*curves),
        _misses(pairs, threads),
        tuple(_pages(a, b, threads) for a, b in pairs if a.accesses and b.accesses),
        tuple(_bags(a, b) for a, b in features if a.offsets is not None or b.offsets is not None),
        tuple(sizes.tolist()),
        (tuple(curves[0].tolist()), tuple(curves[1].tolist())),
        shared_features(*apart, share),
    )


def paired(real: Trace, synthetic: Trace) -> list[tuple[TableLookups, TableLookups]]:
    """Tables of both logs that belong together; HotrowError where their numbers differ."""
    if len(real.tables) != len(synthetic.tables):
        raise HotrowError(
            f"{len(real.tables)} tables against {len(synthetic.tables)}; both traces need the same tables"
        )
    names = {table.name: table for table in synthetic.tables}
    by_name = all(table.name in names for table in real.tables)
    return [(t, names[t.name] if by_name else synthetic.tables[k]) for k, t in enumerate(real.tables)]


def shared_pairs(
    real: Trace, synthetic: Trace, share: Sequence[Sequence[str]]
) -> list[tuple[TableLookups, TableLookups]]:
    """The tables of both logs that features share, all lookups of a group together."""
    both = [together(trace, share) for trace in (real, _renamed(paired(real, synthetic)))]
    return [(both[0].table(name), both[1].table(name)) for name in map(shared_name, share)]


def _renamed(pairs: Sequence[tuple[TableLookups, TableLookups]]) -> Trace:
    """The synthetic log's tables under the real ones' names."""
    return Trace(tuple(replace(synthetic, name=real.name) for real, synthetic in pairs))


def sample_misses(table: TableLookups, capacities: Sequence[int], threads: int | None = None) -> Ints:
    """Misses of every sample in LRU caches of `capacities` rows, cold at first, int64 [capacities, samples]."""
    distances = stack_distances(table.indices, threads)
    missed = [(distances < 0) | (distances >= capacity) for capacity in capacities]
    if table.offsets is None:
        return np.array(missed, np.int64)
    running = [np.concatenate(([0], np.cumsum(m))) for m in missed]
    return np.array([r[table.offsets[1:]] - r[table.offsets[:-1]] for r in running], np.int64)


def kolmogorov(real: Ints, synthetic: Ints) -> float:
    """Largest difference between the cumulated distributions of two samples of whole numbers ≥ 0."""
    top = int(max(real.max(), synthetic.max())) + 1
    shares = [np.cumsum(np.bincount(x, minlength=top)) / len(x) for x in (real, synthetic)]
    return float(np.abs(shares[0] - shares[1]).max())


def _misses(pairs: Sequence[tuple[TableLookups, TableLookups]], threads: int | None) -> tuple[SampleMisses, ...]:
    totals = [np.zeros((len(FRACTIONS), table.samples), np.int64) for table in pairs[0]]
    for pair in pairs:
        distinct = len(np.unique(pair[0].indices))
        capacities = [max(1, round(fraction * distinct)) for fraction in FRACTIONS]
        for total, table in zip(totals, pair, strict=True):
            total += sample_misses(table, capacities, threads)
    return tuple(
        SampleMisses(
            fraction,
            kolmogorov(a, b),
            (float((a == 0).mean()), float((b == 0).mean())),
            (float(a.std()), float(b.std())),
        )
        for fraction, a, b in zip(FRACTIONS, *totals, strict=True)
    )


def _pages(real: TableLookups, synthetic: TableLookups, threads: int | None) -> TablePages:
    pages = [table.indices.astype(np.int64) // PAGE_ROWS for table in (real, synthetic)]
    sizes = cache_sizes(len(np.unique(pages[0])))
    curves = [lru_curve(ids, threads).miss_ratio(sizes) for ids in pages]
    return TablePages(
        real.name,
        _gap(*curves),
        tuple(sizes.tolist()),
        (tuple(curves[0].tolist()), tuple(curves[1].tolist())),
    )


def _bags(real: TableLookups, synthetic: TableLookups) -> TableBags:
    both = (real, synthetic)
    sizes = [table.bag_sizes() for table in both]
    return TableBags(
        real.name,
        kolmogorov(*sizes),
        (float((sizes[0] == 0).mean()), float((sizes[1] == 0).mean())),
        (bag_duplicates(real), bag_duplicates(synthetic)),
        (_succession(sizes[0]), _succession(sizes[1])),
        (bag_company(real), bag_company(synthetic)),
    )


def bag_duplicates(table: TableLookups) -> float:
    """Share of lookups whose row stood earlier in the same bag."""
    if table.offsets is None or not table.accesses:
        return 0.0
    bag = np.repeat(np.arange(table.samples), table.bag_sizes())
    order = np.lexsort((table.indices, bag))
    same = (np.diff(bag[order]) == 0) & (np.diff(table.indices[order].astype(np.int64)) == 0)
    return float(np.count_nonzero(same) / table.accesses)


def bag_company(table: TableLookups) -> float:
    """Share of neighbours in a bag, in either order, that have stood side by side in an earlier place of the table."""
    if table.offsets is None or table.accesses < 2:
        return 0.0
    bag = np.repeat(np.arange(table.samples), table.bag_sizes())
    rows = dense_ids(table.indices)[0].astype(np.int64)
    inside = bag[1:] == bag[:-1]
    first, second = rows[:-1][inside], rows[1:][inside]
    pairs = np.minimum(first, second) * (int(rows.max()) + 1) + np.maximum(first, second)
    return 1 - len(np.unique(pairs)) / len(pairs) if len(pairs) else 0.0


def _succession(sizes: Ints) -> float:
    """Correlation of the sizes of bags that follow one another; 0 where it is not defined."""
    if len(sizes) < 3 or sizes[:-1].std() == 0 or sizes[1:].std() == 0:
        return 0.0
    return float(np.corrcoef(sizes[:-1], sizes[1:])[0, 1])


def _gap(a: Floats, b: Floats) -> float:
    return float(np.abs(a - b).mean())
