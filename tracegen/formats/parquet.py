"""Parquet data set: hotrow's own form of a trace on disk, one row per sample.

A column per table (int64, or list<int64> for bags), and time, user, dense (fixed-size list of float32) and label
where the trace has them. Declared rows and the format's version stand in the schema metadata under the key
"hotrow". A Parquet file from elsewhere is read too: its integer and list-of-integer columns are its tables.
A folder of Parquet files is read in the order of their names.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ... import HotrowError
from ..trace import PER_SAMPLE, SampleError, TableLookups, Trace
from .format import Format, Holds

VERSION = 1
GROUP_LOOKUPS = 4_000_000  # lookups per row group: about 32 MB decoded


def scan(path: Path, *, samples: int) -> Iterator[Trace]:
    """Yield parts of at most `samples` samples, one row group in memory at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files:
        raise HotrowError(f"{path}: the folder holds no .parquet file")
    try:
        for file in files:
            with pq.ParquetFile(file) as parquet:
                tables = _declared(parquet.schema_arrow, file)
                largest = max(
                    (parquet.metadata.row_group(k).num_rows for k in range(parquet.num_row_groups)), default=1
                )
                if parquet.metadata.num_rows == 0:
                    yield _part(parquet.schema_arrow.empty_table(), tables)
                for batch in parquet.iter_batches(batch_size=max(1, min(samples, largest))):
                    yield _part(batch, tables)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise HotrowError(f"{path}: not a whole Parquet file ({reason}); make or copy it again") from error


def write(parts: Iterable[Trace], path: Path, *, lossy: bool = False) -> None:
    """Write the parts in order as one file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows: dict[str, int] = {}
    writer = None
    try:
        for part in parts:
            columns = _columns(part)
            if writer is None:
                schema = pa.schema([(name, column.type) for name, column in columns.items()])
                writer = pq.ParquetWriter(path, schema, compression="zstd")
            for table in part.tables:
                rows[table.name] = max(rows.get(table.name, 0), table.rows)
            group = max(1, int(GROUP_LOOKUPS * max(part.samples, 1) / max(part.accesses, 1)))
            writer.write_table(pa.table(columns, schema=schema), row_group_size=group)
        if writer is not None:
            listed = [{"name": name, "column": _column_name(name), "rows": str(n)} for name, n in rows.items()]
            writer.add_key_value_metadata({"hotrow": json.dumps({"version": VERSION, "tables": listed})})
    finally:
        if writer is not None:
            writer.close()


def _columns(trace: Trace) -> dict[str, Any]:
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


def _declared(schema: Any, file: Path) -> list[tuple[str, str, int | None]]:
    """(name, column, declared rows or None) per table, from our metadata or from the columns' types."""
    import pyarrow as pa

    raw = (schema.metadata or {}).get(b"hotrow")
    if raw is None:
        found: list[tuple[str, str, int | None]] = [
            (field.name, field.name, None)
            for field in schema
            if field.name not in PER_SAMPLE
            and pa.types.is_integer(field.type.value_type if _is_list(field.type) else field.type)
        ]
        if not found:
            raise HotrowError(f"{file}: no integer or list-of-integer column, so no table")
        return found
    try:
        declared = json.loads(raw)
        version = declared["version"]
        if version > VERSION:
            raise HotrowError(
                f"{file}: written by a newer hotrow (format {version}, this one reads {VERSION}); update hotrow"
            )
        tables: list[tuple[str, str, int | None]] = [
            (str(t["name"]), str(t["column"]), int(t["rows"])) for t in declared["tables"]
        ]
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise HotrowError(f"{file}: its hotrow metadata is damaged ({error}); write it again") from error
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
    if pa.types.is_fixed_size_list(array.type):
        width = array.type.list_size
        return array.flatten().to_numpy(zero_copy_only=False).reshape(len(array), width)
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
)
