"""Parquet data set: hotrow's own form of a trace on disk, one row per sample.

A column per table (int64, or list<int64> for bags), and time, user, dense (fixed-size list of float32) and label
where the trace has them. Declared rows and the format's version stand in the schema metadata under the key
"hotrow". A Parquet file from elsewhere is read too: its integer and list-of-integer columns are its tables.
A folder of Parquet files is read in the order of their names.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ... import HotrowError
from ..trace import PER_SAMPLE, SampleError, TableLookups, Trace
from .format import PART_LOOKUPS, Extent, Format, Holds

VERSION = 1
READ_BYTES = 1 << 20  # of a column chunk at a time; pre-buffering would keep the whole file


def scan(path: Path, *, samples: int) -> Iterator[Trace]:
    """Yield parts of at most `samples` samples, one row group in memory at a time."""
    for file in _files(path):
        with _opened(file) as parquet:
            tables = _declared(parquet, file)
            if parquet.metadata.num_rows == 0:
                yield _part(parquet.schema_arrow.empty_table(), tables)
            for batch in parquet.iter_batches(batch_size=_batch_size(parquet.metadata, samples)):
                yield _part(batch, tables)


def between(path: Path, chosen: Sequence[int], start: int, stop: int, samples: int) -> Iterator[Trace]:
    """Yield the lookups of chosen tables in samples start … stop − 1; other row groups and columns are not read."""
    before = 0  # samples of row groups passed
    for file in _files(path):
        with _opened(file) as parquet:
            declared = _declared(parquet, file)
            tables = [declared[k] for k in chosen]
            size = _batch_size(parquet.metadata, samples)
            for group in range(parquet.metadata.num_row_groups):
                rows = parquet.metadata.row_group(group).num_rows
                if before < stop and start < before + rows:
                    columns = [column for _, column, _ in tables]
                    at = before
                    for batch in parquet.iter_batches(batch_size=size, row_groups=[group], columns=columns):
                        low, high = max(start - at, 0), min(stop - at, batch.num_rows)
                        if low < high:
                            yield _part(batch.slice(low, high - low), tables)
                        at += batch.num_rows
                        if at >= stop:
                            return
                before += rows


def extent(path: Path) -> Extent:
    """From the footers: rows as declared, else one more than the largest id where the file keeps statistics."""
    tables: list[tuple[str, int | None]] = []
    lookups: list[int] = []
    cuts, samples = [], 0
    for file in _files(path):
        with _opened(file) as parquet:
            found = _declared(parquet, file)
            rows, counts = zip(*(_from_statistics(parquet, column) for _, column, _ in found), strict=True)
            named = [(name, own if own is not None else seen) for (name, _, own), seen in zip(found, rows, strict=True)]
            if not tables:
                tables, lookups = named, list(counts)
            else:
                if [name for name, _ in named] != [name for name, _ in tables]:
                    raise HotrowError(f"{file}: its tables are not those of {_files(path)[0].name}")
                tables = [
                    (name, None if a is None or b is None else max(a, b))
                    for (name, a), (_, b) in zip(tables, named, strict=True)
                ]
                lookups = [a + b for a, b in zip(lookups, counts, strict=True)]
            for group in range(parquet.metadata.num_row_groups):
                cuts.append(samples)
                samples += parquet.metadata.row_group(group).num_rows
    return Extent(tuple(tables), samples, tuple(lookups), tuple(cuts))


def _from_statistics(parquet: Any, column: str) -> tuple[int | None, int]:
    """One more than the largest value of a column, None where a row group does not say; and its values."""
    metadata = parquet.metadata
    leaves = [metadata.schema.column(c) for c in range(metadata.num_columns)]
    nested = (c for c, leaf in enumerate(leaves) if leaf.path.startswith(f"{column}.") and leaf.max_repetition_level)
    leaf = next((c for c, leaf in enumerate(leaves) if leaf.path == column), None)
    leaf = next(nested) if leaf is None else leaf
    rows, values = 0, 0
    known = True
    for group in range(metadata.num_row_groups):
        chunk = metadata.row_group(group).column(leaf)
        values += chunk.num_values
        statistics = chunk.statistics
        if statistics is not None and statistics.has_min_max:
            rows = max(rows, int(statistics.max) + 1)
        elif chunk.num_values:
            known = False
    return (rows if known else None), values


def _files(path: Path) -> list[Path]:
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files:
        raise HotrowError(f"{path}: the folder holds no .parquet file")
    return files


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    """A Parquet file to read; HotrowError names it where it is none or damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file, pre_buffer=False, buffer_size=READ_BYTES, page_checksum_verification=True) as parquet:
            yield parquet
    except HotrowError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise HotrowError(f"{file}: not a whole Parquet file ({reason}); make or copy it again") from error


def samples_in(path: Path) -> int:
    """Rows that the footers declare."""
    import pyarrow.parquet as pq

    return sum(int(pq.read_metadata(file).num_rows) for file in _files(path))


def _batch_size(metadata: Any, samples: int) -> int:
    """Samples per part: no more than asked for, fewer where bags are large."""
    for k in range(metadata.num_row_groups):
        group = metadata.row_group(k)
        values = sum(group.column(c).num_values for c in range(group.num_columns))
        samples = min(samples, max(1, PART_LOOKUPS * group.num_rows // max(values, 1)))
    return samples


def write(parts: Iterable[Trace], path: Path, *, lossy: bool = False) -> None:
    """Write the parts in order as one file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows: dict[str, int] = {}
    writer = None
    try:
        for part in parts:
            columns = columns_of(part)
            if writer is None:
                schema = pa.schema([(name, column.type) for name, column in columns.items()])
                writer = pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True)
            for table in part.tables:
                rows[table.name] = max(rows.get(table.name, 0), table.rows)
            group = max(1, int(PART_LOOKUPS * max(part.samples, 1) / max(part.accesses, 1)))
            writer.write_table(pa.table(columns, schema=schema), row_group_size=group)
        if writer is not None:
            listed = [{"name": name, "column": _column_name(name), "rows": str(n)} for name, n in rows.items()]
            writer.add_key_value_metadata({"hotrow": json.dumps({"version": VERSION, "tables": listed})})
    finally:
        if writer is not None:
            writer.close()


def columns_of(trace: Trace) -> dict[str, Any]:
    """Arrow arrays by column name."""
    import pyarrow as pa

    columns: dict[str, Any] = {}
    for table in trace.tables:
        values = pa.array(table.indices.astype(np.int64, copy=False))
        if table.offsets is not None:
            values = pa.LargeListArray.from_arrays(pa.array(table.offsets), values)
        columns[_column_name(table.name)] = values
    for name in PER_SAMPLE:
        column = getattr(trace, name)
        if column is not None:
            flat = pa.array(column.reshape(-1))
            columns[name] = pa.FixedSizeListArray.from_arrays(flat, column.shape[1]) if column.ndim == 2 else flat
    return columns


def _column_name(table: str) -> str:
    return f"table:{table}" if table in PER_SAMPLE or table.startswith("table:") else table


def _undeclared(schema: Any) -> list[tuple[str, str, int | None]]:
    """As _declared, from the columns' types alone."""
    import pyarrow as pa

    found: list[tuple[str, str, int | None]] = [
        (field.name.removeprefix("table:"), field.name, None)
        for field in schema
        if field.name not in PER_SAMPLE
        and pa.types.is_integer(field.type.value_type if _is_list(field.type) else field.type)
    ]
    if not found:
        raise HotrowError("no integer or list-of-integer column, so no table")
    return found


def part_of(table: Any) -> Trace:
    """A trace from an Arrow table of another hand: its integer and list-of-integer columns are its tables."""
    return _part(table, _undeclared(table.schema))


def _declared(parquet: Any, file: Path) -> list[tuple[str, str, int | None]]:
    """(name, column, declared rows or None) per table, from our metadata or from the columns' types."""
    schema = parquet.schema_arrow
    raw = (parquet.metadata.metadata or {}).get(b"hotrow")
    if raw is None:
        return _undeclared(schema)
    try:
        declared = json.loads(raw)
        version = int(declared["version"])
        tables: list[tuple[str, str, int | None]] = [
            (str(t["name"]), str(t["column"]), int(t["rows"])) for t in declared["tables"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise HotrowError(f"{file}: its hotrow metadata is damaged ({error}); write it again") from error
    if version > VERSION:
        newer = f"written by a newer hotrow (format {version}, this one reads {VERSION})"
        raise HotrowError(f"{file}: {newer}; update hotrow")
    missing = [column for _, column, _ in tables if column not in schema.names]
    if missing:
        raise HotrowError(f"{file}: column {missing[0]!r} is declared but not there; write it again")
    return tables


def _is_list(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _part(batch: Any, tables: list[tuple[str, str, int | None]]) -> Trace:
    names = batch.schema.names
    values = {name: _values(batch, name) for name in PER_SAMPLE if name in names}
    return Trace(tuple(_lookups(batch, *table) for table in tables), **values)


def _array(batch: Any, column: str) -> Any:
    import pyarrow as pa

    array = batch.column(column)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if array.null_count:
        position = int(np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False))[0])
        raise SampleError(f"column {column!r}", position, "is null; every sample needs a value")
    return array


def _lookups(batch: Any, name: str, column: str, rows: int | None) -> TableLookups:
    array = _array(batch, column)
    offsets = None
    if _is_list(array.type):
        offsets = array.offsets.to_numpy().astype(np.int64)
        offsets = offsets - offsets[0]
        array = array.flatten()
        if array.null_count:
            raise HotrowError(f"column {column!r}: a bag holds a null; every lookup needs a row id")
    indices = array.to_numpy(zero_copy_only=False)
    if rows is None:
        rows = int(indices.max()) + 1 if len(indices) else 0
    return TableLookups(name, rows, indices, offsets)


def _values(batch: Any, name: str) -> Any:
    import pyarrow as pa

    array = _array(batch, name)
    if pa.types.is_fixed_size_list(array.type) or _is_list(array.type):
        flat = array.flatten().to_numpy(zero_copy_only=False)
        width = len(flat) // len(array) if len(array) else getattr(array.type, "list_size", 0)
        if not pa.types.is_fixed_size_list(array.type):
            sizes = np.diff(array.offsets.to_numpy())
            uneven = np.flatnonzero(sizes != width)
            if len(uneven):
                s = int(uneven[0])
                raise SampleError(f"column {name!r}", s, f"{sizes[s]} values; every sample must have as many")
        return flat.reshape(len(array), width)
    if pa.types.is_timestamp(array.type):
        array = array.cast(pa.int64())
    return array.to_numpy(zero_copy_only=False)


def _sniff(path: Path, head: bytes) -> bool:
    return head.startswith(b"PAR1") or (path.is_dir() and any(path.glob("*.parquet")))


FORMAT = Format(
    name="parquet",
    summary="Parquet data set, one row per sample",
    suffixes=(".parquet",),
    holds=Holds(),
    sniff=_sniff,
    scan=scan,
    write=write,
    samples=samples_in,
    extent=extent,
    between=between,
)
