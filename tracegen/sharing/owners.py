"""Owners: by which of the features that share a table a row is looked up, and which feature follows which at a row.

Of a hot row its lookups by feature are counted. Other rows are counted by how their lookups divide: each feature's,
over its slots per sample, as so many parts of a small whole. Lookups are counted by how hot their row is, the feature
of its lookup before, their own, and the time between.
"""

from __future__ import annotations

from functools import cache
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from ...jit import kernel
from ..clock import Clock
from ..locality import count_class, octaves

Ints = NDArray[np.int64]

FINE, ROUGH = 4, 2  # parts of a whole
MOST_MIXES = 512  # up to here parts are fine
HEATS = 3  # of rows: the first of the hot buckets, the others, and what is not hot
HOTTEST = 8  # one in so many of the hot buckets


def parts_of(features: int) -> int:
    """Parts that a row's lookups are divided into; a public number."""
    return FINE if comb(features + FINE - 1, FINE) <= MOST_MIXES else ROUGH


@cache
def _mixes(features: int, parts: int) -> tuple[tuple[int, ...], ...]:
    """Every way to divide `parts` among features."""
    ends = combinations(range(parts + features - 1), features - 1)
    return tuple(tuple(np.diff((-1, *end, parts + features - 1)) - 1) for end in ends)


def mixes(features: int) -> Ints:
    """Every way in which a row may divide, int64 [mixes, features], in rising order of its code."""
    every = np.array(_mixes(features, parts_of(features)), np.int64).reshape(-1, features)
    return every[np.argsort(_code(every))]


def mix_of(counts: Ints, per_sample: Ints) -> Ints:
    """The number among mixes of every row, int64 [rows]; counts: lookups by row × feature, each row's sum positive."""
    features = counts.shape[1]
    parts = parts_of(features)
    weights = counts / per_sample
    exact = weights / weights.sum(1, keepdims=True) * parts
    whole = np.floor(exact + 1e-9).astype(np.int64)
    order = np.argsort(whole - exact, axis=1, kind="stable")  # the largest remainders first
    lacking = parts - whole.sum(1)
    extra = np.empty_like(whole)
    np.put_along_axis(extra, order, np.arange(features)[None] < lacking[:, None], axis=1)
    return np.searchsorted(_code(mixes(features)), _code(whole + extra))


def _code(mix: Ints) -> Ints:
    """One number for each row of parts."""
    parts = parts_of(mix.shape[1])
    return np.asarray(mix @ ((parts + 1) ** np.arange(mix.shape[1], dtype=np.int64)), np.int64)


class Owning:
    """What is counted of a shared table while it comes in parts, in slots order: 8 bytes a row, and 8 for each feature.

    group: of every row, its hot bucket's number, −1 for none; groups: hot buckets.
    """

    def __init__(self, clock: Clock, group: Ints, groups: int) -> None:
        self._per_sample = np.array([feature.per_sample for feature in clock.features], np.int64)
        self._owner = np.repeat(np.arange(len(self._per_sample)), self._per_sample)
        self._length, self._group, self._groups = clock.length, group, groups
        self._heat = heat_of(group, groups)
        self._counts = np.zeros((len(group), len(self._per_sample)), np.int64)
        self._last = np.zeros(len(group), np.int64)  # slot + 1
        self._firsts, self._passes = _no_passes(len(self._per_sample), clock.length)

    def add(self, numbers: Ints, slots: Ints) -> None:
        """The next lookups."""
        _count(numbers, slots, self._owner, self._heat, self._last, self._counts, self._firsts, self._passes)

    def values(self) -> dict[str, Ints]:
        """owners: lookups of hot buckets × feature; mixes: other rows by class of their count × how they divide;
        passes: of pass_table."""
        hot = self._group >= 0
        owners = np.zeros((self._groups, len(self._per_sample)), np.int64)
        np.add.at(owners, self._group[hot], self._counts[hot])
        cold = self._counts[~hot & (self._counts.sum(1) > 0)]
        kinds, classes = len(mixes(len(self._per_sample))), int(count_class(np.array([self._length]))[0]) + 1
        flat = count_class(cold.sum(1)) * kinds + mix_of(cold, self._per_sample) if len(cold) else np.zeros(0, np.int64)
        table = np.bincount(flat, minlength=classes * kinds).reshape(classes, kinds).astype(np.int64)
        return {"owners": owners, "mixes": table, "passes": _joined(self._firsts, self._passes)}


def heat_of(group: Ints, groups: int) -> Ints:
    """How hot each row is, 0 the hottest; group: its hot bucket's rank, −1 for none; groups: hot buckets."""
    return np.where(group < 0, HEATS - 1, np.where(group < groups // HOTTEST, 0, 1)).astype(np.int64)


def pass_table(numbers: Ints, slots: Ints, features: Ints, heat: Ints, kinds: int, length: int) -> Ints:
    """Rows by heat × the feature of their first lookup, and behind them lookups by heat × the feature of their row's
    lookup before × their own × octave of the slots between.

    features: of every lookup, of `kinds`; heat: of every row.
    """
    firsts, passes = _no_passes(kinds, length)
    _pass(numbers, slots, features, heat, np.zeros((len(heat), 2), np.int64), firsts, passes)
    return _joined(firsts, passes)


def by_before(table: Ints, kinds: int) -> Ints:
    """A pass_table as one: heat × the feature before, the last for none × own × octave (the first where none)."""
    first = table[: HEATS * kinds].reshape(HEATS, kinds)
    again = table[HEATS * kinds :].reshape(HEATS, kinds, kinds, -1)
    made = np.zeros((HEATS, kinds + 1, kinds, again.shape[3]), np.int64)
    made[:, :kinds], made[:, kinds, :, 0] = again, first
    return made


def _no_passes(kinds: int, length: int) -> tuple[Ints, Ints]:
    return np.zeros((HEATS, kinds), np.int64), np.zeros((HEATS, kinds, kinds, octaves(length)), np.int64)


def _joined(firsts: Ints, passes: Ints) -> Ints:
    return np.concatenate((firsts.ravel(), passes.ravel()))


@kernel
def _octave(reuse: int) -> int:
    octave = 0
    while reuse > 1:
        reuse >>= 1
        octave += 1
    return octave


@kernel
def _count(
    numbers: Ints, slots: Ints, owner: Ints, heat: Ints, last: Ints, counts: Ints, firsts: Ints, passes: Ints
) -> None:
    for i in range(len(numbers)):
        row, own = numbers[i], owner[slots[i] % len(owner)]
        counts[row, own] += 1
        if last[row] == 0:
            firsts[heat[row], own] += 1
        else:
            before = owner[(last[row] - 1) % len(owner)]
            passes[heat[row], before, own, _octave(slots[i] + 1 - last[row])] += 1
        last[row] = slots[i] + 1


@kernel
def _pass(numbers: Ints, slots: Ints, features: Ints, heat: Ints, known: Ints, firsts: Ints, passes: Ints) -> None:
    """known: of every row, its last slot + 1 and its feature there."""
    for i in range(len(numbers)):
        row, own = numbers[i], features[i]
        if known[row, 0] == 0:
            firsts[heat[row], own] += 1
        else:
            passes[heat[row], known[row, 1], own, _octave(slots[i] + 1 - known[row, 0])] += 1
        known[row, 0], known[row, 1] = slots[i] + 1, own
