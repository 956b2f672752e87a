"""Question: what do a processor's caches make of the lookups? Hits and kinds of misses by level."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .. import HotrowError
from ..analysis import plots
from ..analysis.hierarchy import Level, LevelStats, simulate_trace
from ..analysis.memory.layout import Layout
from ..analysis.stack.dense_ids import dense_ids
from ..tracegen.trace import TableLookups, Trace
from .grid import Grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SERVER = "32K/8,1M/16,32M/16"  # a server core's L1, L2 and share of L3; assumed where no other levels are given
KNOWN_CACHES = (  # name, bytes; Gupta et al., "The architectural implications of Facebook's DNN-based personalized
    ("Skylake L2", 2**20),  # recommendation", HPCA 2020, table of machines
    ("Skylake L3", 27_500 * 2**10),
    ("Broadwell L3", 35 * 2**20),
)
ADDRESS_BITS = 47  # what a process can address on x86-64
UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}


@dataclass(frozen=True)
class MemoryLevels:
    """What each level counted over a trace's lookups, every line of a row in order, reads only, from empty."""

    lookups: int
    row_bytes: int
    levels: tuple[Level, ...]
    stats: tuple[LevelStats, ...]
    renumbered: bool  # rows lie in order of their first lookup, for their declared places leave the address space

    def grid(self) -> Grid:
        """One row per level."""
        rows = tuple(
            (
                f"{level.name} {_size(level.bytes)}, {level.ways} ways",
                f"{stats.accesses:,}",
                f"{stats.hits:,}",
                f"{stats.hits / max(self.stats[0].accesses, 1):.2%}",
                f"{stats.compulsory:,}",
                f"{stats.capacity:,}",
                f"{stats.conflict:,}",
            )
            for level, stats in zip(self.levels, self.stats, strict=True)
        )
        heads = (
            "level",
            "lines asked for",
            "hits",
            "of all lines",
            "first misses",
            "capacity misses",
            "conflict misses",
        )
        where = "in order of first lookup" if self.renumbered else "at table base + row × bytes"
        caption = (
            f"Lines of {self.levels[0].line_bytes} bytes of rows of {self.row_bytes} bytes, {where}, LRU, cold start"
        )
        return Grid(caption, heads, rows, "simulated")


def figure(result: MemoryLevels) -> Figure:
    """Where lines were found: one bar over the levels and memory."""
    total = max(result.stats[0].accesses, 1)
    parts = [(level.name, [stats.hits / total]) for level, stats in zip(result.levels, result.stats, strict=True)]
    parts.append(("memory", [result.stats[-1].misses / total]))
    return plots.stacked_shares(["lines"], parts, "Where a lookup's lines are found", "share of lines, %")


def known_capacities(row_bytes: int) -> tuple[tuple[str, int], ...]:
    """Rows that published machines' caches hold, by name."""
    return tuple((name, size // row_bytes) for name, size in KNOWN_CACHES)


def parse_levels(text: str, line_bytes: int = 64) -> tuple[Level, ...]:
    """Levels from size/ways, innermost first, as in 32K/8,1M/16,32M/16; HotrowError shows the part that is wrong."""
    levels = []
    for k, part in enumerate(text.split(","), 1):
        match = re.fullmatch(r"\s*(\d+)([KMG]?)(?:i?B)?/(\d+)\s*", part, re.IGNORECASE)
        if match is None:
            raise HotrowError(f"levels {text!r}: {part!r} is no size/ways; write for example {SERVER}")
        size = int(match[1]) * UNITS[match[2].upper()]
        levels.append(Level.of_size(f"L{k}", size, int(match[3]), line_bytes))
    return tuple(levels)


def memory_levels(trace: Trace, row_bytes: int, levels: tuple[Level, ...]) -> MemoryLevels:
    """Simulate `levels` on the trace, each table's rows one after the other from a page of its own."""
    far = sum(table.rows for table in trace.tables) * row_bytes > 2**ADDRESS_BITS
    placed = Trace(tuple(_renumbered(table) for table in trace.tables)) if far else trace
    stats = simulate_trace(placed, Layout.of_rows(placed, row_bytes), levels, tell_apart=True)
    return MemoryLevels(trace.accesses, row_bytes, levels, stats, far)


def _renumbered(table: TableLookups) -> TableLookups:
    numbers, rows = dense_ids(table.indices)
    return TableLookups(table.name, max(rows, 1), numbers.astype(np.int64), table.offsets)


def _size(size: int) -> str:
    for unit in ("G", "M", "K"):
        if size >= UNITS[unit]:
            return f"{size / UNITS[unit]:g} {unit}iB"
    return f"{size} B"
