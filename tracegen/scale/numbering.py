"""Numbering: ids of a table as dense numbers in the order in which they come, in memory that depends on the rows."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...jit import kernel
from ..trace import Indices
from ..vocabulary import Vocabulary, WideVocabulary

Ints = NDArray[np.int64]

DIRECT = 2**24  # ids below this are looked up in an array, 4 bytes for each
NARROW = 2**32  # ids below this have 32-bit keys


class _Numbers(Protocol):
    size: int

    def number(self, keys: Indices) -> NDArray[np.int32]: ...


class Numbering:
    """Numbers 0, 1, … for the ids of a table, whose declared rows may rise while it is read.

    ids: int64, of every number. Memory: 8 bytes a row that occurs, with 4 for every id up to the largest, or from
    DIRECT on with 11 to 32 a row that occurs; three times the former while it grows.
    """

    def __init__(self) -> None:
        self._below = 0
        self._numbers: _Numbers = _Direct(0)
        self._ids = np.zeros(0, np.int64)

    @property
    def size(self) -> int:
        """Rows so far."""
        return self._numbers.size

    @property
    def ids(self) -> Ints:
        """The id of every number, int64 [size]."""
        return self._ids[: self.size]

    def number(self, ids: Indices) -> Ints:
        """The number of each id, int64 [ids]."""
        if not len(ids):
            return np.zeros(0, np.int64)
        self._reach(int(ids.max()) + 1)
        old = self.size
        numbers = self._numbers.number(ids).astype(np.int64)
        if self.size > old:
            self._ids = grown(self._ids, self.size)
            new = numbers >= old
            self._ids[numbers[new]] = ids[new]
        return numbers

    def _reach(self, below: int) -> None:
        """Make ready for ids below `below`."""
        if below <= self._below:
            return
        known = self.ids
        if below <= DIRECT:
            self._below = min(DIRECT, 1 << (below - 1).bit_length())
            self._numbers = _Direct(self._below)
        elif below <= NARROW:
            self._below, self._numbers = NARROW, _Narrow()
        else:
            self._below, self._numbers = 2**63, _Wide()
        self._numbers.number(known)


class _Direct:
    """A number for every id below `below`, in an array of which what is never touched takes no memory."""

    def __init__(self, below: int) -> None:
        self._number = np.zeros(below, np.int32)  # + 1; 0 for an id that has none
        self.size = 0

    def number(self, keys: Indices) -> NDArray[np.int32]:
        numbers = np.empty(len(keys), np.int32)
        self.size = _number(keys.astype(np.int64, copy=False), self._number, self.size, numbers)
        return numbers


class _Narrow(Vocabulary):
    def number(self, keys: Indices) -> NDArray[np.int32]:  # type: ignore[override]
        return super().number(keys.astype(np.uint32))


class _Wide(WideVocabulary):
    def number(self, keys: Indices) -> NDArray[np.int32]:
        return super().number(keys.astype(np.int64, copy=False))


def grown(array: NDArray[Any], rows: int) -> NDArray[Any]:
    """The array, or a longer copy with zeros behind, so that it has at least `rows` rows."""
    if rows <= len(array):
        return array
    longer = np.zeros((max(rows, len(array) * 3 // 2, 1024), *array.shape[1:]), array.dtype)
    longer[: len(array)] = array
    return longer


@kernel
def _number(keys: Ints, number: NDArray[np.int32], size: int, numbers: NDArray[np.int32]) -> int:
    for i in range(len(keys)):
        found = number[keys[i]]
        if found == 0:
            size += 1
            found = size
            number[keys[i]] = found
        numbers[i] = found - 1
    return size
