"""Cache: what a cache of a given policy and capacity makes of a stream of accesses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import HotrowError
from ..tracegen.trace import Trace
from .policies.registry import Policy, checked_capacity, find
from .policies.stream import TRAINING, Stream, counter_type, numbered, stream
from .recommendation.interleave import positions
from .stack.dense_ids import checked_ids
from .stack.lru_stack import checked_threads

_UNMARKED = np.empty(0, np.bool_)


@dataclass(frozen=True)
class CacheStats:
    """Hits and misses of one cache over a whole stream, from empty, no warm-up.

    capacity: in `unit`, rows or bytes. Raises HotrowError where the misses are not from 0 to the accesses.
    """

    policy: str
    capacity: int
    accesses: int
    misses: int
    unit: str = "rows"

    def __post_init__(self) -> None:
        if not 0 <= self.misses <= self.accesses:
            raise HotrowError(f"{self.policy}: {self.misses} misses among {self.accesses} accesses")

    @property
    def hits(self) -> int:
        """Accesses that found their row in the cache."""
        return self.accesses - self.misses

    @property
    def miss_ratio(self) -> float:
        """Misses over accesses; NaN without accesses."""
        return self.misses / self.accesses if self.accesses else float("nan")

    @property
    def hit_ratio(self) -> float:
        """Hits over accesses; NaN without accesses."""
        return self.hits / self.accesses if self.accesses else float("nan")


@overload
def simulate(
    ids: ArrayLike | Stream,
    policy: str,
    capacity: int,
    *,
    row_bytes: ArrayLike | None = None,
    training: float | None = None,
    threads: int | None = None,
) -> CacheStats: ...
@overload
def simulate(
    ids: ArrayLike | Stream,
    policy: str,
    capacity: Sequence[int] | NDArray[Any],
    *,
    row_bytes: ArrayLike | None = None,
    training: float | None = None,
    threads: int | None = None,
) -> tuple[CacheStats, ...]: ...
def simulate(
    ids: ArrayLike | Stream,
    policy: str,
    capacity: int | Sequence[int] | NDArray[Any],
    *,
    row_bytes: ArrayLike | None = None,
    training: float | None = None,
    threads: int | None = None,
) -> CacheStats | tuple[CacheStats, ...]:
    """Hits and misses of a cache over `ids`: one CacheStats for one capacity, a tuple of them for a sequence.

    ids: integers [accesses] from 0 to 2^63 − 1 in time order, or what `stream` made of them. policy: a name of
    policies/registry.py; docs/policies.md defines each. capacity: rows, or bytes if row_bytes is given, which is the
    bytes of every row or int [accesses], the bytes of each access's row: rows of different size share the cache by
    the byte. Capacities beyond all rows are allowed and miss only first accesses. training: the part of the accesses
    that `static-prefix` learns from, a tenth if left out. A stream has row_bytes and training already. threads:
    capacities computed at once; as many as processors by default.
    Raises HotrowError naming the policy, the value and the rule.
    """
    accesses = _stream(ids, row_bytes, training)
    several = np.ndim(capacity) > 0
    stats = compare(accesses, (policy,), capacity if several else (capacity,), threads=threads)  # type: ignore[arg-type]
    found = next(iter(stats.values()))
    return found if several else found[0]


def compare(
    ids: ArrayLike | Stream,
    policies: Iterable[str],
    capacities: Sequence[int] | NDArray[Any],
    *,
    row_bytes: ArrayLike | None = None,
    training: float | None = None,
    threads: int | None = None,
) -> dict[str, tuple[CacheStats, ...]]:
    """Several policies at several capacities over the same accesses, by policy name; arguments as for `simulate`."""
    accesses = _stream(ids, row_bytes, training)
    chosen = [find(name) for name in policies]
    jobs = [(policy, size, checked_capacity(policy, size, accesses)) for policy in chosen for size in capacities]

    def run(job: tuple[Policy, int, int]) -> CacheStats:
        policy, size, capacity = job
        misses = policy.run(accesses, capacity, _UNMARKED) if len(accesses.ids) else 0
        return CacheStats(policy.name, int(size), len(accesses.ids), misses, accesses.unit)

    stats = _in_threads(run, jobs, threads)
    width = len(capacities)
    return {policy.name: tuple(stats[k * width : (k + 1) * width]) for k, policy in enumerate(chosen)}


def hit_mask(
    ids: ArrayLike | Stream,
    policy: str,
    capacity: int,
    *,
    row_bytes: ArrayLike | None = None,
    training: float | None = None,
) -> NDArray[np.bool_]:
    """Which accesses hit, bool [accesses]; arguments and errors as for `simulate`."""
    accesses = _stream(ids, row_bytes, training)
    chosen = find(policy)
    size = checked_capacity(chosen, capacity, accesses)
    missed = np.zeros(len(accesses.ids), np.bool_)
    if len(missed):
        chosen.run(accesses, size, missed)
    return ~missed


def simulate_tables(
    trace: Trace,
    policy: str,
    capacity: int | Mapping[str, int],
    *,
    row_bytes: int | Mapping[str, int] | None = None,
    shared: bool = False,
    training: float = TRAINING,
    threads: int | None = None,
) -> dict[str, CacheStats]:
    """Hits and misses of every table's lookups, by table name: each table with a cache of its own, or one for all.

    capacity: rows, or bytes if row_bytes is given; of each table's cache, or by table, or of the shared cache.
    row_bytes: bytes of a row, or by table. Lookups reach a shared cache sample by sample and table by table. A table
    without lookups has 0 accesses. `total` adds the tables up. Raises HotrowError as `simulate`, and for a table that
    a mapping does not name.
    """
    names = [table.name for table in trace.tables]
    sizes = _by_table("row_bytes", row_bytes, names)
    if shared:
        if isinstance(capacity, Mapping):
            raise HotrowError("capacity is given by table, but the cache is shared; give one number")
        return _shared(trace, policy, capacity, sizes, training)
    capacities = _by_table("capacity", capacity, names)

    def run(k: int) -> CacheStats:
        table = trace.tables[k]
        size: int = capacities[k]
        return simulate(table.indices, policy, size, row_bytes=sizes[k], training=training, threads=1)

    return dict(zip(names, _in_threads(run, range(len(names)), threads), strict=True))


def total(stats: Mapping[str, CacheStats], shared: bool = False) -> CacheStats:
    """All tables' lookups together; the capacity is the sum of theirs, or the one they share."""
    every = list(stats.values())
    capacity = every[0].capacity if shared else sum(part.capacity for part in every)
    accesses, misses = sum(part.accesses for part in every), sum(part.misses for part in every)
    return CacheStats(every[0].policy, capacity, accesses, misses, every[0].unit)


def shared_stream(trace: Trace, row_bytes: Sequence[int | None], training: float = TRAINING) -> Stream:
    """The lookups of all tables in the order a model makes them, rows numbered through; row_bytes: one per table."""
    for size in row_bytes:
        stream(np.empty(0, np.int64), size, training)  # says which rule they break
    parts = [numbered(checked_ids(table.indices), room=0) for table in trace.tables]
    counts = [int(ids.max()) + 1 if len(ids) else 0 for ids, _ in parts]
    starts = np.concatenate(([0], np.cumsum(counts)))
    rows = int(starts[-1])
    shared = np.empty(trace.accesses, counter_type(trace.accesses, rows))
    names = np.empty(rows, np.uint64)
    declared = 0  # FBGEMM numbers the rows of its tables through, as declared
    for (ids, own), table, start, count, places in zip(
        parts, trace.tables, starts[:-1], counts, positions(trace), strict=True
    ):
        shared[places] = ids + start
        named = np.arange(count, dtype=np.uint64) if own is None else own
        names[start : start + count] = named + np.uint64(declared % 2**64)
        declared += table.rows
    if len(set(row_bytes)) == 1:
        return Stream(shared, rows, names, row_bytes[0], training=training)
    return Stream(shared, rows, names, None, np.repeat(np.array(row_bytes, np.int64), counts), training)


def _stream(ids: ArrayLike | Stream, row_bytes: ArrayLike | None, training: float | None) -> Stream:
    if not isinstance(ids, Stream):
        return stream(ids, row_bytes, TRAINING if training is None else training)
    if row_bytes is not None or training is not None:
        raise HotrowError("row_bytes and training belong to the stream already made; give them to stream()")
    return ids


def _shared(
    trace: Trace, policy: str, capacity: int, sizes: Sequence[int | None], training: float
) -> dict[str, CacheStats]:
    accesses = shared_stream(trace, sizes, training)
    hits = hit_mask(accesses, policy, capacity)
    name = find(policy).name
    return {
        table.name: CacheStats(
            name, int(capacity), table.accesses, table.accesses - int(np.count_nonzero(hits[places])), accesses.unit
        )
        for table, places in zip(trace.tables, positions(trace), strict=True)
    }


def _by_table(what: str, value: Any, names: Sequence[str]) -> list[Any]:
    """One value for each table from one for all or a mapping; HotrowError names a table that is missing or unknown."""
    if not isinstance(value, Mapping):
        return [value] * len(names)
    for name in (*value, *names):
        if name not in value or name not in names:
            raise HotrowError(f"{what} does not fit the trace's tables at {name!r}; name each table once")
    return [value[name] for name in names]


def _in_threads(run: Any, jobs: Iterable[Any], threads: int | None) -> list[CacheStats]:
    """`run` of every job, in order; kernels release the interpreter, so threads share the work."""
    with ThreadPoolExecutor(checked_threads(threads)) as pool:
        return list(pool.map(run, jobs))
