"""Levels: how cold a sample's lookups are in one table, as caches of several sizes see it, from reuse times alone.

A lookup passes limit k if its row was last asked for more than limits[k] slots ago; a row's first lookup passes all
limits and one level more. A sample's counts above each level are its misses in LRU caches of a size each.
"""

from __future__ import annotations

from itertools import pairwise, product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...jit import kernel

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

FINE = 8  # counts up to here have a grade each; beyond, two an octave
COARSE = 2  # the same for a bag by itself; beyond, one an octave


def thresholds(reuse: Ints, distinct: int, edges: Ints, fractions: tuple[float, ...]) -> Ints:
    """Reuse times at which LRU caches of `fractions` of `distinct` rows begin to miss, int64 [fractions], rising.

    reuse: lookups per reuse bin, exact or noisy. By the average eviction time (Hu et al., USENIX ATC 2016): a cache of
    C rows holds a row for the T slots over which survival sums to C.
    """
    known = np.maximum(reuse.astype(np.float64), 0)
    total = known.sum() + max(distinct, 1)  # first lookups never come again within any time
    survival = 1 - np.concatenate(([0], np.cumsum(known))) / total
    area = np.concatenate(([0], np.cumsum((survival[:-1] + survival[1:]) / 2 * np.diff(edges))))
    sizes = [max(1.0, fraction * distinct) for fraction in fractions]
    times = np.interp(sizes, area, edges - edges[0])
    return np.asarray(np.maximum.accumulate(np.maximum(np.round(times), 1)), np.int64)


def above(numbers: Ints, slots: Ints, rows: int, limits: Ints, following: Ints | None = None) -> NDArray[np.uint8]:
    """How many levels each lookup passes, uint8 [accesses]; numbers: dense rows, slots: rising.

    following: int64 [rows], of every row its last slot + 1, or 0; kept up to date, for lookups that come in parts.
    """
    return _above(numbers, slots, np.zeros(rows, np.int64) if following is None else following, limits)


@kernel
def _above(numbers: Ints, slots: Ints, following: Ints, limits: Ints) -> NDArray[np.uint8]:
    out = np.empty(len(numbers), np.uint8)
    for i in range(len(numbers)):
        row = numbers[i]
        passed = len(limits) + 1
        if following[row] > 0:
            reuse = slots[i] + 1 - following[row]
            passed = 0
            while passed < len(limits) and reuse > limits[passed]:
                passed += 1
        out[i] = passed
        following[row] = slots[i] + 1
    return out


def per_sample(passed: NDArray[np.uint8], sample: Ints, samples: int, levels: int) -> Ints:
    """Lookups of every sample that pass each level, int64 [levels, samples]; sample: of every lookup."""
    return np.array([np.bincount(sample[passed > k], minlength=samples) for k in range(levels)], np.int64)


class Grades(NamedTuple):
    """Falling counts (n1 ≥ n2 ≥ …) by one number. edges: counts are told apart at these; code: of graded counts."""

    edges: Ints
    code: Ints
    cells: int

    def of(self, counts: Ints) -> Ints:
        """The number of every column of counts [levels, samples]."""
        grade = np.searchsorted(self.edges, np.arange(self.edges[-1] + 1), "right") - 1
        cell = np.zeros(counts.shape[1], np.int64)
        for level in counts:  # one after the other, so that long logs are not graded several times over in memory
            cell *= len(self.edges)
            cell += grade[np.minimum(level, self.edges[-1])]
        return np.asarray(self.code.ravel()[cell])

    def least(self) -> Ints:
        """The smallest counts of every number, int64 [levels, cells]."""
        cells = np.argwhere(self.code >= 0)
        out = np.empty((self.code.ndim, self.cells), np.int64)
        out[:, self.code[tuple(cells.T)]] = self.edges[cells.T]
        return out


def grades(levels: int, most: int, fine: bool) -> Grades:
    """Grades of counts 0 … most; `fine` for sums over tables, else for one table's bag."""
    edges = [*range(min(most, FINE if fine else COARSE) + 1)]
    ratio = 2**0.5 if fine else 2.0
    while edges[-1] < most:
        edges.append(max(edges[-1] + 1, round((edges[-1] + (0.5 if fine else 0)) * ratio)))
    edges = [edge for edge in edges if edge <= most]
    code = np.full((len(edges),) * levels, -1, np.int64)
    every = product(range(len(edges)), repeat=levels)
    falling = [cell for cell in every if all(a >= b for a, b in pairwise(cell))]
    for number, cell in enumerate(falling):
        code[cell] = number
    return Grades(np.array(edges, np.int64), code, len(falling))
