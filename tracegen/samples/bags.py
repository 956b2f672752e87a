"""Bags: which sizes follow one another, and how many cold lookups stand together in a bag."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...jit import kernel
from ..fit import simplex
from .coupling import Column
from .levels import above, grades

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

FRACTION = 0.05  # of a table's rows: the cache whose misses are counted per bag
REACH = 16  # bags that a lookup may move
CLEAR = 3.0  # noise deviations above which a cell is believed


def size_steps(sizes: Ints, most: int) -> Ints:
    """Samples by the grades of the bag size before and of their own, int64 [grades, grades]."""
    law = grades(1, most, False)
    grade = law.of(sizes[None])
    flat = grade[:-1] * law.cells + grade[1:]
    return np.bincount(flat, minlength=law.cells**2).reshape(law.cells, law.cells).astype(np.int64)


def in_succession(sizes: Ints, steps: Ints, noise: float, most: int, rng: np.random.Generator) -> Ints:
    """The same sizes in an order in which they follow one another as `steps` says."""
    law = grades(1, most, False)
    mixed = rng.permutation(sizes)
    grade = law.of(mixed[None])
    share = np.bincount(grade, minlength=law.cells) / max(len(sizes), 1)
    expected = len(sizes) * np.outer(share, share)  # of sizes that know nothing of each other
    known = np.where(np.abs(steps - expected) > CLEAR * noise, np.maximum(steps, 0), expected) + 1e-6
    likely = known / known.sum(1, keepdims=True) / (known.sum(0) / known.sum())
    queue = np.argsort(grade, kind="stable")
    starts = np.searchsorted(grade[queue], np.arange(law.cells + 1)).astype(np.int64)
    return np.asarray(mixed[_succession(queue, starts, likely, rng.random(len(sizes)))])


@kernel
def _succession(queue: Ints, starts: Ints, likely: Floats, random: Floats) -> Ints:
    """Units by grade, each drawn in proportion to how many are left and how likely they follow the one before."""
    out = np.empty(len(queue), np.int64)
    head = starts[:-1].copy()
    before = 0
    for s in range(len(queue)):
        total = 0.0
        for g in range(len(head)):
            total += (starts[g + 1] - head[g]) * likely[before, g]
        target = random[s] * total
        chosen = -1
        for g in range(len(head)):
            left = starts[g + 1] - head[g]
            if left > 0:
                chosen = g
                target -= left * likely[before, g]
                if target <= 0:
                    break
        out[s] = queue[head[chosen]]
        head[chosen] += 1
        before = chosen
    return out


def bag_contents(column: Column, limit: int) -> Ints:
    """Bags by their size, lookups after more than `limit` slots or for the first time, and those for the first time.

    The three fall, so they are graded together: int64 [cells of grades(3, most, True)].
    """
    law = grades(3, column.most, True)
    counts = np.vstack((column.sizes(), column.counts(np.array([limit]))))
    return np.bincount(law.of(counts), minlength=law.cells).astype(np.int64)


def composed(
    numbers: Ints, sizes: Ints, rows: int, most: int, limit: int, contents: Ints, noise: float, rng: np.random.Generator
) -> Ints:
    """The table's lookups in an order in which bags of these sizes hold as many cold ones as `contents` says.

    No lookup moves by more than REACH bags; as they are where noise leaves nothing to go by.
    """
    law = grades(3, most, True)
    known = np.where(contents > CLEAR * noise, contents, 0).astype(np.float64)
    if known.sum() < 0.5 * len(sizes):
        return numbers
    known = simplex(known, float(len(sizes)))
    size_grade, least = law.least()[0], law.least()
    widest = np.append(law.edges[1:], most + 1)
    top = np.searchsorted(law.edges, least, "right") - 1
    by_size = np.searchsorted(law.edges, sizes, "right") - 1
    drawn = np.zeros(len(sizes), np.int64)
    for g, edge in enumerate(law.edges):
        mine = np.flatnonzero(by_size == g)
        cells = np.flatnonzero((size_grade == edge) & (known > 0))
        if len(cells) == 0:
            cells = np.flatnonzero(size_grade == edge)[:1]
        weights = known[cells] if known[cells].sum() > 0 else np.ones(len(cells))
        drawn[mine] = rng.choice(cells, len(mine), p=weights / weights.sum())
    spread = widest[top] - least
    wanted = least[1:, drawn] + (rng.random((2, len(sizes))) * spread[1:, drawn]).astype(np.int64)
    cold = np.minimum(wanted[0], sizes)
    first = np.minimum(wanted[1], cold)
    starts = np.arange(len(sizes)) * most - (np.cumsum(sizes) - sizes)
    passed = above(numbers, np.repeat(starts, sizes) + np.arange(len(numbers)), rows, np.array([limit]))
    reach = int(REACH * max(1.0, float(sizes.mean())))
    queue = np.argsort(passed, kind="stable")
    ends = np.searchsorted(passed[queue], np.arange(4)).astype(np.int64)
    return np.asarray(numbers[_compose(sizes, np.stack((sizes - cold, cold - first, first)), queue, ends, reach)])


@kernel
def _compose(sizes: Ints, wanted: Ints, queue: Ints, ends: Ints, reach: int) -> Ints:
    """Lookups in their new order; wanted: of each of three classes per bag; the oldest fill what is lacking."""
    out = np.empty(len(queue), np.int64)
    head = ends[:-1].copy()
    at = 0
    for s in range(len(sizes)):
        end = at + sizes[s]
        begin = at
        for c in range(3):  # what has waited too long comes first
            while at < end and head[c] < ends[c + 1] and queue[head[c]] < begin - reach:
                out[at] = queue[head[c]]
                head[c] += 1
                at += 1
                wanted[c, s] -= 1
        for c in (2, 1, 0):
            while wanted[c, s] > 0 and at < end and head[c] < ends[c + 1] and queue[head[c]] < end + reach:
                out[at] = queue[head[c]]
                head[c] += 1
                at += 1
                wanted[c, s] -= 1
        while at < end:
            oldest = -1
            for c in range(3):
                if head[c] < ends[c + 1] and (oldest < 0 or queue[head[c]] < queue[head[oldest]]):
                    oldest = c
            out[at] = queue[head[oldest]]
            head[oldest] += 1
            at += 1
        out[begin:end].sort()
    return out
