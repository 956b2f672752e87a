"""Locality: how soon a row is asked for again. Bin edges, and one pass that counts everything a profile keeps.

All edges depend on the length of the clock alone. Reuse time is the difference of two slots; row classes are a row's
number of accesses; a span is last slot − first slot.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..jit import kernel
from .clock import ClockedTable
from .scale.numbering import grown

Ints = NDArray[np.int64]

BINS_PER_OCTAVE = 4
SMALL = 48  # counts up to here have a cell each
SHAPE_WINDOWS = 32  # windows of a hot row's activity, and cells of a birth's position
BIRTH_COUNTS = (2, 4, 16, 128)  # groups of counts for births; each twice, short and long spans
LONG_SPAN = 1 / 16  # of the clock


def reuse_edges(length: int, per_octave: int = BINS_PER_OCTAVE) -> Ints:
    """Edges of reuse-time bins, geometric, integers from 1 to `length`; bin b is edges[b] … edges[b+1] − 1."""
    top = max(2, length)
    steps = np.arange(0, math.log2(top) + 1 / per_octave, 1 / per_octave)
    edges = np.unique(np.round(2.0**steps).astype(np.int64))
    return np.append(edges[edges < top], top)


def span_edges(length: int) -> Ints:
    """Edges of span bins: octaves, then fractions of the clock so that 'nearly all of it' is told apart."""
    octaves = 2 ** np.arange(max(1, int(math.log2(max(2, length)))))
    fractions = np.array([1 / 16, 1 / 8, 1 / 4, 3 / 8, 1 / 2, 5 / 8, 3 / 4, 7 / 8, 15 / 16, 31 / 32, 1.0])
    edges = np.concatenate((octaves[octaves < length / 16], np.round(length * fractions).astype(np.int64), [1]))
    return np.unique(np.maximum(edges, 1)) if length > 2 else np.array([1, max(2, length)])


def octaves(length: int) -> int:
    """Octaves of reuse time on a clock of `length` slots."""
    return int(math.log2(max(2, length))) + 1


def count_class(counts: Ints) -> Ints:
    """0 … 3 for counts 1 … 4, 4 for 5 – 7, then one class per octave."""
    octave = np.floor(np.log2(np.maximum(counts, 1)) + 1e-12).astype(np.int64)
    return np.where(counts <= 4, counts - 1, octave + 2)


def birth_class(counts: Ints, spans: Ints, length: int) -> Ints:
    """Group of counts × (short, long span): 10 classes."""
    return np.digitize(counts, BIRTH_COUNTS) * 2 + (spans > length * LONG_SPAN)


class History(NamedTuple):
    """What one pass over a clocked table gives. counts, first, last: per row; ages: accesses per window × reuse bin,
    first accesses in the last column; pairs: consecutive reuse times of a row by octave."""

    counts: Ints
    first: Ints
    last: Ints
    ages: Ints
    pairs: Ints


def history(table: ClockedTable, windows: int) -> History:
    """Per-row counts and slots, and the age matrix over `windows` windows of the clock."""
    past = Past(table.length, windows)
    past.add(table.numbers, table.slots, len(table.ids))
    return past.history()


class Past:
    """A History while a table comes in parts: 32 bytes a row, whatever the number of lookups."""

    def __init__(self, length: int, windows: int) -> None:
        self._edges = reuse_edges(length)
        self._starts = octave_starts(self._edges, length)
        self._width = window_length(length, windows)
        self._rows = 0
        self._known = np.zeros((0, 4), np.int64)  # of every row: count, first and last slot, octave before + 1
        self._ages = np.zeros((-(-int(self._edges[-1]) // self._width), len(self._edges)), np.int64)
        self._pairs = np.zeros((octaves(length), octaves(length)), np.int64)

    def add(self, numbers: Ints, slots: Ints, rows: int) -> None:
        """The next lookups; numbers are below `rows`, the rows seen so far."""
        self._rows = rows
        self._known = grown(self._known, rows)
        _remember(numbers, slots, self._known, self._ages, self._pairs, self._edges, self._starts, self._width)

    def history(self) -> History:
        """Of all lookups so far."""
        counts, first, last, _ = self._known[: self._rows].T
        return History(counts, first, last, self._ages, self._pairs)


class Reuse:
    """Accesses per reuse-time bin while a table comes in parts: 8 bytes a row. found: int64 [bins]."""

    def __init__(self, length: int) -> None:
        self._edges = reuse_edges(length)
        self._starts = octave_starts(self._edges, length)
        self._next = np.zeros(0, np.int64)  # of every row: last slot + 1, 0 for none
        self.found = np.zeros(len(self._edges) - 1, np.int64)

    def add(self, numbers: Ints, slots: Ints, rows: int) -> None:
        """The next lookups; numbers are below `rows`, the rows seen so far."""
        self._next = grown(self._next, rows)
        _recur(numbers, slots, self._next, self.found, self._edges, self._starts)


def window_length(length: int, windows: int) -> int:
    """Slots of a window when the clock is cut into at most `windows` windows of equal length."""
    return max(1, -(-length // windows))


def octave_starts(edges: Ints, length: int) -> Ints:
    """The bin that reuse time 2^k falls into, for every octave k."""
    return np.searchsorted(edges, 2 ** np.arange(octaves(length)), "right").astype(np.int64) - 1


@kernel
def _bin(reuse: int, start: int, edges: Ints) -> int:
    """The bin of a reuse time; start: the bin of the octave that it is in."""
    while start < len(edges) - 2 and reuse >= edges[start + 1]:
        start += 1
    return start


@kernel
def _remember(
    numbers: Ints, slots: Ints, known: Ints, ages: Ints, pairs: Ints, edges: Ints, starts: Ints, width: int
) -> None:
    bins = len(edges) - 1
    for i in range(len(numbers)):
        row = numbers[i]
        slot = slots[i]
        if known[row, 0] == 0:
            known[row, 1] = slot
            ages[slot // width, bins] += 1
        else:
            reuse = slot - known[row, 2]
            octave = int(math.log2(reuse))
            ages[slot // width, _bin(reuse, starts[octave], edges)] += 1
            if known[row, 3] > 0:
                pairs[known[row, 3] - 1, octave] += 1
            known[row, 3] = octave + 1
        known[row, 2] = slot
        known[row, 0] += 1


@kernel
def _recur(numbers: Ints, slots: Ints, following: Ints, found: Ints, edges: Ints, starts: Ints) -> None:
    for i in range(len(numbers)):
        row = numbers[i]
        if following[row] > 0:
            reuse = slots[i] + 1 - following[row]
            found[_bin(reuse, starts[int(math.log2(reuse))], edges)] += 1
        following[row] = slots[i] + 1


def span_table(seen: History, length: int) -> Ints:
    """Rows looked up more than once, by count class × span bin."""
    edges = span_edges(length)
    classes = int(count_class(np.array([length]))[0]) + 1
    table = np.zeros((classes, len(edges) - 1), np.int64)
    again = seen.counts > 1
    spans = (seen.last - seen.first)[again]
    bins = np.clip(np.searchsorted(edges, spans, "right") - 1, 0, len(edges) - 2)
    np.add.at(table, (count_class(seen.counts[again]), bins), 1)
    return table


def birth_table(seen: History, length: int) -> Ints:
    """Rows by birth class × where their first access lies among its possible places."""
    table = np.zeros((2 * (len(BIRTH_COUNTS) + 1), SHAPE_WINDOWS), np.int64)
    spans = seen.last - seen.first
    place = seen.first * SHAPE_WINDOWS // np.maximum(1, length - spans)
    np.add.at(table, (birth_class(seen.counts, spans, length), np.minimum(place, SHAPE_WINDOWS - 1)), 1)
    return table


def death_table(seen: History, length: int, windows: int) -> Ints:
    """Rows whose last access lies in each window."""
    width = window_length(length, windows)
    return np.bincount(seen.last // width, minlength=-(-length // width)).astype(np.int64)


def activity(numbers: Ints, slots: Ints, length: int, group: Ints, groups: int) -> Ints:
    """Accesses per group × window of the clock; group: of every row, −1 for none."""
    of_access = group[numbers]
    counted = np.flatnonzero(of_access >= 0)
    window = slots[counted] * SHAPE_WINDOWS // length
    flat = np.bincount(of_access[counted] * SHAPE_WINDOWS + window, minlength=groups * SHAPE_WINDOWS)
    return flat.reshape(groups, SHAPE_WINDOWS).astype(np.int64)
