"""npz: f<i> per table, offsets_f<i> for bags, t for time; arrays are streamed in and out of the archive.

Beside the arrays that the form asks for, a file written here holds name_f<i>, rows_f<i>, user, dense and label, so
that a trace comes back as it was. Other arrays are passed over. Nothing is ever unpickled.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ... import HotrowError
from ..trace import SampleError, TableLookups, Trace
from . import archive
from .archive import Column, Spool
from .format import PART_LOOKUPS, Extent, Format, Holds

VALUES = {"t": "time", "user": "user", "dense": "dense", "label": "label"}


def scan(path: Path, *, samples: int) -> Iterator[Trace]:
    """Yield parts of at most `samples` samples; each array is decompressed as it is needed."""
    with archive.columns(path, _wanted) as columns:
        tables = [_table(columns, field) for field in _fields(columns)]
        values = {name: columns[key] for key, name in VALUES.items() if key in columns}
        total = tables[0].samples
        for table in tables:
            _must_have(table.indices if table.offsets is None else table.offsets, table.samples, total)
        for column in values.values():
            _must_have(column, column.shape[0] if column.shape else 0, total)
        accesses = sum(table.indices.shape[0] for table in tables)
        samples = min(samples, max(1, PART_LOOKUPS * total // max(accesses, 1)))
        for start in range(0, max(total, 1), samples):
            count = min(samples, total - start)
            yield Trace(
                tuple(table.take(count, start + count == total) for table in tables),
                **{name: column.take(count) for name, column in values.items()},
            )


def samples_in(path: Path) -> int:
    """Samples of the first table, from the headers."""
    with archive.columns(path, _wanted) as columns:
        return _table(columns, _fields(columns)[0]).samples


def extent(path: Path) -> Extent:
    """From the headers; a part cannot begin without what lies before being decompressed."""
    with archive.columns(path, _wanted) as columns:
        tables = [_table(columns, field) for field in _fields(columns)]
        named = tuple((table.name, table.rows) for table in tables)
        return Extent(named, tables[0].samples, tuple(table.indices.shape[0] for table in tables))


def between(path: Path, chosen: Sequence[int], start: int, stop: int, samples: int) -> Iterator[Trace]:
    """Yield the lookups of chosen tables in samples start … stop − 1; of those before, parts are read and dropped."""
    every = sorted((name for name in archive.names(path) if _is_field(name)), key=lambda name: int(name[1:]))
    fields = {every[k] for k in chosen}

    def wanted(name: str) -> bool:
        return _wanted(name) and (name == "offsets" or name.rpartition("_")[2] in fields)

    with archive.columns(path, wanted) as columns:
        tables = [_table(columns, every[k], len(every) == 1) for k in chosen]
        total = tables[0].samples
        for table in tables:
            _must_have(table.indices if table.offsets is None else table.offsets, table.samples, total)
        accesses = sum(table.indices.shape[0] for table in tables)
        samples = min(samples, max(1, PART_LOOKUPS * total // max(accesses, 1)))
        at = 0
        while at < min(stop, total):
            count = min(samples, (stop if at >= start else start) - at, total - at)
            part = tuple(table.take(count, at + count == total) for table in tables)
            if at >= start:
                yield Trace(part)
            at += count


def _wanted(name: str) -> bool:
    kind, _, field = name.rpartition("_")
    return name in VALUES or name == "offsets" or (_is_field(field) and kind in ("", "offsets", "rows", "name"))


def _is_field(name: str) -> bool:
    return name.startswith("f") and name[1:].isdecimal() and name.isascii()


def _fields(columns: dict[str, Column]) -> list[str]:
    fields = sorted((name for name in columns if name[0] == "f"), key=lambda name: int(name[1:]))
    if not fields:
        raise HotrowError("no array named f0, f1, …: no table in this file")
    return fields


def _must_have(column: Column, samples: int, wanted: int) -> None:
    if samples != wanted:
        rule = "all must have the same"
        raise HotrowError(f"array {column.name!r} has {samples} samples but the first table has {wanted}; {rule}")


@dataclass
class _Table:
    """A table on its way in; rows None: not declared, so the largest index so far + 1 stands for it."""

    name: str
    rows: int | None
    indices: Column
    offsets: Column | None
    largest: int = 0
    taken: int = 0  # accesses

    @property
    def samples(self) -> int:
        return self.indices.shape[0] if self.offsets is None else self.offsets.shape[0] - 1

    def take(self, count: int, is_end: bool) -> TableLookups:
        """The next `count` samples."""
        offsets = None
        accesses = count
        if self.offsets is not None:
            offsets = np.concatenate(([self.taken], self.offsets.take(count).astype(np.int64))) - self.taken
            accesses = self._checked(offsets, is_end)
            self.taken += accesses
        indices = self.indices.take(accesses)
        if self.rows is None and accesses:
            self.largest = max(self.largest, int(indices.max()) + 1)
        return TableLookups(self.name, self.largest if self.rows is None else self.rows, indices, offsets)

    def _checked(self, offsets: NDArray[np.int64], is_end: bool) -> int:
        """How many indices the offsets ask for; the rules are those of TableLookups, before anything is read."""
        falls = np.flatnonzero(np.diff(offsets) < 0)
        if len(falls):
            raise SampleError(f"table {self.name!r}", int(falls[0]), "offsets fall here; they must not fall")
        end, left = int(offsets[-1]), self.indices.shape[0] - self.taken
        if end > left or (is_end and end != left):
            accesses = self.indices.shape[0]
            raise HotrowError(
                f"table {self.name!r}: offsets end at {self.taken + end} but there are {accesses} accesses; "
                "they must end there"
            )
        return end


def _table(columns: dict[str, Column], field: str, alone: bool | None = None) -> _Table:
    """The table of `field`; alone: whether it is the file's only one, found out where None."""
    alone = sum(name[0] == "f" for name in columns) == 1 if alone is None else alone
    bags = columns.get(f"offsets_{field}") or (columns.get("offsets") if alone else None)
    name = str(columns[f"name_{field}"].take(1)[0]) if f"name_{field}" in columns else field
    rows = int(columns[f"rows_{field}"].take(1)[0]) if f"rows_{field}" in columns else None
    columns[field].must_be_integers(1)
    if bags is not None:
        bags.must_be_integers(1)
        if bags.shape[0] == 0:
            raise HotrowError(f"table {name!r}: offsets are empty; they are samples + 1 integers")
        if (first := int(bags.take(1)[0])) != 0:
            raise HotrowError(f"table {name!r}: offsets start at {first}; they must start at 0")
    return _Table(name, rows, columns[field], bags)


def write(parts: Iterable[Trace], path: Path, *, lossy: bool = False) -> None:
    """Write the parts as one compressed archive; until their lengths are known, arrays lie in a folder beside it."""
    rows: dict[str, int] = {}
    ends: dict[int, int] = {}
    with archive.spooling(path) as spool:
        for part in parts:
            for k, table in enumerate(part.tables):
                rows[table.name] = max(rows.get(table.name, 0), table.rows)
                _append(spool, k, table, ends)
            for key, name in VALUES.items():
                if getattr(part, name) is not None:
                    spool.append(key, getattr(part, name))
        for k, (name, count) in enumerate(rows.items()):
            spool.append(f"name_f{k}", np.array([name]))
            spool.append(f"rows_f{k}", np.array([count], np.uint64))
        spool.save(path)


def _append(spool: Spool, k: int, table: TableLookups, ends: dict[int, int]) -> None:
    spool.append(f"f{k}", table.indices.astype(np.int64, copy=False))
    if table.offsets is not None:
        if k not in ends:
            spool.append(f"offsets_f{k}", np.zeros(1, np.int64))
        spool.append(f"offsets_f{k}", table.offsets[1:] + ends.get(k, 0))
        ends[k] = ends.get(k, 0) + table.accesses


def _sniff(path: Path, head: bytes) -> bool:
    return head.startswith(b"PK") and "f0" in archive.names(path)


FORMAT = Format(
    name="npz",
    summary="NumPy archive: f<i>, offsets_f<i>, t",
    suffixes=(".npz",),
    holds=Holds(),
    sniff=_sniff,
    scan=scan,
    write=write,
    samples=samples_in,
    extent=extent,
    between=between,
)
