"""Level and what it counts: the parts a hierarchy of caches is made of and answers with."""

from __future__ import annotations

from dataclasses import dataclass

from ... import HotrowError
from ...profiling.machine import Machine
from .checks import checked_line, checked_whole

MOST_LINES = 2**32  # of a level: 16 GiB of words where a set fills its vectors, 128 GiB where it has one way; twice
# as much beyond 64 GiB of addresses, and twice again where levels answer to each other


@dataclass(frozen=True)
class Level:
    """One level of caches: sets × ways lines of line_bytes bytes; line number modulo sets is a line's set.

    sets: any number from 1. line_bytes: a power of two from 4. Raises HotrowError for others.
    """

    name: str
    sets: int
    ways: int
    line_bytes: int = 64

    def __post_init__(self) -> None:
        for key in ("sets", "ways", "line_bytes"):
            object.__setattr__(self, key, checked_whole(getattr(self, key), f"{self.name}: {key.replace('_', ' ')}"))
        for value, what in ((self.sets, "sets"), (self.ways, "ways")):
            if value < 1:
                raise HotrowError(f"{self.name}: {value} {what}; a cache has at least 1")
        if self.lines > MOST_LINES:
            raise HotrowError(f"{self.name}: {self.sets} sets of {self.ways} ways; 2^32 lines are the most simulated")
        checked_line(self.line_bytes, f"{self.name}: lines")

    @classmethod
    def of_size(cls, name: str, bytes: int, ways: int, line_bytes: int = 64) -> Level:
        """The level that holds `bytes`; HotrowError where they are not a whole number of sets."""
        bytes, ways, line_bytes = (
            checked_whole(value, f"{name}: {what}")
            for value, what in ((bytes, "bytes"), (ways, "ways"), (line_bytes, "line bytes"))
        )
        if ways < 1 or line_bytes < 1 or bytes < 1 or bytes % (ways * line_bytes):
            raise HotrowError(
                f"{name}: {bytes} bytes are no whole number of sets of {ways} ways × {line_bytes} bytes; "
                "change the size or the ways"
            )
        return cls(name, bytes // (ways * line_bytes), ways, line_bytes)

    @property
    def lines(self) -> int:
        """Lines that the level holds."""
        return self.sets * self.ways

    @property
    def bytes(self) -> int:
        """Bytes that the level holds."""
        return self.lines * self.line_bytes


@dataclass(frozen=True)
class LevelStats:
    """What one level counted, from empty, no warm-up; in lines of this level.

    reads: lines asked for. writes: stores (first level), or dirty lines that the level above wrote back.
    write_backs: dirty lines handed down. back_invalidations: lines taken back because an inclusive level below lost
    them. victims: lines, clean or dirty, that an exclusive level took over from the level above; they are no accesses.
    Misses told apart, None where that was not asked: compulsory, a line's first access; capacity, a fully associative
    LRU cache of as many lines would miss too; conflict, it would hit (Hill and Smith 1989, miss by miss).
    """

    name: str
    reads: int
    writes: int
    read_misses: int
    write_misses: int
    write_backs: int
    back_invalidations: int = 0
    victims: int = 0
    compulsory: int | None = None
    capacity: int | None = None
    conflict: int | None = None

    @property
    def accesses(self) -> int:
        """Reads and writes."""
        return self.reads + self.writes

    @property
    def misses(self) -> int:
        """Accesses that did not find their line."""
        return self.read_misses + self.write_misses

    @property
    def hits(self) -> int:
        """Accesses that found their line."""
        return self.accesses - self.misses

    @property
    def miss_ratio(self) -> float:
        """Misses over accesses; NaN without accesses."""
        return self.misses / self.accesses if self.accesses else float("nan")


def levels_of(machine: Machine) -> tuple[tuple[Level, ...], tuple[str, ...]]:
    """One core's caches on a machine, and how each but the first holds those above it; unknown is non-inclusive.

    Raises HotrowError where a cache's ways or line are unknown, or give no whole number of sets.
    """
    levels, inclusion = [], []
    for name, cache in machine.caches.items():
        if cache.ways is None or cache.line is None:
            raise HotrowError(f"{machine.name}: caches.{name} needs ways and line to be simulated")
        numbers = [each.base for each in (cache.size, cache.ways, cache.line)]
        whole = [int(number) if number == int(number) else number for number in numbers]  # Level refuses the others
        levels.append(Level.of_size(name, *whole))  # type: ignore[arg-type]
        inclusion.append(cache.inclusion or "non-inclusive")
    return tuple(levels), tuple(inclusion[1:])


@dataclass(frozen=True)
class Cores:
    """Cores beside each other: the first `private` levels exist once for each, the others once for all.

    span_bytes: a power of two; core c has the addresses from c × span_bytes, so no two cores share a line.
    """

    count: int
    private: int
    span_bytes: int

    def __post_init__(self) -> None:
        for key in ("count", "private"):
            object.__setattr__(
                self, key, checked_whole(getattr(self, key), "cores" if key == "count" else "private levels")
            )
        if self.count < 1 or self.private < 0:
            raise HotrowError(f"{self.count} cores with {self.private} private levels; at least 1 core and 0 levels")
        checked_line(self.span_bytes, "addresses of a core")

    def check(self, address: int) -> None:
        """HotrowError where an address belongs to no core."""
        if address >= self.count * self.span_bytes:
            raise HotrowError(
                f"address {address} belongs to core {address // self.span_bytes}; there are {self.count} cores"
            )
