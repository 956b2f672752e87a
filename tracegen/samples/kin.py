"""Kin: rows that were new one after the other in a bag and are looked up equally often; rows that a bag holds twice.

Both are counted part by part; a bag never spans two parts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...jit import kernel
from ..locality import count_class
from .levels import grades

Ints = NDArray[np.int64]

CLASSES = 14  # counts 1, 2, 3, 4, 5 – 7, 8 – 15, … by octave; the last from 2048 on
ALONE, ALIKE, UNLIKE = range(3)  # directly before stood no new row, one of the same class, one of another
UNSEEN, NONE = -2, -1  # of a row: not looked up yet; new behind no other new row


def note_births(numbers: Ints, slots: Ints, per_sample: int, after: Ints) -> None:
    """Enter into `after` which row was new directly before each new row in its bag, NONE where there is none.

    numbers, slots: of lookups, in order; after: of every row, UNSEEN until it is looked up.
    """
    _note_births(numbers, slots, per_sample, after)


@kernel
def _note_births(numbers: Ints, slots: Ints, per_sample: int, after: Ints) -> None:
    before, newcomer = -2, NONE
    for i in range(len(numbers)):
        row, slot = numbers[i], slots[i]
        new = after[row] == UNSEEN
        if new:
            directly = before == slot - 1 and slot % per_sample > 0
            after[row] = newcomer if directly else NONE
        before, newcomer = slot, row if new else NONE


def kin_table(counts: Ints, after: Ints) -> Ints:
    """Rows by class of their count × what was new directly before, int64 [CLASSES, 3]; after: of note_births."""
    classes = kin_class(counts)
    beside = np.where(after < 0, ALONE, np.where(classes == classes[after], ALIKE, UNLIKE))
    return np.bincount(classes * 3 + beside, minlength=CLASSES * 3).reshape(CLASSES, 3).astype(np.int64)


def kin_class(counts: Ints) -> Ints:
    """The class of every count, int64, 0 … CLASSES − 1."""
    return np.minimum(count_class(counts), CLASSES - 1)


def repeat_table(numbers: Ints, slots: Ints, samples: int, per_sample: int, rows: int) -> Ints:
    """Samples by lookups whose row stands in their bag already, graded, int64 [cells of grades(1, per_sample, True)].

    slots: from 0, of these samples alone.
    """
    law = grades(1, per_sample, True)
    repeated = np.bincount(slots // per_sample, repeats(numbers, slots // per_sample, rows), samples).astype(np.int64)
    return np.bincount(law.of(repeated[None]), minlength=law.cells).astype(np.int64)


def repeats(numbers: Ints, bags: Ints, rows: int) -> NDArray[np.bool_]:
    """Whether each lookup's row stands earlier in its bag; bags: of every lookup, rising."""
    return _repeats(numbers, bags, rows)


@kernel
def _repeats(numbers: Ints, bags: Ints, rows: int) -> NDArray[np.bool_]:
    last = np.full(rows, -1, np.int64)
    out = np.empty(len(numbers), np.bool_)
    for i in range(len(numbers)):
        out[i] = last[numbers[i]] == bags[i]
        last[numbers[i]] = bags[i]
    return out
