"""measure: a clocked table's exact statistics; what is released of them, with noise, is release.py's business."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import locality
from .clock import ClockedTable, place
from .fit import Released, fit_table
from .packed import Packed
from .profile import TableProfile, TraceProfile
from .samples.bags import FRACTION, bag_contents, size_steps
from .samples.coupling import Column, Coupling, fractions_for, joint_counts, table_order
from .samples.layout import page_reuse
from .samples.levels import thresholds
from .trace import Trace

Ints = NDArray[np.int64]

BUCKETS = 2**17
HOT_ROWS = 2048
HOT_COUNT = 96  # a row is hot from this count on
OF_BAGS = ("bags", "steps", "contents")  # statistics that a one-hot table has no use for
EXACT_WINDOW = 1024  # slots of an age window
ASSUMPTIONS = (
    "which row of one table goes with which of another is not kept, only how cold a sample's lookups are together",
    "rows are renumbered: no id is kept, and of what lies beside what only what the layout of a table says",
    "asked for fewer samples, it gives the beginning of a trace; for more, such traces one after another: popular rows "
    "stay, and as many rows are new to each as the last quarter of the log would bring",
)


@dataclass(frozen=True, eq=False)
class Measured:
    """A table's exact statistics before noise; windows are counted only once the hot buckets are known."""

    table: ClockedTable
    values: dict[str, Ints]
    bucket_of_row: Ints


def measure(table: ClockedTable, windows: int, key: int = 0) -> Measured:
    """All statistics but windows and contents, exact. key: of the hash that puts rows into buckets."""
    seen = locality.history(table, windows)
    small = np.bincount(np.minimum(seen.counts, locality.SMALL + 1), minlength=locality.SMALL + 2)[1:]
    excess = np.zeros(table.length // (locality.SMALL + 1) + 1, np.int64)
    above = np.sort(seen.counts[seen.counts > locality.SMALL + 1])[::-1] - (locality.SMALL + 1)
    excess[: len(above)] = above
    buckets, bucket_of_row = hashed(table, seen.counts, key)
    values = {
        "distinct": np.array([len(table.ids)]),
        "popularity": np.concatenate((small, excess)),
        "buckets": buckets,
        "spans": locality.span_table(seen, table.length),
        "births": locality.birth_table(seen, table.length),
        "reuse": seen.ages[:, :-1].sum(0),
        "ages": np.concatenate((seen.ages.ravel(), locality.death_table(seen, table.length, windows))),
        "pairs": seen.pairs,
        "bags": np.bincount(table.bag_sizes(), minlength=table.per_sample + 1),
        "pages": page_reuse(table),
        "steps": size_steps(table.bag_sizes(), table.per_sample),
    }
    return Measured(table, values, bucket_of_row)


def hot_buckets(counts: Ints, threshold: float) -> Ints:
    """Buckets of at least `threshold` accesses, most first, at most HOT_ROWS."""
    order = np.argsort(-counts, kind="stable")[:HOT_ROWS]
    return order[counts[order] >= threshold]


def hot_windows(measured: Measured, hot: Ints) -> Ints:
    """Accesses of the hot buckets per window, int64 [hot, SHAPE_WINDOWS]."""
    rank = np.full(len(measured.values["buckets"]), -1, np.int64)
    rank[hot] = np.arange(len(hot))
    return locality.activity(measured.table, rank[measured.bucket_of_row], len(hot))


def contents(table: ClockedTable, limit: int) -> Ints:
    """Bags by size and by lookups after more than `limit` slots, and for the first time: see bags.bag_contents."""
    return bag_contents(table.numbers, table.slots, max(1, len(table.ids)), table.samples, table.per_sample, limit)


def contents_limit(reuse: Ints, distinct: int, length: int) -> int:
    """The reuse time beyond which a lookup is cold in its bag, from released values."""
    return int(thresholds(reuse, distinct, locality.reuse_edges(length), (FRACTION,))[0])


def exact_profile(trace: Trace, name: str = "trace") -> TraceProfile:
    """All statistics without noise: NOT PRIVATE."""
    tables, clocks = [], []
    for table in trace.tables:
        longest = 1 if table.offsets is None else max(1, int(table.bag_sizes().max(initial=1)))
        clocked, _ = place(table, longest)
        measured = measure(clocked, exact_windows(clocked))
        clocks.append(clocked)
        noise = dict.fromkeys((*measured.values, "windows", "contents"), 0.0)
        tables.append(fit_table(released(clocked, exact(measured), noise), table.samples))
    source = "measured on the trace itself, without noise; NOT PRIVATE"
    coupling = None
    if len(clocks) > 1 and trace.samples:
        fractions = fractions_for([clock.per_sample for clock in clocks], trace.samples, 0.0)
        order = table_order([table.distinct for table in tables])
        limits = [limits_of(table, fractions) for table in tables]
        joints = joint_counts([column(clocks[k]) for k in order], [limits[k] for k in order])
        coupling = Coupling(order, Packed.of(np.array(limits)), tuple(Packed.of(j) for j in joints), 0.0)
    return TraceProfile(name, "exact", source, trace.samples, tuple(tables), ASSUMPTIONS, coupling=coupling)


def column(table: ClockedTable) -> Column:
    """The table as coupling sees it."""
    return Column(table.numbers, table.slots, max(1, len(table.ids)), table.samples, table.per_sample)


def limits_of(table: TableProfile, fractions: tuple[float, ...]) -> Ints:
    """Reuse times beyond which caches of `fractions` of the table's rows miss, as far as the profile knows."""
    if table.locality is None:
        return np.ones(len(fractions), np.int64)
    edges = locality.reuse_edges(table.locality.length)
    return thresholds(table.locality.reuse.array(), table.distinct, edges, fractions)


def exact(measured: Measured) -> dict[str, Ints]:
    """The statistics without noise: not private."""
    values, table = measured.values, measured.table
    values = {**values, "windows": hot_windows(measured, hot_buckets(values["buckets"], HOT_COUNT))}
    if table.one_hot:
        return {name: value for name, value in values.items() if name not in OF_BAGS}
    return {**values, "contents": contents(table, contents_limit(values["reuse"], len(table.ids), table.length))}


def exact_windows(table: ClockedTable) -> int:
    """Age windows of an exact profile."""
    return int(np.clip(table.length // EXACT_WINDOW, 1, 512))


def hashed(table: ClockedTable, counts: Ints, key: int) -> tuple[Ints, Ints]:
    """Accesses per bucket, and the bucket of every row: its id in a small table, else a keyed hash of it."""
    if table.declared <= BUCKETS:
        size, bucket = table.declared, table.ids
    else:
        size = BUCKETS
        mixed = table.ids.astype(np.uint64) ^ np.uint64(key)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):  # SplitMix64's finalizer
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        bucket = (mixed % np.uint64(size)).astype(np.int64)
    return np.bincount(bucket, weights=counts, minlength=size).astype(np.int64), bucket


def released(table: ClockedTable, values: dict[str, Ints], noise: dict[str, float]) -> Released:
    """Values, exact or noisy, with the table's public facts."""
    return Released(table.name, table.declared, table.samples, table.per_sample, table.one_hot, values, noise)
