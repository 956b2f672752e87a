"""Trace: which sample looked up which rows of which table; the only form lookups travel in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import HotrowError

Indices = NDArray[np.int32] | NDArray[np.int64]

MAX_ROWS = 2**63  # row ids are int64: 0 … 2^63 − 1


class SampleError(HotrowError):
    """A rule broken at one sample; `moved` tells the same of a part that starts later in its trace."""

    def __init__(self, where: str, sample: int, problem: str) -> None:
        super().__init__(f"{where}, sample {sample}: {problem}")
        self.where, self.sample, self.problem = where, sample, problem

    def moved(self, by: int) -> SampleError:
        """The same error for a part whose first sample is number `by`."""
        return SampleError(self.where, self.sample + by, self.problem)


@dataclass(frozen=True, eq=False)
class TableLookups:
    """One table's lookups, in time order.

    name: unique in its trace. rows: declared rows; every index is below it. indices: row ids [accesses],
    int32 where the declared rows fit, else int64. offsets: int64 [samples + 1], sample s looks up
    indices[offsets[s]:offsets[s+1]]; None for one-hot (one lookup per sample).
    Raises HotrowError naming the table, the sample, the value and the rule.
    """

    name: str
    rows: int
    indices: Indices
    offsets: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise HotrowError("a table has an empty name; every table needs one")
        if not 0 <= self.rows <= MAX_ROWS:
            raise HotrowError(f"table {self.name!r}: {self.rows} declared rows; 0 to 2^63 are possible")
        indices = np.asarray(self.indices)
        if indices.ndim != 1 or indices.dtype.kind not in "iu":
            raise HotrowError(
                f"table {self.name!r}: indices are {indices.dtype} with {indices.ndim} dimensions; "
                "they must be integers in one dimension"
            )
        if self.offsets is not None:
            object.__setattr__(self, "offsets", _checked_offsets(self.name, self.offsets, len(indices)))
        self._check_range(indices)
        narrow = np.int32 if self.rows <= 2**31 else np.int64
        object.__setattr__(self, "indices", indices.astype(narrow, copy=False))

    def _check_range(self, indices: NDArray[Any]) -> None:
        if not len(indices):
            return
        where, lowest, largest = f"table {self.name!r}", int(np.argmin(indices)), int(np.argmax(indices))
        if indices[lowest] < 0:
            raise SampleError(where, self.sample_of(lowest), f"index {indices[lowest]}; row ids start at 0")
        if int(indices[largest]) >= self.rows:
            rule = f"the table declares {self.rows} rows" + (f" (0 to {self.rows - 1})" if self.rows else "")
            raise SampleError(where, self.sample_of(largest), f"index {indices[largest]}; {rule}")

    @property
    def accesses(self) -> int:
        """Lookups in all."""
        return len(self.indices)

    @property
    def samples(self) -> int:
        """Samples, empty bags included."""
        return self.accesses if self.offsets is None else len(self.offsets) - 1

    @property
    def pooling(self) -> float:
        """Mean lookups per sample; 0 for a trace without samples."""
        return self.accesses / self.samples if self.samples else 0.0

    def bag_sizes(self) -> NDArray[np.int64]:
        """Lookups of every sample, int64 [samples]."""
        return np.ones(self.accesses, np.int64) if self.offsets is None else np.diff(self.offsets)

    def sample_of(self, position: int) -> int:
        """The sample that the access at `position` belongs to."""
        return position if self.offsets is None else int(np.searchsorted(self.offsets, position, "right")) - 1

    def samples_between(self, start: int, stop: int) -> TableLookups:
        """The lookups of samples start … stop − 1; views, no copy of the indices."""
        if self.offsets is None:
            return replace(self, indices=self.indices[start:stop])
        start, stop, _ = slice(start, stop).indices(self.samples)
        part = self.offsets[start : max(start, stop) + 1]
        return replace(self, indices=self.indices[part[0] : part[-1]], offsets=part - part[0])


@dataclass(frozen=True, eq=False)
class Trace:
    """A click log reduced to its lookups: tables that share one clock of samples.

    time: int64 or float64 [samples] in the log's own unit; user: int64 [samples]; dense: float32 [samples, D];
    label: float32 [samples]. Each may be None. Raises HotrowError where lengths differ or a value is not finite.
    """

    tables: tuple[TableLookups, ...]
    time: NDArray[np.int64] | NDArray[np.float64] | None = None
    user: NDArray[np.int64] | None = None
    dense: NDArray[np.float32] | None = None
    label: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "tables", tuple(self.tables))
        if not self.tables:
            raise HotrowError("a trace needs at least one table")
        names = [table.name for table in self.tables]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise HotrowError(f"table name {twice!r} stands twice; names must be unique")
        first = self.tables[0]
        for table in self.tables[1:]:
            if table.samples != first.samples:
                raise HotrowError(
                    f"table {table.name!r} has {table.samples} samples but {first.name!r} has {first.samples}; "
                    "all tables of a trace share their samples"
                )
        for name, dtype, dimensions in (
            ("time", None, 1),
            ("user", np.int64, 1),
            ("dense", np.float32, 2),
            ("label", np.float32, 1),
        ):
            self._check_column(name, dtype, dimensions)

    def _check_column(self, name: str, dtype: type[np.generic] | None, dimensions: int) -> None:
        values = getattr(self, name)
        if values is None:
            return
        values = np.asarray(values)
        if values.ndim != dimensions or len(values) != self.samples:
            raise HotrowError(f"{name} has shape {values.shape}; this trace has {self.samples} samples")
        if values.dtype.kind not in ("iuM" if dtype is np.int64 else "iufM" if dtype is None else "iufb"):
            wanted = "integers" if dtype is np.int64 else "numbers"
            raise HotrowError(f"{name} holds {values.dtype}; it must hold {wanted}")
        if dtype is None:
            dtype = np.float64 if values.dtype.kind == "f" else np.int64
        if dtype is np.int64 and values.dtype == np.uint64 and (values > np.uint64(MAX_ROWS - 1)).any():
            where = int(np.argmax(values))
            raise SampleError(name, where, f"{values[where]}; at most 2^63 − 1 is possible")
        values = values.astype(dtype, copy=False)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            where = np.argwhere(~np.isfinite(values))[0]
            column = f"{name} column {where[1]}" if dimensions == 2 else name
            raise SampleError(column, int(where[0]), f"{values[tuple(where)]}; values must be finite")
        object.__setattr__(self, name, values)

    @classmethod
    def from_ids(cls, ids: Any, rows: int | None = None, name: str = "f0", offsets: Any = None) -> Trace:
        """A trace of one table from a plain array of row ids; rows defaults to the largest id + 1."""
        ids = np.asarray(ids) if len(ids) else np.empty(0, np.int64)
        if rows is None:
            rows = int(ids.max()) + 1 if len(ids) else 0
        return cls((TableLookups(name, rows, ids, offsets),))

    @property
    def samples(self) -> int:
        """Samples, the same in every table."""
        return self.tables[0].samples

    @property
    def accesses(self) -> int:
        """Lookups over all tables."""
        return sum(table.accesses for table in self.tables)

    def table(self, name: str) -> TableLookups:
        """The table called `name`; HotrowError names those that exist."""
        for table in self.tables:
            if table.name == name:
                return table
        known = ", ".join(table.name for table in self.tables[:20])
        raise HotrowError(f"no table {name!r} in this trace; it has {known}")

    def samples_between(self, start: int, stop: int) -> Trace:
        """Samples start … stop − 1 as a trace of their own."""
        return Trace(
            tuple(table.samples_between(start, stop) for table in self.tables),
            **{name: None if (values := getattr(self, name)) is None else values[start:stop] for name in PER_SAMPLE},
        )

    def equals(self, other: Trace) -> bool:
        """Whether both hold the same names, rows, lookups, bags and per-sample values, to the bit."""
        return (
            [(t.name, t.rows, t.offsets is None) for t in self.tables]
            == [(t.name, t.rows, t.offsets is None) for t in other.tables]
            and all(
                np.array_equal(a.indices, b.indices)
                and (a.offsets is None or b.offsets is None or np.array_equal(a.offsets, b.offsets))
                for a, b in zip(self.tables, other.tables, strict=True)
            )
            and all(_same(getattr(self, name), getattr(other, name)) for name in PER_SAMPLE)
        )


PER_SAMPLE = ("time", "user", "dense", "label")


def concatenate(traces: Sequence[Trace]) -> Trace:
    """One trace from traces that follow one another; declared rows are the largest of each table.

    Raises HotrowError where the parts differ in tables, bags or per-sample values.
    """
    if not traces:
        raise HotrowError("no samples: an empty sequence of traces has no tables")
    first = traces[0]
    for part in traces[1:]:
        check_same_form(first, part)
    if len(traces) == 1:
        return first
    tables = tuple(_join([part.tables[k] for part in traces]) for k in range(len(first.tables)))
    values = {
        name: None if getattr(first, name) is None else np.concatenate([getattr(part, name) for part in traces])
        for name in PER_SAMPLE
    }
    return Trace(tables, **values)


def check_same_form(first: Trace, part: Trace) -> None:
    """Raise HotrowError where two parts of a trace differ in tables, bags or per-sample values."""
    if [(t.name, t.offsets is None) for t in part.tables] != [(t.name, t.offsets is None) for t in first.tables]:
        raise HotrowError("parts of a trace differ in their tables; they must have the same tables in the same order")
    for name in PER_SAMPLE:
        a, b = getattr(first, name), getattr(part, name)
        if (a is None) != (b is None):
            raise HotrowError(f"some parts of a trace have {name} and others do not")
        if a is not None and (a.dtype != b.dtype or a.shape[1:] != b.shape[1:]):
            kinds = f"{a.dtype}{a.shape[1:]} and as {b.dtype}{b.shape[1:]}"
            raise HotrowError(f"parts of a trace hold {name} as {kinds}; it must be the same")


def _join(parts: Sequence[TableLookups]) -> TableLookups:
    indices: Any = np.concatenate([part.indices for part in parts])
    offsets = None
    if parts[0].offsets is not None:
        sizes = np.concatenate([part.bag_sizes() for part in parts])
        offsets = np.concatenate(([0], np.cumsum(sizes)))
    return TableLookups(parts[0].name, max(part.rows for part in parts), indices, offsets)


def _checked_offsets(name: str, given: Any, accesses: int) -> NDArray[np.int64]:
    offsets: NDArray[Any] = np.asarray(given)
    if offsets.ndim != 1 or len(offsets) == 0 or offsets.dtype.kind not in "iu":
        raise HotrowError(f"table {name!r}: offsets must be a one-dimensional array of samples + 1 integers")
    offsets = offsets.astype(np.int64, copy=False)
    if offsets[0] != 0:
        raise HotrowError(f"table {name!r}: offsets start at {offsets[0]}; they must start at 0")
    falls = np.flatnonzero(np.diff(offsets) < 0)
    if len(falls):
        s = int(falls[0])
        raise SampleError(
            f"table {name!r}", s, f"offsets fall from {offsets[s]} to {offsets[s + 1]}; they must not fall"
        )
    if offsets[-1] != accesses:
        raise HotrowError(
            f"table {name!r}: offsets end at {offsets[-1]} but there are {accesses} accesses; they must end there"
        )
    return offsets


def _same(a: NDArray[Any] | None, b: NDArray[Any] | None) -> bool:
    if a is None or b is None:
        return a is b
    return a.dtype == b.dtype and np.array_equal(a, b)
