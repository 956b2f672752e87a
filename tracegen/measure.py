"""measure: a log's exact statistics, part by part; what is released of them, with noise, is release.py's business.

Everything is a sum over lookups, samples or rows, so that memory grows with the rows and not with the log. It is read
twice: windows and contents need to be told what is hot and what is cold, from the statistics of the first reading.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .. import HotrowError
from . import locality
from .clock import Clock, Keeping, Placed, place_on
from .fit import Released, completed, fit_table
from .packed import Packed
from .profile import TableProfile, TraceProfile
from .samples.bags import FRACTION, bag_contents, size_steps
from .samples.coupling import Column, Coupling, fractions_for, joint_counts, table_order
from .samples.kin import UNSEEN, kin_table, note_births, repeat_table
from .samples.layout import PAGE_ROWS
from .samples.levels import thresholds
from .scale.log import Log
from .scale.numbering import Numbering, grown
from .sharing.owners import Owning
from .trace import Trace

Ints = NDArray[np.int64]

BUCKETS = 2**17
HOT_ROWS = 2048
HOT_COUNT = 96  # a row is hot from this count on
OF_BAGS = ("bags", "steps")  # statistics that need bags
OF_CONTENTS = ("kin", "repeats", "contents")  # that need bags of one feature
OF_SHARING = ("owners", "mixes", "passes")  # that need features that share a table
EXACT_WINDOW = 1024  # slots of an age window
ASSUMPTIONS = (
    "which row of one table goes with which of another is not kept, only how cold a sample's lookups are together",
    "rows are renumbered: no id is kept, and of what lies beside what only what the layout of a table says; of what "
    "stands together in a bag only chains of rows that are new together and looked up equally often",
    "asked for fewer samples, it gives the beginning of a trace; for more, such traces one after another: popular rows "
    "stay, and as many rows are new to each as the last quarter of the log would bring",
)


@dataclass(frozen=True, eq=False)
class Measured:
    """A table's exact statistics of the first reading, before noise, and what the second needs of its rows."""

    clock: Clock
    declared: int
    values: dict[str, Ints]
    rows: Numbering
    bucket_of_row: Ints


class Measuring:
    """The first reading of a table: all statistics but windows and contents."""

    def __init__(self, clock: Clock, windows: int) -> None:
        self.clock = clock
        self.cut = 0
        self._windows = windows
        self._declared = 0
        self._rows, self._pages = Numbering(), Numbering()
        self._past = locality.Past(clock.length, windows)
        self._page_of_row = np.zeros(0, np.int64)
        self._page_reuse = locality.Reuse(clock.length)
        self._sizes = [_Sizes(most) for most in clock.bags]
        self._after = np.zeros(0, np.int64)
        self._repeats = repeat_table(self._after, self._after, 0, clock.per_sample, 0)

    def add(self, part: Placed) -> None:
        """The next samples."""
        before = self._rows.size
        numbers = self._rows.number(part.ids)
        rows = self._rows.size
        self._page_of_row = grown(self._page_of_row, rows)
        self._page_of_row[before:rows] = self._pages.number(self._rows.ids[before:] // PAGE_ROWS)
        self._past.add(numbers, part.slots, rows)
        self._page_reuse.add(self._page_of_row[numbers], part.slots, self._pages.size)
        self._declared = max(self._declared, part.declared)
        self.cut += part.cut
        for bags, sizes in zip(self._sizes, part.bag_sizes(self.clock), strict=True):
            bags.add(sizes)
        if has_statistic(self.clock, "kin"):
            self._add_kin(numbers, part, before)

    def _add_kin(self, numbers: Ints, part: Placed, before: int) -> None:
        rows, most = self._rows.size, self.clock.per_sample
        self._after = grown(self._after, rows)
        self._after[before:rows] = UNSEEN
        note_births(numbers, part.slots, most, self._after)
        self._repeats += repeat_table(numbers, part.slots - part.before * most, part.samples, most, rows)

    def measured(self, key: int = 0) -> Measured:
        """What was found, exact. key: of the hash that puts rows into buckets."""
        length = self.clock.length
        seen = self._past.history()
        small = np.bincount(np.minimum(seen.counts, locality.SMALL + 1), minlength=locality.SMALL + 2)[1:]
        excess = np.zeros(length // (locality.SMALL + 1) + 1, np.int64)
        above = np.sort(seen.counts[seen.counts > locality.SMALL + 1])[::-1] - (locality.SMALL + 1)
        excess[: len(above)] = above
        buckets, bucket_of_row = hashed(self._rows.ids, seen.counts, self._declared, key)
        values = {
            "distinct": np.array([self._rows.size]),
            "popularity": np.concatenate((small, excess)),
            "buckets": buckets,
            "spans": locality.span_table(seen, length),
            "births": locality.birth_table(seen, length),
            "reuse": seen.ages[:, :-1].sum(0),
            "ages": np.concatenate((seen.ages.ravel(), locality.death_table(seen, length, self._windows))),
            "pairs": seen.pairs,
            "pages": self._page_reuse.found,
        }
        if self._sizes:
            values |= {name: _in_one([getattr(bags, name) for bags in self._sizes]) for name in OF_BAGS}
        if has_statistic(self.clock, "kin"):
            values |= {"kin": kin_table(seen.counts, self._after[: self._rows.size]), "repeats": self._repeats}
        return Measured(self.clock, self._declared, values, self._rows, bucket_of_row)


class _Sizes:
    """Bags of at most `most` lookups by their size, and which size follows which."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._before = np.zeros(0, np.int64)
        self.bags = np.zeros(most + 1, np.int64)
        self.steps = size_steps(self._before, most)

    def add(self, sizes: Ints) -> None:
        self.bags += np.bincount(sizes, minlength=len(self.bags))
        self.steps += size_steps(np.concatenate((self._before, sizes)), self._most)
        self._before = sizes[-1:] if len(sizes) else self._before


def _in_one(values: Sequence[Ints]) -> Ints:
    """A table's statistic; of features that share it all of theirs, one behind the other."""
    return values[0] if len(values) == 1 else np.concatenate([value.ravel() for value in values])


def has_statistic(clock: Clock, name: str) -> bool:
    """Whether a table has use for the statistic called `name`; public facts alone decide."""
    if name in OF_BAGS:
        return len(clock.bags) > 0
    if name in OF_CONTENTS:
        return len(clock.bags) > 0 and not clock.features
    return name not in OF_SHARING or len(clock.features) > 0


@dataclass(frozen=True, eq=False)
class Asked:
    """What the second reading is told, from the released values of the first. hot: buckets; limit: the reuse time
    beyond which a lookup is cold in its bag; limits: those of the coupling, none where there is none."""

    hot: Ints
    limit: int
    limits: Ints


class Second:
    """The second reading of a table: windows, contents, what its features own, and its column of joint counts."""

    def __init__(self, measured: Measured, asked: Asked) -> None:
        self.clock, self.limits = measured.clock, asked.limits
        self._rows, self._limit = measured.rows, asked.limit
        rank = np.full(len(measured.values["buckets"]), -1, np.int64)
        rank[asked.hot] = np.arange(len(asked.hot))
        self._group = rank[measured.bucket_of_row]
        self._windows = np.zeros((len(asked.hot), locality.SHAPE_WINDOWS), np.int64)
        self._contents: Ints | None = None
        rows = measured.rows.size
        self._cold = np.zeros(rows if has_statistic(self.clock, "contents") else 0, np.int64)
        self._owning = Owning(self.clock, self._group, len(asked.hot)) if self.clock.features else None
        self._coupled = np.zeros(rows if len(asked.limits) else 0, np.int64)

    def add(self, part: Placed) -> Column:
        """The next samples; what coupling needs of them."""
        clock, rows = self.clock, self._rows
        numbers = rows.number(part.ids)
        if rows.size > len(self._group):
            raise HotrowError(
                f"table {clock.name!r}: rows that were not there before; the log changed while it was read"
            )
        self._windows += locality.activity(numbers, part.slots, clock.length, self._group, len(self._windows))
        column = Column(
            numbers, part.slots, rows.size, part.samples, clock.per_sample, part.before, following=self._cold
        )
        if self._owning is not None:
            self._owning.add(numbers, part.slots)
        if has_statistic(clock, "contents"):
            found = bag_contents(column, self._limit)
            self._contents = found if self._contents is None else self._contents + found
        return replace(column, following=self._coupled)

    def values(self) -> dict[str, Ints]:
        """Windows, int64 [hot, SHAPE_WINDOWS], of bags contents, of shared tables what their features own."""
        found = {"windows": self._windows} | ({} if self._owning is None else self._owning.values())
        return found if self._contents is None else {**found, "contents": self._contents}


def read_first(log: Log, tables: Sequence[Measuring], most: int | None = None) -> int:
    """Let the tables measure the log; a user's samples beyond `most` are emptied. Returns the samples that stay."""
    filled = 0
    for parts, stay in placed(log, [table.clock for table in tables], most):
        filled += stay
        for table, part in zip(tables, parts, strict=True):
            table.add(part)
    return filled


def read_again(log: Log, tables: Sequence[Second], order: Sequence[int], most: int | None = None) -> list[Ints]:
    """Let the tables measure the log again; joint counts of all but the first in coupling order, if it is not empty."""
    joints: list[Ints] = []
    for parts, _ in placed(log, [table.clock for table in tables], most):
        columns = [table.add(part) for table, part in zip(tables, parts, strict=True)]
        if order:
            found = joint_counts([columns[k] for k in order], [tables[k].limits for k in order])
            joints = [a + b for a, b in zip(joints, found, strict=True)] if joints else found
    return joints


def placed(log: Log, clocks: Sequence[Clock], most: int | None) -> Iterator[tuple[list[Placed], int]]:
    """The log's parts on the clocks of its tables, and how many of their samples were not emptied."""
    keeping = None if most is None else Keeping(most)
    before = 0
    for part in log.parts():
        kept = None if keeping is None else keeping.kept(part)
        yield (
            [place_on(clock, part, before, kept) for clock in clocks],
            part.samples if kept is None else int(np.count_nonzero(kept)),
        )
        before += part.samples


def hot_buckets(counts: Ints, threshold: float) -> Ints:
    """Buckets of at least `threshold` accesses, most first, at most HOT_ROWS."""
    order = np.argsort(-counts, kind="stable")[:HOT_ROWS]
    return order[counts[order] >= threshold]


def contents_limit(reuse: Ints, distinct: int, length: int) -> int:
    """The reuse time beyond which a lookup is cold in its bag, from released values."""
    return int(thresholds(reuse, distinct, locality.reuse_edges(length), (FRACTION,))[0])


def limits_of(table: TableProfile, fractions: tuple[float, ...]) -> Ints:
    """Reuse times beyond which caches of `fractions` of the table's rows miss, as far as the profile knows."""
    if table.locality is None:
        return np.ones(len(fractions), np.int64)
    edges = locality.reuse_edges(table.locality.length)
    return thresholds(table.locality.reuse.array(), table.distinct, edges, fractions)


def hashed(ids: Ints, counts: Ints, declared: int, key: int) -> tuple[Ints, Ints]:
    """Accesses per bucket, and the bucket of every row: its id in a small table, else a keyed hash of it."""
    if declared <= BUCKETS:
        size, bucket = declared, ids
    else:
        size = BUCKETS
        mixed = ids.astype(np.uint64) ^ np.uint64(key)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):  # SplitMix64's finalizer
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        bucket = (mixed % np.uint64(size)).astype(np.int64)
    return np.bincount(bucket, weights=counts, minlength=size).astype(np.int64), bucket


def released(measured: Measured, values: dict[str, Ints], noise: dict[str, float]) -> Released:
    """Values, exact or noisy, with the table's public facts."""
    clock = measured.clock
    return Released(clock, measured.declared, values, noise)


# ---------------------------------------------------------------- without noise


def exact_profile(trace: Trace | Log, name: str = "trace") -> TraceProfile:
    """All statistics without noise: NOT PRIVATE."""
    log = Log.of(trace)
    clocks = [form.clock(log.samples) for form in log.tables]
    reading = [Measuring(clock, exact_windows(clock)) for clock in clocks]
    read_first(log, reading)
    found = [table.measured() for table in reading]
    drafts = [fit_table(released(m, m.values, dict.fromkeys(m.values, 0.0)), log.samples) for m in found]
    order: tuple[int, ...] = ()
    fractions: tuple[float, ...] = ()
    if len(clocks) > 1 and log.samples:
        order = table_order([table.distinct for table in drafts])
        fractions = fractions_for([clock.per_sample for clock in clocks], log.samples, 0.0)
    limits = [limits_of(table, fractions) for table in drafts]
    second = [Second(m, _asked(m, limit)) for m, limit in zip(found, limits, strict=True)]
    joints = read_again(log, second, order)
    tables = tuple(
        completed(draft, values, dict.fromkeys(values, 0.0))
        for draft, values in zip(drafts, [table.values() for table in second], strict=True)
    )
    coupling = None
    if order:
        coupling = Coupling(order, Packed.of(np.array(limits)), tuple(Packed.of(j) for j in joints), 0.0)
    source = "measured on the trace itself, without noise; NOT PRIVATE"
    return TraceProfile(name, "exact", source, log.samples, tables, ASSUMPTIONS, coupling=coupling)


def _asked(measured: Measured, limits: Ints) -> Asked:
    values, clock = measured.values, measured.clock
    limit = contents_limit(values["reuse"], int(values["distinct"][0]), clock.length)
    return Asked(hot_buckets(values["buckets"], HOT_COUNT), limit, limits)


def exact_windows(clock: Clock) -> int:
    """Age windows of an exact profile."""
    return int(np.clip(clock.length // EXACT_WINDOW, 1, 512))
