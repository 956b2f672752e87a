"""Levels of caches that answer to each other, as a kernel: any inclusion, any replacement, private levels per core.

An inclusive level takes back from the levels above whatever it loses; an exclusive one trades lines with the level
above. All levels have the same line bytes. Words and requests are those of set_associative. A set is `ways` words of
`tags`: in order of use for LRU, of insertion for FIFO, unused ones last; in fixed ways for tree-PLRU, whose bits are in
`trees`.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...jit import kernel
from ..stack.intrinsics import prefetch

UNUSED = -2  # no line has this word; even, so that it is never dirty
LRU, FIFO, TREE_PLRU = range(3)
NON_INCLUSIVE, INCLUSIVE, EXCLUSIVE = range(3)

# Columns of `levels`, one row per level. FIRST: where its words begin in `tags`; TREES: its sets in `trees`. CORE:
# shift that turns a line into its core's number; the sets of the cores follow one another. HOLDS: which of the lines of
# the levels above.
FIRST, TREES, SETS, WAYS, CORE, POLICY, HOLDS, FIELDS = range(8)

# Columns of `counts`, one row per level; the first as in set_associative.
READS, WRITES, READ_MISSES, WRITE_MISSES, WRITE_BACKS, BACK_INVALIDATIONS, VICTIMS, COUNTERS = range(8)

_AHEAD = 16  # requests that the words are prefetched ahead
_CACHE_LINE = 8  # words

Array = NDArray[np.int64]


@kernel
def _place(levels: Array, level: int, word: int) -> tuple[int, int]:
    """Where a line's set begins in `tags`, and its place in `trees`; unsigned numbers divide and index faster."""
    line = word >> 1
    sets = np.uint64(levels[level, SETS])
    number = np.int64(np.uint64(line) % sets + (np.uint64(line) >> np.uint64(levels[level, CORE])) * sets)
    return levels[level, FIRST] + number * levels[level, WAYS], levels[level, TREES] + number


@kernel
def _find(tags: Array, at: int, ways: int, word: int) -> int:
    """The way that holds this line, dirty or not; `ways` if none."""
    found = ways
    for way in range(ways - 1, -1, -1):  # no way out of the loop: the compiler makes vectors of it
        found = way if tags[np.uint64(at + way)] | 1 == word | 1 else found
    return found


@kernel
def _push(tags: Array, at: int, last: int, word: int) -> None:
    """Move the words up to `last` − 1 one way on and put `word` first."""
    for way in range(last, 0, -1):
        tags[np.uint64(at + way)] = tags[np.uint64(at + way - 1)]
    tags[at] = word


@kernel
def _touch_tree(trees: Array, tree: int, ways: int, way: int) -> None:
    """Point every node on the way's path to its other side; node n has the bit n − 1 and the children 2n, 2n + 1."""
    node, half, bits = 1, ways >> 1, trees[tree]
    while half:
        bit = np.int64(1) << (node - 1)
        node *= 2
        if way & half:
            bits &= ~bit
            node += 1
        else:
            bits |= bit
        half >>= 1
    trees[tree] = bits


@kernel
def _way_of_tree(trees: Array, tree: int, ways: int) -> int:
    """The way that the tree points to."""
    node, half, way, bits = 1, ways >> 1, 0, trees[tree]
    while half:
        right = (bits >> (node - 1)) & 1
        way += half * right
        node = 2 * node + right
        half >>= 1
    return way


@kernel
def _use(tags: Array, trees: Array, levels: Array, level: int, at: int, tree: int, way: int, dirty: int) -> None:
    """Note a hit in `way`; dirty 1 marks the line so."""
    tags[at + way] |= dirty
    if levels[level, POLICY] == LRU:
        _push(tags, at, way, tags[at + way])
    elif levels[level, POLICY] == TREE_PLRU:
        _touch_tree(trees, tree, levels[level, WAYS], way)


@kernel
def _insert(tags: Array, trees: Array, levels: Array, level: int, at: int, tree: int, word: int) -> int:
    """Put a line that the set does not hold into it; the word it displaces, UNUSED if none."""
    way = levels[level, WAYS] - 1
    if levels[level, POLICY] == TREE_PLRU:
        way = _find(tags, at, levels[level, WAYS], UNUSED)
        if way == levels[level, WAYS]:
            way = _way_of_tree(trees, tree, levels[level, WAYS])
        _touch_tree(trees, tree, levels[level, WAYS], way)
    displaced = tags[at + way]
    if levels[level, POLICY] == TREE_PLRU:
        tags[at + way] = word
    else:
        _push(tags, at, way, word)
    return displaced  # type: ignore[no-any-return]


@kernel
def _remove(tags: Array, levels: Array, level: int, word: int) -> int:
    """Take a line out of a level; its word there, UNUSED if the level does not hold it."""
    at, ways = _place(levels, level, word)[0], levels[level, WAYS]
    way = _find(tags, at, ways, word)
    if way == ways:
        return UNUSED
    held = tags[at + way]
    if levels[level, POLICY] != TREE_PLRU:
        while way < ways - 1:
            tags[at + way] = tags[at + way + 1]
            way += 1
    tags[at + way] = UNUSED
    return held  # type: ignore[no-any-return]


@kernel
def _write_down(tags: Array, trees: Array, levels: Array, counts: Array, above: int, word: int) -> int:
    """Write a dirty line from level `above` into the next, or to memory; the word it displaces there."""
    counts[above, WRITE_BACKS] += 1
    to = above + 1
    if to == len(levels):
        return UNUSED
    counts[to, WRITES] += 1
    at, tree = _place(levels, to, word)
    way = _find(tags, at, levels[to, WAYS], word)
    if way < levels[to, WAYS]:
        _use(tags, trees, levels, to, at, tree, way, 1)
        return UNUSED
    counts[to, WRITE_MISSES] += 1
    if to + 1 < len(levels) and levels[to + 1, HOLDS] == EXCLUSIVE:
        _remove(tags, levels, to + 1, word)
    return _insert(tags, trees, levels, to, at, tree, word)


@kernel
def _settle(tags: Array, trees: Array, levels: Array, counts: Array, level: int, word: int) -> None:
    """Find a place for the word that `level` displaced, and for those that it displaces further down."""
    while word != UNUSED:
        if levels[level, HOLDS] == INCLUSIVE:
            for above in range(level):
                held = _remove(tags, levels, above, word)
                if held != UNUSED:
                    counts[above, BACK_INVALIDATIONS] += 1
                    word |= held & 1
        if level + 1 < len(levels) and levels[level + 1, HOLDS] == EXCLUSIVE:
            counts[level, WRITE_BACKS] += word & 1
            counts[level + 1, VICTIMS] += 1
            at, tree = _place(levels, level + 1, word)
            word = _insert(tags, trees, levels, level + 1, at, tree, word)
        elif word & 1:
            word = _write_down(tags, trees, levels, counts, level, word)
        else:
            word = UNUSED
        level += 1


@kernel
def _fill(tags: Array, trees: Array, levels: Array, counts: Array, found: int, word: int, dirty: int) -> None:
    """Bring a line into the levels above `found` that hold it, the lowest first; the lowest keeps `dirty`."""
    for level in range(found - 1, -1, -1):
        if levels[level, HOLDS] != EXCLUSIVE:
            at, tree = _place(levels, level, word)
            displaced = _insert(tags, trees, levels, level, at, tree, word | dirty)
            dirty = 0
            _settle(tags, trees, levels, counts, level, displaced)


@kernel
def serve(tags: Array, trees: Array, levels: Array, counts: Array, requests: Array, depth: NDArray[np.uint8]) -> None:
    """Serve `requests` in order; depth: the level that each hit, or the number of levels where none had the line."""
    for i in range(len(requests)):
        if i + _AHEAD < len(requests):
            for level in range(len(levels)):
                soon = np.uint64(_place(levels, level, requests[i + _AHEAD])[0])
                for part in range(0, levels[level, WAYS], _CACHE_LINE):
                    prefetch(tags, soon + np.uint64(part))
        word, write = requests[i] & ~1, requests[i] & 1
        found, dirty = 0, 0
        counts[0, READS + write] += 1
        while found < len(levels):
            at, tree = _place(levels, found, word)
            way = _find(tags, at, levels[found, WAYS], word)
            if way < levels[found, WAYS]:
                if levels[found, HOLDS] == EXCLUSIVE:
                    dirty = _remove(tags, levels, found, word) & 1
                else:
                    _use(tags, trees, levels, found, at, tree, way, 0)
                break
            counts[found, READ_MISSES + (write if found == 0 else 0)] += 1
            found += 1
            if found < len(levels):
                counts[found, READS] += 1
        _fill(tags, trees, levels, counts, found, word, dirty)
        if write:
            at = _place(levels, 0, word)[0]
            tags[at + _find(tags, at, levels[0, WAYS], word)] |= 1
        depth[i] = found


@kernel
def flush(tags: Array, trees: Array, levels: Array, counts: Array, level: int, words: Array) -> None:
    """Write dirty `words` of `level` down; into memory where the next level is exclusive of this one."""
    for word in words:
        if level + 1 < len(levels) and levels[level + 1, HOLDS] == EXCLUSIVE:
            counts[level, WRITE_BACKS] += 1
        else:
            _settle(tags, trees, levels, counts, level + 1, _write_down(tags, trees, levels, counts, level, word))


class NestedCaches:
    """Levels over time whose inclusion or replacement FilteringCaches does not know; one line size.

    shapes: sets and ways of each level, the innermost first. policies: LRU, FIFO or TREE_PLRU of each. holds:
    NON_INCLUSIVE … of each, of the levels above it. private: so many levels exist once per core. core: shift that turns
    a line into its core's number.
    """

    def __init__(
        self,
        shapes: Sequence[tuple[int, int]],
        policies: Sequence[int],
        holds: Sequence[int],
        private: int,
        cores: int,
        core: int,
    ) -> None:
        self.counts = np.zeros((len(shapes), COUNTERS), np.int64)
        self._levels = np.zeros((len(shapes), FIELDS), np.int64)
        words = trees = 0
        for number, (row, (sets, ways)) in enumerate(zip(self._levels, shapes, strict=True)):
            one_core = number >= private
            row[[FIRST, TREES, SETS, WAYS, CORE]] = words, trees, sets, ways, 63 if one_core else core
            row[[POLICY, HOLDS]] = policies[number], holds[number]
            copies = 1 if one_core else cores
            words += copies * sets * ways
            trees += copies * sets
        self._tags = np.full(words, UNUSED, np.int64)
        self._trees = np.zeros(trees, np.int64)

    def serve(self, words: Array, noting: bool) -> list[tuple[Array, NDArray[np.bool_]]]:
        """Serve requests in order; for noting, each level's accesses as lines, and whether each missed."""
        depth = np.empty(len(words), np.uint8)
        serve(self._tags, self._trees, self._levels, self.counts, words, depth)
        if not noting:
            return []
        reached = [depth >= level for level in range(len(self._levels))]
        return [(words[there] >> 1, depth[there] > level) for level, there in enumerate(reached)]

    def flush(self) -> None:
        """Write every dirty line back, level by level, set by set; what is held apart goes to memory."""
        for level, first in enumerate(self._levels[:, FIRST]):
            end = self._levels[level + 1, FIRST] if level + 1 < len(self._levels) else len(self._tags)
            tags = self._tags[first:end]
            dirty = tags & 1 == 1
            words = tags[dirty]
            tags[dirty] ^= 1
            flush(self._tags, self._trees, self._levels, self.counts, level, words)
