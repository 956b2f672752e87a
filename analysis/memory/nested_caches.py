"""Levels of caches that answer to each other, over time: any inclusion, any replacement, private levels per core."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import nested_kernels as kernels
from .nested_kernels import Array, Words
from .set_associative import aligned, lanes_of

_NEAR_BYTES = 2**17  # sets up to so many bytes are near anyway, in a second-level cache
_MOST_SHORT = 2**31  # words and marks below this fit int32
_WAYS_SHORT = 32  # whose tree fits a mark of int32


class NestedCaches:
    """Levels over time whose inclusion or replacement FilteringCaches does not know; one line size.

    shapes: sets and ways of each level, the innermost first. policies: LRU, FIFO or TREE_PLRU of each. holds:
    NON_INCLUSIVE … of each, of the levels above it. private: so many levels exist once per core. core: shift that turns
    a line into its core's number. Sets are int32 as long as what was accessed, and how often, fits, then int64.
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
        self._levels = np.zeros((len(shapes), kernels.FIELDS), np.int64)
        self.counts = self._levels[:, kernels.COUNTS :]
        size = 0
        for number, (row, (sets, ways)) in enumerate(zip(self._levels, shapes, strict=True)):
            alone, lanes = number < private, lanes_of(ways)
            words = (cores if alone else 1) * sets * 2 * lanes
            row[[kernels.FIRST, kernels.SETS, kernels.WAYS, kernels.LANES]] = size, sets, ways, lanes
            row[[kernels.MASK, kernels.CORE]] = -1 if sets & (sets - 1) else sets - 1, core if alone else 63
            row[[kernels.POLICY, kernels.HOLDS]] = policies[number], holds[number]
            row[kernels.FAR] = words * np.dtype(np.int32).itemsize > _NEAR_BYTES
            size += words
        wide = kernels.TREE_PLRU in policies and max(ways for _, ways in shapes) > _WAYS_SHORT
        self._keep(np.broadcast_to(np.int32(kernels.UNUSED), size), np.int64 if wide else np.int32)
        for level in range(len(shapes)):
            self._sets(level)[:, 1, : shapes[level][1]] = 0

    def serve(self, words: Array, noting: bool) -> list[tuple[Array, NDArray[np.bool_]]]:
        """Serve requests in order; for noting, each level's accesses as lines, and whether each missed."""
        depth = np.empty(len(words), np.uint8)
        self._make_room(len(words), int(words.max(initial=0)))
        kernels.serve(self._words, self._levels.reshape(-1), words, depth)
        if not noting:
            return []
        reached = [depth >= level for level in range(len(self._levels))]
        return [(words[there] >> 1, depth[there] > level) for level, there in enumerate(reached)]

    def flush(self) -> None:
        """Write every dirty line back, level by level, set by set, the newest first (tree-PLRU: in order of ways)."""
        self._make_room(len(self._words), 0)
        for level, row in enumerate(self._levels):
            sets = self._sets(level)
            lines = sets[:, 0]
            if row[kernels.POLICY] != kernels.TREE_PLRU:
                lines = np.take_along_axis(lines, np.argsort(-sets[:, 1], axis=1), axis=1)
            dirty = lines[lines & 1 == 1].astype(np.int64)
            sets[:, 0] &= ~1
            kernels.flush(self._words, self._levels.reshape(-1), level * kernels.FIELDS, dirty)

    def _make_room(self, requests: int, largest: int) -> None:
        """Keep sets in int64 from when so many more requests, or the largest of them, might not fit int32."""
        newest = int(self._levels[:, kernels.CLOCK].max()) + requests * (len(self._levels) + 1)  # marks in a level
        if self._words.dtype == np.int32 and max(newest, largest) >= _MOST_SHORT:
            self._keep(self._words, np.int64)

    def _keep(self, words: NDArray[Any], dtype: type[np.signedinteger[Any]]) -> None:
        """Keep all sets in `dtype`; no mark is newer than those of the lanes beyond the ways."""
        self._words: Words = aligned(words, dtype)
        for level, ways in enumerate(self._levels[:, kernels.WAYS]):
            self._sets(level)[:, 1, ways:] = np.iinfo(dtype).max

    def _sets(self, level: int) -> Words:
        """The sets of a level, of all cores: [sets, 2, lanes], lines and marks."""
        end = self._levels[level + 1, kernels.FIRST] if level + 1 < len(self._levels) else len(self._words)
        return self._words[self._levels[level, kernels.FIRST] : end].reshape(-1, 2, self._levels[level, kernels.LANES])
