"""Exact LRU curves of a trace on disk, counted in parts by an executor's workers and joined to the same result.

A worker reads its own part, piece by piece, and sends back counts; the trace is never in memory. A file that can be
read from its middle (Parquet) is cut by time; of others a worker takes some tables, and a part of the time for the
cache that all tables share.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import HotrowError
from ...analysis.miss_ratio import MissRatioCurve
from ...analysis.recommendation.interleave import positions
from ...analysis.stack.parts import CountedPart, JoinedCurve, PartCounter
from ...progress import Advance, ignore
from ...tracegen import files
from ...tracegen.formats.format import Extent
from ...tracegen.trace import Trace
from ..lru_curves import LruCurves
from .executor import Maker, run_all

SHARED = -1  # the stream of all tables; others go by their table's number
PART_LOOKUPS = 1 << 25  # of a part at most, about: its rows are a worker's memory
WORTH = 1 << 20  # lookups that are worth a worker
PIECE = 1 << 20  # lookups put in the model's order at a time
READ = 1 << 17  # samples read at a time
MOST_IDS = 2**63


@dataclass(frozen=True)
class Numbering:
    """Shared ids of several tables' rows: step · row + base of the table; no two rows get the same."""

    step: int
    bases: tuple[int, ...]
    narrow: bool  # whether int32 holds them

    def of(self, trace: Trace) -> NDArray[Any]:
        """Shared ids in the model's order, sample by sample and table by table."""
        dtype = np.int32 if self.narrow else np.int64
        own = [self._own(k, table.indices.astype(dtype, copy=False)) for k, table in enumerate(trace.tables)]
        if all(table.offsets is None for table in trace.tables):
            return np.stack(own, axis=1).reshape(-1)
        ids = np.empty(trace.accesses, dtype)
        for shared, where in zip(own, positions(trace), strict=True):
            ids[where] = shared
        return ids

    def _own(self, k: int, rows: NDArray[Any]) -> NDArray[Any]:
        if self.step > 1 and len(rows) and int(rows.max()) >= MOST_IDS // self.step - 1:
            raise HotrowError(
                f"row {rows.max()}: too large to tell the rows of {self.step} tables apart in 63 bits; "
                "leave --workers out, or hotrow convert the trace to ids that are numbered"
            )
        shared: NDArray[Any] = rows * rows.dtype.type(self.step) + rows.dtype.type(self.bases[k])
        return shared


@dataclass(frozen=True)
class Part:
    """What one worker counts: tables by number in samples start … stop − 1, each alone, or all in one cache, or both.

    number: which part of the time it is, from 0.
    """

    path: Path
    format: str | None
    number: int
    start: int
    stop: int
    tables: tuple[int, ...]
    alone: bool
    numbering: Numbering | None
    lookups: int  # about

    @property
    def streams(self) -> tuple[int, ...]:
        """The streams that it counts."""
        return (*(self.tables if self.alone else ()), *(() if self.numbering is None else (SHARED,)))


def curves_in_parts(
    path: Path, make: Maker, workers: int, format: str | None = None, advance: Advance = ignore
) -> LruCurves:
    """Curves of every table and of one cache for all, those of `lru_curves`; without knees and distances.

    Where an executor's workers run on other machines, `path` must lead to the file there too. `advance` is called with
    lookups. Raises HotrowError where the file cannot be read in parts, or a part fails.
    """
    extent = files.extent(path, format)
    parts = plan(extent, path, format, workers)
    joining = {stream: _Joining() for part in parts for stream in part.streams}
    for part, counted, failure in run_all(make, count, parts, workers):
        if failure is not None:
            raise HotrowError(failure)
        for stream, found in counted.items():
            joining[stream].take(part.number, found)
        advance(part.lookups)
    curves = {stream: each.curve() for stream, each in joining.items()}
    own = tuple(curves[k] for k in range(len(extent.tables)))
    names = tuple(name for name, _ in extent.tables)
    return LruCurves(names, own, (None,) * len(names), curves.get(SHARED, own[0]), None, ())


def steps(path: Path, workers: int, format: str | None = None) -> int:
    """Lookups that curves_in_parts advances by."""
    return sum(part.lookups for part in plan(files.extent(path, format), path, format, workers))


def plan(extent: Extent, path: Path, format: str | None, workers: int) -> list[Part]:
    """Parts of a trace for `workers`: at most PART_LOOKUPS each where it can be cut, and at least WORTH."""
    tables = tuple(range(len(extent.tables)))
    numbering = None if len(tables) == 1 else number(extent.tables)
    total = sum(extent.lookups)
    number_of = max(ceil(total / PART_LOOKUPS), min(workers, total // WORTH), 1)
    number_of = workers * ceil(number_of / workers) if number_of > workers else number_of
    ends = _ends(extent, number_of)
    by_time = list(enumerate(pairwise(ends)))

    def part(k: int, start: int, stop: int, chosen: tuple[int, ...], alone: bool, shared: Numbering | None) -> Part:
        share = (stop - start) / max(extent.samples, 1)
        lookups = round(share * sum(extent.lookups[t] for t in chosen))
        return Part(path, format, k, start, stop, chosen, alone, shared, lookups)

    if len(extent.cuts) >= number_of or numbering is None:
        return [part(k, start, stop, tables, True, numbering) for k, (start, stop) in by_time]
    groups = [part(0, 0, extent.samples, own, True, None) for own in _groups(extent.lookups, number_of)]
    return groups + [part(k, start, stop, tables, False, numbering) for k, (start, stop) in by_time]


def number(tables: Sequence[tuple[str, int | None]]) -> Numbering:
    """Tables numbered through by their rows; by turns where those are not known, or too many together."""
    rows = [count for _, count in tables if count is not None]
    top = sum(rows)
    if len(rows) == len(tables) and top <= MOST_IDS:
        bases = np.cumsum([0, *rows[:-1]], dtype=object)
        return Numbering(1, tuple(int(base) for base in bases), top <= 2**31)
    return Numbering(len(tables), tuple(range(len(tables))), False)


def _ends(extent: Extent, parts: int) -> list[int]:
    """Samples at which parts of about equal length end, where nothing is read twice if such places are close by."""
    even = [round(k * extent.samples / parts) for k in range(parts + 1)]
    if len(extent.cuts) >= 4 * parts:
        cuts = np.array([*extent.cuts, extent.samples])
        even = [int(cuts[np.argmin(np.abs(cuts - end))]) for end in even]
    return even


def _groups(lookups: Sequence[int], number_of: int) -> list[tuple[int, ...]]:
    """Tables in groups of about equal lookups, none without a table."""
    groups: list[list[int]] = [[] for _ in range(min(number_of, len(lookups)))]
    loads = [0] * len(groups)
    for table in sorted(range(len(lookups)), key=lambda k: -lookups[k]):
        least = min(range(len(groups)), key=lambda g: (loads[g], len(groups[g])))
        groups[least].append(table)
        loads[least] += lookups[table]
    return [tuple(sorted(group)) for group in groups if group]


def count(part: Part) -> dict[int, CountedPart]:
    """What a worker does: every stream of its part, counted."""
    counters = {stream: PartCounter() for stream in part.streams}
    for piece in files.scan_between(part.path, part.tables, part.start, part.stop, part.format, READ):
        if part.alone:
            for k, table in zip(part.tables, piece.tables, strict=True):
                counters[k].feed(table.indices)
        if part.numbering is not None:
            for small in _pieces(piece):
                counters[SHARED].feed(part.numbering.of(small))
    return {stream: counter.result() for stream, counter in counters.items()}


def _pieces(trace: Trace) -> Iterator[Trace]:
    work = trace.accesses + trace.samples * len(trace.tables)
    step = max(1, trace.samples * PIECE // max(work, 1))
    for start in range(0, trace.samples, step):
        yield trace.samples_between(start, start + step)


class _Joining:
    """One stream's parts, joined as soon as those before are there."""

    def __init__(self) -> None:
        self._joined = JoinedCurve()
        self._waiting: dict[int, CountedPart] = {}
        self._next = 0

    def take(self, number: int, part: CountedPart) -> None:
        self._waiting[number] = part
        while self._next in self._waiting:
            self._joined.join(self._waiting.pop(self._next))
            self._next += 1

    def curve(self) -> MissRatioCurve:
        return self._joined.curve()
