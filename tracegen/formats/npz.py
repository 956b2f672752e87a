"""npz: f<i> per table, offsets_f<i> for bags, t for time; arrays are streamed out of the archive.

Beside the arrays that the form asks for, a file written here holds name_f<i>, rows_f<i>, user, dense and label, so
that a trace comes back as it was. Other arrays are passed over. Nothing is ever unpickled.
"""

import zipfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from ... import HotrowError
from ..trace import SampleError, TableLookups, Trace, concatenate
from .format import Format, Holds

DEFLATE_LIMIT = 1032  # deflate expands by no more than this factor; a header that promises more lies
VALUES = {"t": "time", "user": "user", "dense": "dense", "label": "label"}


@dataclass
class _Column:
    """One array of the archive, read front to back."""

    name: str
    stream: IO[bytes]
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    def take(self, count: int) -> Any:
        width = int(np.prod(self.shape[1:], dtype=np.int64))
        data = self.stream.read(count * width * self.dtype.itemsize)
        if len(data) < count * width * self.dtype.itemsize:
            raise HotrowError(f"array {self.name!r} is cut off; make or copy the file again")
        return np.frombuffer(data, self.dtype).reshape(count, *self.shape[1:])


def scan(path: Path, *, samples: int) -> Iterator[Trace]:
    """Yield parts of at most `samples` samples; each array is decompressed as it is needed."""
    try:
        with zipfile.ZipFile(path) as archive, ExitStack() as stack:
            columns = {
                name: _open(stack, archive, info)
                for info in archive.infolist()
                if (name := info.filename.removesuffix(".npy")) and _wanted(name)
            }
            yield from _parts(columns, samples)
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, zipfile.zlib.error) as error:  # type: ignore[attr-defined]
        if isinstance(error, HotrowError):
            raise
        raise HotrowError(f"{path}: not a whole npz file ({error}); make or copy it again") from error


def _wanted(name: str) -> bool:
    stem = name.rpartition("_")[2]
    is_field = stem.startswith("f") and stem[1:].isdigit()
    return (
        name in VALUES
        or name == "offsets"
        or (is_field and name in (stem, f"offsets_{stem}", f"rows_{stem}", f"name_{stem}"))
    )


def _open(stack: ExitStack, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> _Column:
    name = info.filename.removesuffix(".npy")
    if info.file_size > DEFLATE_LIMIT * info.compress_size + 4096:
        raise HotrowError(
            f"array {name!r} claims {info.file_size} bytes from {info.compress_size}; the file is damaged"
        )
    stream = stack.enter_context(archive.open(info))
    version = np.lib.format.read_magic(stream)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read_header(stream)
    if dtype.hasobject:
        raise HotrowError(f"array {name!r} holds pickled objects; they are not loaded, store plain numbers")
    if fortran and len(shape) > 1:
        raise HotrowError(f"array {name!r} is stored column by column; store it in C order")
    if int(np.prod(shape, dtype=object)) * dtype.itemsize > info.file_size:
        raise HotrowError(
            f"array {name!r} promises shape {shape} but holds {info.file_size} bytes; the file is damaged"
        )
    return _Column(name, stream, dtype, shape)


def _parts(columns: dict[str, _Column], samples: int) -> Iterator[Trace]:
    fields = sorted((name for name in columns if name[0] == "f"), key=lambda name: int(name[1:]))
    if not fields:
        raise HotrowError("no array named f0, f1, …: no table in this file")
    bags = {f: columns.get(f"offsets_{f}") or (columns.get("offsets") if len(fields) == 1 else None) for f in fields}
    for f in fields:
        for column in (columns[f], bags[f]):
            if column is not None and (len(column.shape) != 1 or column.dtype.kind not in "iu"):
                raise HotrowError(
                    f"array {column.name!r} is {column.dtype} of shape {column.shape}; it must be one row of integers"
                )
    lengths = {f: columns[f].shape[0] if (b := bags[f]) is None else b.shape[0] - 1 for f in fields}
    lengths |= {name: columns[name].shape[0] for name in VALUES if name in columns}
    total = lengths[fields[0]]
    for name, length in lengths.items():
        if length != total:
            raise HotrowError(
                f"array {name!r} has {length} samples but {fields[0]!r} has {total}; all must have the same"
            )
    declared = {f: int(columns[f"rows_{f}"].take(1)[0]) if f"rows_{f}" in columns else None for f in fields}
    names = {f: str(columns[f"name_{f}"].take(1)[0]) if f"name_{f}" in columns else f for f in fields}
    last = {f: int(b.take(1)[0]) for f in fields if (b := bags[f]) is not None}
    for f, start in last.items():
        if start != 0:
            raise HotrowError(f"table {names[f]!r}: offsets start at {start}; they must start at 0")
    largest = dict.fromkeys(fields, 0)
    for start in range(0, max(total, 1), samples):
        count = min(samples, total - start)
        tables = []
        for f in fields:
            offsets = None
            accesses = count
            if (bag := bags[f]) is not None:
                offsets = np.concatenate(([last[f]], bag.take(count).astype(np.int64))) - last[f]
                accesses = _accesses(names[f], offsets, columns[f].shape[0] - last[f], start + count == total)
                last[f] += accesses
            indices = columns[f].take(accesses)
            largest[f] = max(largest[f], int(indices.max()) + 1 if accesses else 0)
            rows = declared[f]
            tables.append(TableLookups(names[f], largest[f] if rows is None else rows, indices, offsets))
        values = {VALUES[name]: columns[name].take(count) for name in VALUES if name in columns}
        yield Trace(tuple(tables), **values)


def _accesses(name: str, offsets: Any, left: int, is_end: bool) -> int:
    """How many indices belong to this part; the rules are those of TableLookups, told before anything is read."""
    falls = np.flatnonzero(np.diff(offsets) < 0)
    if len(falls):
        raise SampleError(f"table {name!r}", int(falls[0]), "offsets fall here; they must not fall")
    end = int(offsets[-1])
    if end > left or (is_end and end != left):
        raise HotrowError(
            f"table {name!r}: offsets end {end - left:+d} from the number of accesses; they must end there"
        )
    return end


def write(parts: Iterable[Trace], path: Path, *, lossy: bool = False) -> None:
    """Write the parts as one compressed archive; npz needs every array whole, so the trace is held in memory."""
    trace = concatenate(list(parts))
    arrays: dict[str, Any] = {}
    for k, table in enumerate(trace.tables):
        arrays[f"f{k}"] = table.indices.astype(np.int64, copy=False)
        arrays[f"rows_f{k}"] = np.array([table.rows], np.uint64)
        arrays[f"name_f{k}"] = np.array([table.name])
        if table.offsets is not None:
            arrays[f"offsets_f{k}"] = table.offsets
    for key, name in VALUES.items():
        if getattr(trace, name) is not None:
            arrays[key] = getattr(trace, name)
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)


FORMAT = Format(
    name="npz",
    summary="NumPy archive: f<i>, offsets_f<i>, t",
    suffixes=(".npz",),
    holds=Holds(),
    sniff=lambda path, head: head.startswith(b"PK"),
    scan=scan,
    write=write,
)
