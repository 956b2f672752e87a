"""Flat formats hold one sequence of row ids: what they share on the way in and on the way out."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import HotrowError
from ..trace import SampleError, TableLookups, Trace
from ..vocabulary import WideVocabulary

NAME = "f0"  # of the one table


class Rows:
    """Turns 64-bit keys into one table's row ids: as they are, or numbered in order of first appearance.

    As they are, the largest key so far + 1 stands for the declared rows.
    """

    def __init__(self, renumber: bool) -> None:
        self._vocabulary = WideVocabulary() if renumber else None
        self._rows = 0

    def table(self, keys: NDArray[np.uint64]) -> TableLookups:
        """A part's lookups; SampleError for a key of 2^63 or above, where keys stay as they are."""
        signed = keys.view(np.int64)
        if self._vocabulary is not None:
            numbers = self._vocabulary.number(signed)
            return TableLookups(NAME, self._vocabulary.size, numbers)
        if len(signed):
            lowest = int(np.argmin(signed))
            if signed[lowest] < 0:
                rule = "row ids end at 2^63 − 1; number them with renumber"
                raise SampleError("ids", lowest, f"id {keys[lowest]}; {rule}")
            self._rows = max(self._rows, int(signed.max()) + 1)
        return TableLookups(NAME, self._rows, signed)


def chosen_table(part: Trace, name: str) -> TableLookups:
    """The table to write: the named one, or the first."""
    return part.table(name) if name else part.tables[0]


def per_lookup(table: TableLookups, values: NDArray[Any]) -> NDArray[Any]:
    """Per-sample values repeated for every lookup of their sample."""
    return values if table.offsets is None else np.repeat(values, table.bag_sizes())


def fixed_bags(table: TableLookups, size: int, empty: int) -> NDArray[np.int64]:
    """Bags cut to `size` lookups or filled up with their last one, int64 [samples, size]; `empty` fills empty bags."""
    if table.offsets is None:
        return np.repeat(table.indices.astype(np.int64)[:, None], size, axis=1)
    last = table.bag_sizes()[:, None] - 1
    places = table.offsets[:-1, None] + np.minimum(np.arange(size), last)
    padded = np.append(table.indices, empty).astype(np.int64)
    return padded[np.where(last < 0, table.accesses, places)]


def must_fit(name: str, values: NDArray[np.int64], limit: int, rule: str) -> None:
    """Raise SampleError at the first sample of `values` [samples, …] that holds an id of `limit` or above."""
    large = np.argwhere(values >= limit)
    if len(large):
        raise SampleError(f"table {name!r}", int(large[0][0]), f"id {values[tuple(large[0])]} {rule}; write .parquet")


def option(name: str, value: Any, allowed: tuple[Any, ...]) -> None:
    """Raise HotrowError where an option has none of its values."""
    if value not in allowed:
        raise HotrowError(f"option {name} is {value!r}; it can be {', '.join(map(repr, allowed))}")
