"""Question: what do a processor's caches make of the lookups? Hits and kinds of misses by level; page walks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .. import HotrowError
from ..analysis import plots
from ..analysis.hierarchy import Level, LevelStats, check, simulate_trace
from ..analysis.memory.layout import Layout
from ..analysis.memory.levels import levels_of
from ..analysis.memory.tlb import SKYLAKE, entries
from ..analysis.stack.dense_ids import dense_ids
from ..profiling.machine_files import load_machine
from ..tracegen.trace import TableLookups, Trace
from .cache_sizing import binary
from .grid import Grid, number_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SERVER = "32K/8,1M/16,32M/16"  # a server core's L1, L2 and share of L3; assumed where no other levels are given
MARKED = (("skylake", "L2"), ("skylake", "L3"), ("broadwell", "L3"))  # machines' caches that figures show
ADDRESS_BITS = 47  # what a process can address on x86-64
UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}
SIZE = r"(\d+)([KMG]?)(?:i?B)?"
TLB = "2M:32/4,1536/12"


@dataclass(frozen=True)
class Processor:
    """What is simulated, the levels innermost first; none: only TLBs.

    replacement: of each level; inclusion: of each but the first, in hierarchy's words. tlbs: levels whose lines are
    pages, for each TLB. Raises HotrowError as a Hierarchy does.
    """

    levels: tuple[Level, ...]
    replacement: tuple[str, ...]
    inclusion: tuple[str, ...]
    tlbs: tuple[tuple[Level, ...], ...] = ()

    def __post_init__(self) -> None:
        if self.levels:
            check(self.levels, self.replacement, self.inclusion)


@dataclass(frozen=True)
class MemoryLevels:
    """What each level of caches and TLBs counted over a trace's lookups, every line of a row in order, from empty.

    update_every: None reads only; B writes the rows of every B samples back, and tells no misses apart.
    """

    lookups: int
    row_bytes: int
    processor: Processor
    update_every: int | None
    stats: tuple[LevelStats, ...]
    tlbs: tuple[tuple[LevelStats, ...], ...]
    renumbered: bool  # rows lie in order of their first lookup, for their declared places leave the address space

    def found(self, level: int) -> int:
        """Lines that lookups and updates found in a level; lines that the level above wrote back do not count."""
        stats = self.stats[level]
        return stats.hits if level == 0 else stats.reads - stats.read_misses

    def grids(self) -> tuple[Grid, ...]:
        """One row per level of caches; one per level of TLBs."""
        return (*((self._caches(),) if self.stats else ()), *((self._pages(),) if self.tlbs else ()))

    def _caches(self) -> Grid:
        columns = [
            ("lines asked for", [f"{s.accesses if k == 0 else s.reads:,}" for k, s in enumerate(self.stats)]),
            ("hits", [f"{self.found(k):,}" for k in range(len(self.stats))]),
            ("of all lines", [f"{self.found(k) / max(self.stats[0].accesses, 1):.2%}" for k in range(len(self.stats))]),
        ]
        if self.update_every is None:
            columns += [
                ("first misses", [f"{s.compulsory:,}" for s in self.stats]),
                ("capacity misses", [f"{s.capacity:,}" for s in self.stats]),
                ("conflict misses", [f"{s.conflict:,}" for s in self.stats]),
            ]
        else:
            columns.append(("written back", [f"{s.write_backs:,}" for s in self.stats]))
        if "inclusive" in self.processor.inclusion:
            columns.append(("taken back", [f"{s.back_invalidations:,}" for s in self.stats]))
        names = [
            f"{level.name} {binary(level.bytes)}, {number_of(level.ways, 'way')}" for level in self.processor.levels
        ]
        cells = zip(names, *(cells for _, cells in columns), strict=True)
        return Grid(self._caption(), ("level", *(head for head, _ in columns)), tuple(cells), "simulated")

    def _caption(self) -> str:
        where = "in order of first lookup" if self.renumbered else "at table base + row × bytes"
        words = (_one_or_each(self.processor.replacement), _one_or_each(self.processor.inclusion))
        updates = (
            "reads only" if self.update_every is None else f"updates every {number_of(self.update_every, 'sample')}"
        )
        return (
            f"Lines of {self.processor.levels[0].line_bytes} bytes of rows of {self.row_bytes} bytes, {where}, "
            f"{', '.join(filter(None, words))}, {updates}, cold start"
        )

    def _pages(self) -> Grid:
        rows = tuple(
            (
                f"{level.name}, {binary(level.line_bytes)} pages, {number_of(level.lines, 'entry', 'entries')}, "
                f"{number_of(level.ways, 'way')}",
                f"{stats.accesses:,}",
                f"{stats.hits:,}",
                f"{stats.misses:,}",
                f"{1000 * stats.misses / max(self.lookups, 1):.3g}",
            )
            for levels, counted in zip(self.processor.tlbs, self.tlbs, strict=True)
            for level, stats in zip(levels, counted, strict=True)
        )
        heads = ("TLB", "pages asked for", "hits", "misses", "per 1,000 lookups")
        return Grid(
            "Translation of the rows' pages, LRU, cold start; a last level's misses are page walks",
            heads,
            rows,
            "simulated",
        )


def figure(result: MemoryLevels) -> Figure:
    """Where lines were found: one bar over the levels and memory."""
    total = max(result.stats[0].accesses, 1)
    shares = [result.found(k) / total for k in range(len(result.stats))]
    parts = [(level.name, [share]) for level, share in zip(result.processor.levels, shares, strict=True)]
    last = result.stats[-1]
    parts.append(("memory", [(last.misses if len(shares) == 1 else last.read_misses) / total]))
    return plots.stacked_shares(["lines"], parts, "Where a lookup's lines are found", "share of lines, %")


def known_capacities(row_bytes: int) -> tuple[tuple[str, int], ...]:
    """Rows that the caches in MARKED hold, by name."""
    sizes = ((f"{name.capitalize()} {cache}", load_machine(name).caches[cache].size.base) for name, cache in MARKED)
    return tuple((name, int(size) // row_bytes) for name, size in sizes)


def parse_processor(
    levels: str = SERVER, replacement: str = "LRU", inclusion: str | None = None, tlbs: Sequence[str] = ()
) -> Processor:
    """The processor that words describe.

    levels: as for parse_levels, a machine's name or TOML file, or none. replacement, inclusion: one word for all levels
    or one for each, with commas between; inclusion None is the machine's, else non-inclusive. tlbs: as for parse_tlb.
    Raises HotrowError that shows the part that is wrong.
    """
    known: tuple[str, ...] = ("non-inclusive",)
    if levels == "none":
        caches: tuple[Level, ...] = ()
    elif levels[:1].isdigit() and not levels.endswith(".toml"):
        caches = parse_levels(levels)
    else:
        caches, known = _of_machine(levels)
    below = max(len(caches) - 1, 0)
    holds = known if inclusion is None else _words(inclusion)
    return Processor(
        caches,
        _spread(_words(replacement), len(caches)),
        _spread(holds, below),
        tuple(parse_tlb(text) for text in tlbs),
    )


def parse_levels(text: str, line_bytes: int = 64) -> tuple[Level, ...]:
    """Levels from size/ways, innermost first, as in 32K/8,1M/16,32M/16; HotrowError shows the part that is wrong."""
    parts = _parts(text, "levels", "size/ways", SERVER)
    return tuple(Level.of_size(f"L{k}", size, ways, line_bytes) for k, (size, ways) in enumerate(parts, 1))


def parse_tlb(text: str) -> tuple[Level, ...]:
    """A TLB's levels from bytes of a page, 4K or 2M of Skylake's TLB, or with entries/ways, as in 2M:32/4,1536/12."""
    page, colon, shape = text.partition(":")
    match = re.fullmatch(rf"\s*{SIZE}\s*", page, re.IGNORECASE)
    if match is None:
        raise HotrowError(f"TLB {text!r}: {page!r} is no size of a page; write for example 4K, or {TLB}")
    size = int(match[1]) * UNITS[match[2].upper()]
    if not colon:
        return SKYLAKE.levels(size)
    parts = _parts(shape, "TLB", "entries/ways", TLB)
    return tuple(entries(f"L{k} TLB", count, ways, size) for k, (count, ways) in enumerate(parts, 1))


def memory_levels(trace: Trace, row_bytes: int, processor: Processor, update_every: int | None = None) -> MemoryLevels:
    """Simulate `processor` on the trace, each table's rows one after the other from a page of its own."""
    far = sum(table.rows for table in trace.tables) * row_bytes > 2**ADDRESS_BITS
    placed = Trace(tuple(_renumbered(table) for table in trace.tables)) if far else trace
    stats: tuple[LevelStats, ...] = ()
    if processor.levels:
        stats = simulate_trace(
            placed,
            Layout.of_rows(placed, row_bytes),
            processor.levels,
            replacement=processor.replacement,
            inclusion=processor.inclusion,
            update_every=update_every,
            tell_apart=update_every is None,
        )
    pages = tuple(
        simulate_trace(
            placed, Layout.of_rows(placed, row_bytes, page_bytes=tlb[0].line_bytes), tlb, update_every=update_every
        )
        for tlb in processor.tlbs
    )
    return MemoryLevels(trace.accesses, row_bytes, processor, update_every, stats, pages, far)


def _of_machine(name: str) -> tuple[tuple[Level, ...], tuple[str, ...]]:
    try:
        machine = load_machine(name)
    except HotrowError as error:
        raise HotrowError(f"levels {name!r}: no size/ways as in {SERVER}, nor a machine: {error}") from error
    return levels_of(machine)


def _parts(text: str, what: str, form: str, example: str) -> list[tuple[int, int]]:
    parts = []
    for part in text.split(","):
        match = re.fullmatch(rf"\s*{SIZE}/(\d+)\s*", part, re.IGNORECASE)
        if match is None:
            raise HotrowError(f"{what} {text!r}: {part!r} is no {form}; write for example {example}")
        parts.append((int(match[1]) * UNITS[match[2].upper()], int(match[3])))
    return parts


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(","))


def _spread(words: tuple[str, ...], count: int) -> tuple[str, ...]:
    return words * count if len(words) == 1 else words


def _one_or_each(words: Sequence[str]) -> str:
    return words[0] if len(set(words)) == 1 else ", ".join(words)


def _renumbered(table: TableLookups) -> TableLookups:
    numbers, rows = dense_ids(table.indices)
    return TableLookups(table.name, max(rows, 1), numbers.astype(np.int64), table.offsets)
