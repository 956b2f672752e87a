"""Caches as plain Python, one line at a time and recursive: what the kernels are compared with."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

COUNTERS = ("reads", "writes", "read_misses", "write_misses", "write_backs", "back_invalidations", "victims")


class Tree:
    """Tree-PLRU over ways lo … hi − 1; unused ways are None."""

    def __init__(self, ways: int) -> None:
        self.slots: list[list[Any] | None] = [None] * ways
        self.goes_right: dict[tuple[int, int], bool] = {}

    def find(self, line: int) -> list[Any] | None:
        return next((slot for slot in self.slots if slot and slot[0] == line), None)

    def touch(self, slot: list[Any]) -> None:
        way = next(way for way, each in enumerate(self.slots) if each is slot)
        lo, hi = 0, len(self.slots)
        while hi - lo > 1:
            middle = (lo + hi) // 2
            self.goes_right[lo, hi] = way < middle
            lo, hi = (lo, middle) if way < middle else (middle, hi)

    def insert(self, slot: list[Any]) -> list[Any] | None:
        lo, hi = 0, len(self.slots)
        if None in self.slots:
            lo = self.slots.index(None)
        else:
            while hi - lo > 1:
                middle = (lo + hi) // 2
                lo, hi = (middle, hi) if self.goes_right.get((lo, hi), False) else (lo, middle)
        old, self.slots[lo] = self.slots[lo], slot
        self.touch(slot)
        return old

    def remove(self, slot: list[Any]) -> None:
        self.slots = [None if each is slot else each for each in self.slots]

    def order(self) -> list[list[Any]]:
        return [slot for slot in self.slots if slot]


class Queue:
    """LRU, or FIFO where a use moves nothing; the newest first."""

    def __init__(self, ways: int, fifo: bool) -> None:
        self.ways, self.fifo = ways, fifo
        self.slots: list[list[Any]] = []

    def find(self, line: int) -> list[Any] | None:
        return next((slot for slot in self.slots if slot[0] == line), None)

    def touch(self, slot: list[Any]) -> None:
        if not self.fifo:
            self.remove(slot)
            self.slots.insert(0, slot)

    def insert(self, slot: list[Any]) -> list[Any] | None:
        self.slots.insert(0, slot)
        return self.slots.pop() if len(self.slots) > self.ways else None

    def remove(self, slot: list[Any]) -> None:
        self.slots = [each for each in self.slots if each is not slot]

    def order(self) -> list[list[Any]]:
        return list(self.slots)


@dataclass
class Cache:
    """One level: sets are made when they are first used; a slot is [line, dirty]."""

    sets: int
    ways: int
    line_bytes: int
    policy: str
    holds: str
    private: bool
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTERS, 0))

    def __post_init__(self) -> None:
        make = (
            (lambda: Tree(self.ways)) if self.policy == "tree-PLRU" else lambda: Queue(self.ways, self.policy == "FIFO")
        )
        self.content: dict[tuple[int, int], Any] = defaultdict(make)


class Caches:
    def __init__(
        self,
        shapes: list[tuple[int, int, int]],
        policies: list[str],
        holds: list[str],
        private: int = 0,
        core_bytes: int = 2**63,
    ) -> None:
        self.core_bytes = core_bytes
        self.levels = [
            Cache(*shape, policy, how, number < private)
            for number, (shape, policy, how) in enumerate(zip(shapes, policies, ["non-inclusive", *holds], strict=True))
        ]

    def set_of(self, level: int, line: int) -> Any:
        cache = self.levels[level]
        core = line * cache.line_bytes // self.core_bytes if cache.private else 0
        return cache.content[core, line % cache.sets]

    def access(self, address: int, write: bool) -> None:
        first = self.levels[0]
        line = address // first.line_bytes
        kind = "write" if write else "read"
        first.counts[kind + "s"] += 1
        slot = self.set_of(0, line).find(line)
        if slot:
            self.set_of(0, line).touch(slot)
            slot[1] |= write
            return
        first.counts[kind + "_misses"] += 1
        dirty = self.fetch(1, address)
        self.insert(0, line, dirty or write)

    def fetch(self, level: int, address: int) -> bool:
        """Read a line for the level above; whether it comes dirty."""
        if level == len(self.levels):
            return False
        cache = self.levels[level]
        cache.counts["reads"] += 1
        line = address // cache.line_bytes
        inside = self.set_of(level, line)
        slot = inside.find(line)
        if slot and cache.holds == "exclusive":
            inside.remove(slot)
            return bool(slot[1])
        if slot:
            inside.touch(slot)
            return False
        cache.counts["read_misses"] += 1
        dirty = self.fetch(level + 1, address)
        if cache.holds == "exclusive":
            return dirty
        self.insert(level, line, dirty)
        return False

    def insert(self, level: int, line: int, dirty: bool) -> None:
        old = self.set_of(level, line).insert([line, dirty])
        if old:
            self.lose(level, *old)

    def lose(self, level: int, line: int, dirty: bool) -> None:
        """A level lost a line: call it back from above, then hand it down."""
        cache = self.levels[level]
        if cache.holds == "inclusive":
            for above in range(level):
                inside = self.set_of(above, line)
                if slot := inside.find(line):
                    inside.remove(slot)
                    self.levels[above].counts["back_invalidations"] += 1
                    dirty |= slot[1]
        if level + 1 < len(self.levels) and self.levels[level + 1].holds == "exclusive":
            cache.counts["write_backs"] += dirty
            self.levels[level + 1].counts["victims"] += 1
            self.insert(level + 1, line, dirty)
        elif dirty:
            self.write_back(level, line)

    def write_back(self, level: int, line: int) -> None:
        self.levels[level].counts["write_backs"] += 1
        if level + 1 == len(self.levels):
            return
        below = self.levels[level + 1]
        below.counts["writes"] += 1
        address = line * self.levels[level].line_bytes
        inside = self.set_of(level + 1, address // below.line_bytes)
        slot = inside.find(address // below.line_bytes)
        if slot:
            inside.touch(slot)
            slot[1] = True
            return
        below.counts["write_misses"] += 1
        if below.line_bytes > self.levels[level].line_bytes:
            self.fetch(level + 2, address)
        elif level + 2 < len(self.levels) and self.levels[level + 2].holds == "exclusive":
            apart = self.set_of(level + 2, line)
            if slot := apart.find(line):
                apart.remove(slot)
        self.insert(level + 1, address // below.line_bytes, True)

    def flush(self) -> None:
        for level, cache in enumerate(self.levels):
            dirty = [slot for _, inside in sorted(cache.content.items()) for slot in inside.order() if slot[1]]
            for slot in dirty:
                slot[1] = False
            for line, _ in dirty:
                if level + 1 < len(self.levels) and self.levels[level + 1].holds == "exclusive":
                    cache.counts["write_backs"] += 1
                else:
                    self.write_back(level, line)
