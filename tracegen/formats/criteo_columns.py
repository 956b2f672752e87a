"""A Trace in Criteo's terms, and back: a label, 13 counts and 26 ids per sample."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import HotrowError
from ..trace import SampleError, Trace
from . import criteo_lines as lines
from .flat import fixed_bags, must_fit

DENSE, TABLES = lines.DENSE, lines.TABLES
NAMES = tuple(f"C{k + 1}" for k in range(TABLES))
REMEDY = "write .parquet, or allow the loss with --lossy"


@dataclass(frozen=True)
class Limits:
    """The largest count and id that a format has room for, and how it says so."""

    count: int
    id: int
    rule: str


TEXT = Limits(lines.MAX_COUNT, 16**lines.HEX_DIGITS - 1, f"has more than {lines.HEX_DIGITS} hexadecimal digits")
INT32 = Limits(2**31 - 1, 2**31 - 1, "does not fit int32")


@dataclass(frozen=True)
class Columns:
    """labels: int64 [n], or [0] for none. counts: int64 [n, up to 13]. ids: int64 [up to 26, n]."""

    labels: NDArray[np.int64]
    counts: NDArray[np.int64]
    ids: NDArray[np.int64]


def columns_of(part: Trace, lossy: bool, limits: Limits, empty: int) -> Columns:
    """A part as Criteo's columns; `empty` is the id of an empty bag.

    Raises HotrowError for more than 26 tables or 13 dense columns, a label that is no integer and a dense value that
    is no logarithm of a count (with `lossy`, these are cut or rounded), and for an id that has no room.
    """
    if len(part.tables) > TABLES and not lossy:
        raise HotrowError(f"{len(part.tables)} tables; a Criteo line holds {TABLES}: {REMEDY}")
    ids = np.empty((min(len(part.tables), TABLES), part.samples), np.int64)
    for row, table in zip(ids, part.tables, strict=False):
        row[:] = fixed_bags(table, 1, empty)[:, 0]
        must_fit(table.name, row, limits.id + 1, limits.rule)
    return Columns(_labels(part, lossy), _counts(part, lossy, limits.count), ids)


def _labels(part: Trace, lossy: bool) -> NDArray[np.int64]:
    if part.label is None:
        return np.empty(0, np.int64)
    labels: NDArray[np.int64] = np.rint(np.clip(part.label, -lines.MAX_LABEL, lines.MAX_LABEL)).astype(np.int64)
    wrong = np.flatnonzero(labels != part.label)
    if len(wrong) and not lossy:
        s = int(wrong[0])
        raise SampleError("label", s, f"{part.label[s]} is not a small integer; {REMEDY}")
    return labels


def _counts(part: Trace, lossy: bool, limit: int) -> NDArray[np.int64]:
    if part.dense is None:
        return np.empty((part.samples, 0), np.int64)
    if part.dense.shape[1] > DENSE and not lossy:
        raise HotrowError(f"{part.dense.shape[1]} dense features; a Criteo line holds {DENSE}: {REMEDY}")
    dense = np.ascontiguousarray(part.dense[:, :DENSE])
    counts = np.empty(dense.shape, np.int64)
    wrong = lines.counts_of(dense, counts, limit)
    if wrong >= 0 and not lossy:
        rule = f"a value is not log(x + 1) of a whole number x up to {limit}"
        raise SampleError("dense", wrong, f"{rule}; {REMEDY}")
    return counts


def features(counts: NDArray[Any]) -> NDArray[np.float32]:
    """Dense features of counts [n, k]: log(x + 1), 0 for negative ones."""
    dense = np.empty(counts.shape, np.float32)
    lines.features_of(counts, lines.logarithms(lines.LOGARITHMS), dense)
    return dense
