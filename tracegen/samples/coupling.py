"""Coupling: how cold a table's lookups are beside those of the tables before it, so that a sample misses as one.

Tables stand in a row, fewest rows first. For every table but the first, samples are counted by the running state (how
many lookups of the tables before pass each level) and the table's own class (how many of its own do). From the first to
the last these joint counts fix the distribution of misses per sample at every level, with one histogram per table
however many tables depend on each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..packed import Packed
from .levels import Grades, above, grades, per_sample
from .pairing import pair, runs, single

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

FRACTIONS = ((0.01, 0.05, 0.25), (0.02, 0.15), (0.1,))  # of a table's rows: the caches; fewer where noise is
CLEAR = 4.0  # noise deviations that samples per cell should have, to tell so many levels apart
MOST_CELLS = 4096  # of one joint count
WINDOW = 16  # samples that a lookup or a bag may move
STICKY = 0.2  # of a one-hot table's lookups, those that repeat the sample before: from here on, whole runs are moved
RUNS_WINDOW = 1024  # samples that a run may move
NEAR = 4  # and at most this part of the samples in which half of the runs come again
POWER = 2.0  # of likelihoods: what waits for its like is to be kept for it
ROUNDS = 30  # of fitting a law to what there is
LEAST = 1e-9  # samples, and likelihood, in place of none
SHORTEST = 4  # samples: a window below this is no room to move in


class Coupling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the tables of a log hang together; tables by their number in the profile.

    order: fewest rows first; limits: reuse times in slots [tables, levels − 1], the last level being first lookups;
    joints: samples [states, classes] for order[1:]; noise: deviation of a joint count, 0 if exact; used: whether
    generating keeps to it. claims: Kolmogorov distance of misses per sample, released against generated, without it
    and with it.
    """

    order: tuple[int, ...]
    limits: Packed
    joints: tuple[Packed, ...]
    noise: float
    used: bool = True
    claims: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class Column:
    """What coupling needs of a table. numbers: dense rows by lookup; slots: rising, `most` slots for every sample.

    Of a log that comes in parts: before: samples before this part; following: of levels.above, None for a whole table.
    """

    numbers: Ints
    slots: Ints
    rows: int
    samples: int
    most: int
    before: int = 0
    following: Ints | None = None

    def counts(self, limits: Ints) -> Ints:
        """Lookups of every sample above each level, int64 [levels, samples]."""
        passed = above(self.numbers, self.slots, self.rows, limits, self.following)
        if self.most == 1 and len(passed) == self.samples:  # one in every sample
            return np.asarray(passed > np.arange(len(limits) + 1)[:, None], np.int64)
        return per_sample(passed, self.slots // self.most - self.before, self.samples, len(limits) + 1)

    def sizes(self) -> Ints:
        """Lookups of every sample."""
        return np.bincount(self.slots // self.most - self.before, minlength=self.samples).astype(np.int64)

    def moved(self, places: Ints) -> Column:
        """The column with unit (lookup or bag) `places[s]` at sample s."""
        sizes = self.sizes()
        starts = np.cumsum(sizes) - sizes
        taken = sizes[places]
        inside = np.arange(len(self.slots)) - np.repeat(np.cumsum(taken) - taken, taken)
        source = np.repeat(starts[places], taken) + inside
        slots = np.repeat(np.arange(self.samples), taken) * self.most + self.slots[source] % self.most
        return replace(self, numbers=self.numbers[source], slots=slots)


def column_of(numbers: Ints, sizes: Ints, rows: int, most: int) -> Column:
    """A column of bags of these sizes, which take their samples' first slots."""
    starts = np.arange(len(sizes)) * most - (np.cumsum(sizes) - sizes)
    return Column(numbers, np.repeat(starts, sizes) + np.arange(len(numbers)), rows, len(sizes), most)


def table_order(distinct: Sequence[int]) -> tuple[int, ...]:
    """Tables by their number of rows: what has few rows can be moved least."""
    return tuple(np.argsort(np.array(distinct), kind="stable").tolist())


def running_grades(most: Sequence[int], levels: int) -> list[tuple[Grades, Grades]]:
    """Grades of the running state and of the own class for every table but the first; most: lookups per sample."""
    return [(grades(levels, sum(most[:j]), True), grades(levels, most[j], False)) for j in range(1, len(most))]


def fractions_for(most: Sequence[int], samples: int, noise: float) -> tuple[float, ...]:
    """The caches to tell apart: as many as public numbers (samples, cells, noise) allow."""
    for fractions in FRACTIONS[:-1]:
        cells = max(state.cells * own.cells for state, own in running_grades(most, len(fractions) + 1))
        if cells <= MOST_CELLS and samples >= CLEAR * noise * cells:
            return fractions
    return FRACTIONS[-1]


def joint_counts(columns: Sequence[Column], limits: Sequence[Ints]) -> list[Ints]:
    """Samples by running state × own class, for every column but the first; columns and limits in coupling order."""
    total = columns[0].counts(limits[0])
    every = running_grades([column.most for column in columns], len(total))
    found = []
    for column, limit, (state, own) in zip(columns[1:], limits[1:], every, strict=True):
        counts = column.counts(limit)
        flat = state.of(total) * own.cells + own.of(counts)
        found.append(np.bincount(flat, minlength=state.cells * own.cells).reshape(state.cells, own.cells))
        total = total + counts
    return found


def law_of(joint: Ints, noise: float, states: Ints, classes: Ints) -> Floats:
    """The share of every class beside every state, float64 [states, classes], of units in these states and classes.

    states, classes: samples of each. Noisy rows are shrunk towards independence by what noise explains of their
    distance from it (James and Stein 1961, positive part); then rows and columns are fitted to what there is (Deming
    and Stephan 1940).
    """
    counts = np.maximum(joint.astype(np.float64), 0)
    alone = counts.sum(0) / max(counts.sum(), 1.0)
    rows = counts.sum(1)
    law = np.where(rows[:, None] > 0, counts / np.maximum(rows[:, None], 1e-9), alone)
    if noise > 0:
        expected = np.count_nonzero(alone > 0) * noise**2
        surprise = ((joint - np.maximum(joint.sum(1), 0)[:, None] * alone) ** 2).sum(1)
        weight = np.clip(1 - expected / np.maximum(surprise, 1e-9), 0, 1)[:, None]
        law = weight * law + (1 - weight) * alone
    lift = np.where(alone > 0, law / np.maximum(alone, 1e-12), 1.0)
    fitted = (states[:, None] + LEAST) * (lift + LEAST) * (classes + LEAST)
    for _ in range(ROUNDS):
        fitted *= ((states + LEAST) / fitted.sum(1))[:, None]
        fitted *= (classes + LEAST) / fitted.sum(0)
    return np.asarray(fitted / fitted.sum(1)[:, None])


def couple(columns: list[Column], coupling: Coupling, rng: np.random.Generator) -> None:
    """Move every column but the first within its window, in the list, so that its classes suit the running state."""
    limits = coupling.limits.array()
    first, *others = coupling.order
    total = columns[first].counts(limits[first])
    every = running_grades([columns[k].most for k in coupling.order], len(total))
    for k, joint, (state, own) in zip(others, coupling.joints, every, strict=True):
        states, classes = state.of(total), own.of(columns[k].counts(limits[k]))
        found = [np.bincount(x, minlength=n) for x, n in zip((states, classes), joint.array().shape, strict=True)]
        places = _places(columns[k], states, classes, law_of(joint.array(), coupling.noise, *found), limits[k], rng)
        if places is not None:
            columns[k] = columns[k].moved(places)
        total += columns[k].counts(limits[k])


def _places(
    column: Column, states: Ints, classes: Ints, law: Floats, limits: Ints, rng: np.random.Generator
) -> Ints | None:
    """Where the column's lookups come from, int64 [samples]; None where they have no room to move in."""
    repeats = np.count_nonzero(column.numbers[1:] == column.numbers[:-1])
    if column.most == 1 and len(column.numbers) == column.samples and repeats > STICKY * column.samples:
        units = runs(column.numbers, classes, column.rows)
        window = min(units.soon() // NEAR, RUNS_WINDOW)
    else:
        units = single(classes)
        window = min(int(limits[0]) // column.most // 8, WINDOW)  # what small caches see must not change
    return pair(states, units, law, window, POWER, rng) if window >= SHORTEST else None


def miss_distance(columns: Sequence[Column], coupling: Coupling) -> float:
    """Kolmogorov distance of misses per sample, released against these columns, mean over levels."""
    limits = coupling.limits.array()
    first, *others, last = coupling.order
    total = columns[first].counts(limits[first])
    for k in others:
        total += columns[k].counts(limits[k])
    state, own = running_grades([columns[k].most for k in coupling.order], len(total))[-1]
    flat = state.of(total) * own.cells + own.of(columns[last].counts(limits[last]))
    ours = np.bincount(flat, minlength=state.cells * own.cells)
    theirs = np.maximum(coupling.joints[-1].array(), 0).ravel()
    misses = (state.least()[:, :, None] + own.least()[:, None, :]).reshape(len(total), -1)
    return float(np.mean([_distance(m, ours, theirs) for m in misses]))


def _distance(misses: Ints, ours: Ints, theirs: Ints) -> float:
    shares = [np.cumsum(np.bincount(misses, w)) / max(w.sum(), 1) for w in (ours, theirs)]
    return float(np.abs(shares[0] - shares[1]).max())
