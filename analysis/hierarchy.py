"""Hierarchy: what several levels of set-associative caches make of a stream of addresses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import HotrowError
from ..profiling.machine import Machine
from ..tracegen.trace import Trace
from .memory import nested_kernels
from .memory.layout import Layout
from .memory.levels import Cores, Level, LevelStats, levels_of
from .memory.line_words import line_words
from .memory.nested_caches import NestedCaches
from .memory.set_associative import FilteringCaches
from .reuse_distance import StackDistances

__all__ = ["Cores", "Hierarchy", "Level", "LevelStats", "check", "simulate", "simulate_trace"]

REPLACEMENTS = {"LRU": nested_kernels.LRU, "FIFO": nested_kernels.FIFO, "tree-PLRU": nested_kernels.TREE_PLRU}
INCLUSIONS = {
    "non-inclusive": nested_kernels.NON_INCLUSIVE,
    "inclusive": nested_kernels.INCLUSIVE,
    "exclusive": nested_kernels.EXCLUSIVE,
}
_BLOCK = 2**15  # requests that pass through the levels together


class Hierarchy:
    """Levels of caches over time: serve addresses, flush, count.

    levels: at least one, the innermost first; line bytes do not fall from one to the next. replacement: LRU, FIFO or
    tree-PLRU (ways a power of two up to 64; an unused way is filled before the tree is asked), one for all levels or
    one for each. inclusion: non-inclusive (look up L1, L2, …, fill every level that missed), inclusive (a level holds
    all that the levels above hold, and takes back what it loses) or exclusive (a level holds what the level above
    lost, and gives a line back on a hit); one for all levels or one for each from the second on. Writes allocate and
    are written back; a line that a write-back brings whole is not read from below. cores: None is one core.
    tell_apart: also count the kinds of misses, in memory that grows with the distinct lines; only where nothing writes.
    Raises HotrowError where line bytes differ, unless every level is non-inclusive with LRU or FIFO and cores is None.
    """

    def __init__(
        self,
        levels: Sequence[Level],
        *,
        replacement: str | Sequence[str] = "LRU",
        inclusion: str | Sequence[str] = "non-inclusive",
        cores: Cores | None = None,
        tell_apart: bool = False,
    ) -> None:
        self.levels = tuple(levels)
        policies, holds = check(self.levels, replacement, inclusion)
        self.line_bytes = self.levels[0].line_bytes
        if cores and cores.private > len(self.levels):
            raise HotrowError(f"{cores.private} private levels of {len(self.levels)}")
        if cores and cores.span_bytes < self.line_bytes:
            raise HotrowError(f"a core has {cores.span_bytes} bytes of addresses, less than a line ({self.line_bytes})")
        self._cores = cores
        self._kinds = [_Kinds(level.lines) for level in self.levels] if tell_apart else []
        shapes = [(level.sets, level.ways) for level in self.levels]
        self._caches: FilteringCaches | NestedCaches
        if nested_kernels.TREE_PLRU not in policies and not any(holds) and cores is None:
            lines = [level.line_bytes.bit_length() - 1 for level in self.levels]
            self._caches = FilteringCaches(shapes, lines, [policy == nested_kernels.FIFO for policy in policies])
        else:
            _check_one_line_size(self.levels)
            cores = cores or Cores(1, 0, 2**62)
            shift = (cores.span_bytes // self.line_bytes).bit_length() - 1
            self._caches = NestedCaches(shapes, policies, holds, cores.private, cores.count, shift)

    def serve(self, words: NDArray[np.int64]) -> None:
        """Serve accesses in order; words: line × 2 + write, lines of the first level [accesses]."""
        if self._kinds and (words & 1).any():
            raise HotrowError("misses are told apart only where nothing writes")
        if len(words) and words.min() < 0:
            raise HotrowError(f"word {words.min()}; a word is line × 2 + write, and lines start at 0")
        if self._cores and len(words):
            self._cores.check((int(words.max()) >> 1) * self.line_bytes)
        for start in range(0, len(words), _BLOCK):
            streams = self._caches.serve(words[start : start + _BLOCK], bool(self._kinds))
            for kinds, (accessed, missed) in zip(self._kinds, streams, strict=False):
                kinds.count(accessed, missed)

    def flush(self) -> None:
        """Write every dirty line back, the innermost level first."""
        self._caches.flush()

    def stats(self) -> tuple[LevelStats, ...]:
        """What each level counted so far."""
        kinds = [each.found() for each in self._kinds] or [{}] * len(self.levels)
        return tuple(
            LevelStats(level.name, *(int(count) for count in counts), **each)
            for level, counts, each in zip(self.levels, self._caches.counts, kinds, strict=True)
        )


def simulate(
    addresses: ArrayLike,
    levels: Sequence[Level] | Machine,
    *,
    replacement: str | Sequence[str] = "LRU",
    inclusion: str | Sequence[str] | None = None,
    writes: ArrayLike | None = None,
    flush: bool = False,
    tell_apart: bool = False,
) -> tuple[LevelStats, ...]:
    """What each level counts on byte addresses in order, each access within one line of the first level.

    addresses: integers [accesses] from 0. levels: or a machine, whose core's caches they are. inclusion: None is the
    machine's, else non-inclusive. writes: whether each access stores, bool [accesses]; None: all read. flush:
    write dirty lines back at the end, as Dinero IV does. The rest as for Hierarchy. No access: every count is 0.
    Raises HotrowError for other addresses or levels.
    """
    caches = _hierarchy(levels, replacement, inclusion, tell_apart)
    bytes, stores = _checked(addresses, writes)
    shift = caches.line_bytes.bit_length() - 1
    for start in range(0, len(bytes), _BLOCK):
        block = slice(start, start + _BLOCK)
        words = (bytes[block] >> shift).astype(np.int64, copy=False) << 1
        caches.serve(words if stores is None else words | stores[block])
    if flush:
        caches.flush()
    return caches.stats()


def simulate_trace(
    trace: Trace | Iterable[Trace],
    layout: Layout,
    levels: Sequence[Level] | Machine,
    *,
    replacement: str | Sequence[str] = "LRU",
    inclusion: str | Sequence[str] | None = None,
    update_every: int | None = None,
    flush: bool = False,
    tell_apart: bool = False,
) -> tuple[LevelStats, ...]:
    """What each level counts on a trace's lookups, laid out in memory; the addresses are never in memory together.

    trace: whole, or its parts in order. Order and updates as line_words says, the rest as for simulate. A table
    that nobody looks up takes room in the layout and no access.
    """
    caches = _hierarchy(levels, replacement, inclusion, tell_apart)
    for words in line_words(trace, layout, caches.line_bytes, update_every):
        caches.serve(words)
    if flush:
        caches.flush()
    return caches.stats()


def _hierarchy(
    levels: Sequence[Level] | Machine,
    replacement: str | Sequence[str],
    inclusion: str | Sequence[str] | None,
    tell_apart: bool,
) -> Hierarchy:
    known: str | Sequence[str] = "non-inclusive"
    if isinstance(levels, Machine):
        levels, known = levels_of(levels)
    chosen = known if inclusion is None else inclusion
    return Hierarchy(levels, replacement=replacement, inclusion=chosen, tell_apart=tell_apart)


def check(
    levels: Sequence[Level], replacement: str | Sequence[str], inclusion: str | Sequence[str]
) -> tuple[list[int], list[int]]:
    """Each level's replacement and inclusion as numbers of nested_kernels, the first level's inclusion too.

    Raises HotrowError where a hierarchy on one core cannot be made of them; arguments as for Hierarchy.
    """
    if not levels:
        raise HotrowError("a hierarchy needs at least one level")
    policies = _codes(replacement, len(levels), REPLACEMENTS, "replacement")
    holds = [nested_kernels.NON_INCLUSIVE, *_codes(inclusion, len(levels) - 1, INCLUSIONS, "inclusion")]
    _check_levels(levels, policies)
    if nested_kernels.TREE_PLRU in policies or any(holds):
        _check_one_line_size(levels)
    return policies, holds


def _checked(addresses: ArrayLike, writes: ArrayLike | None) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """Addresses as int64 or uint64, and whether each is written; HotrowError for what cannot be."""
    bytes = np.asarray(addresses)
    if bytes.ndim == 1 and bytes.size == 0:
        bytes = bytes.astype(np.int64)  # numpy calls an empty list float64
    if bytes.ndim != 1 or bytes.dtype.kind not in "iu":
        raise HotrowError(
            f"addresses are {bytes.dtype} with {bytes.ndim} dimensions; they must be integers in one dimension"
        )
    if bytes.dtype.kind == "i" and len(bytes) and bytes.min() < 0:
        where = int(np.argmax(bytes < 0))
        raise HotrowError(f"address {bytes[where]} at access {where}; addresses start at 0")
    stores = None if writes is None else np.asarray(writes, np.bool_)
    if stores is not None and stores.shape != bytes.shape:
        raise HotrowError(f"writes has shape {stores.shape} for {len(bytes)} addresses; give one for each")
    return bytes.astype(np.uint64 if bytes.dtype == np.uint64 else np.int64, copy=False), stores


def _codes(given: str | Sequence[str], count: int, known: dict[str, int], what: str) -> list[int]:
    names = [given] * count if isinstance(given, str) else list(given)
    if len(names) != count:
        raise HotrowError(f"{len(names)} {what}s for {count} levels that need one; give one name, or one for each")
    for name in [*names, *([given] if isinstance(given, str) else [])]:
        if name not in known:
            raise HotrowError(f"unknown {what} {name!r}; known are {', '.join(known)}")
    return [known[name] for name in names]


def _check_levels(levels: Sequence[Level], policies: Sequence[int]) -> None:
    for inner, outer in pairwise(levels):
        if inner.line_bytes > outer.line_bytes:
            raise HotrowError(
                f"{inner.name} has lines of {inner.line_bytes} bytes and {outer.name} below it of {outer.line_bytes}; "
                "a line of a level must fit a line of the next"
            )
    for level, policy in zip(levels, policies, strict=True):
        if policy == nested_kernels.TREE_PLRU and (level.ways & (level.ways - 1) or level.ways > 64):
            raise HotrowError(f"{level.name}: {level.ways} ways; tree-PLRU needs a power of two, at most 64")


def _check_one_line_size(levels: Sequence[Level]) -> None:
    if len({level.line_bytes for level in levels}) > 1:
        sizes = ", ".join(f"{level.name} {level.line_bytes}" for level in levels)
        raise HotrowError(f"line bytes differ ({sizes}); only non-inclusive levels with LRU or FIFO may differ")


class _Kinds:
    """Compulsory, capacity and conflict misses of a level that holds `lines` lines, over time."""

    def __init__(self, lines: int) -> None:
        self._lines, self._stack = lines, StackDistances()
        self._misses = self._compulsory = self._capacity = 0

    def count(self, accessed: NDArray[np.int64], missed: NDArray[np.bool_]) -> None:
        """Note the level's next accesses, as lines, and whether each missed."""
        distances = self._stack.feed(accessed)[missed]
        self._misses += len(distances)
        self._compulsory += int(np.count_nonzero(distances < 0))
        self._capacity += int(np.count_nonzero(distances >= self._lines))

    def found(self) -> dict[str, int]:
        """The misses so far by their kinds."""
        conflict = self._misses - self._compulsory - self._capacity
        return {"compulsory": self._compulsory, "capacity": self._capacity, "conflict": conflict}
