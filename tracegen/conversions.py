"""A Trace from and to what other libraries hold lookups in: torch tensors, pandas, pyarrow, TorchRec.

The libraries are imported when they are asked for; pandas and TorchRec need not be installed.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import HotrowError
from .trace import PER_SAMPLE, TableLookups, Trace

if TYPE_CHECKING:
    import torch

Bags = dict[str, tuple["torch.Tensor", "torch.Tensor"]]


def to_torch(trace: Trace) -> Bags:
    """Table name → (indices, offsets), as torch.nn.EmbeddingBag takes them: offsets int64 [samples], without the end.

    A one-hot table's offsets are 0, 1, …. Indices share the trace's memory where it is writable.
    """
    import torch

    return {
        table.name: (torch.from_numpy(_writable(table.indices)), torch.from_numpy(_writable(_offsets(table)[:-1])))
        for table in trace.tables
    }


def from_torch(bags: Mapping[str, tuple[Any, Any]], rows: Mapping[str, int] | None = None) -> Trace:
    """A trace from indices [accesses] and offsets per table, offsets with or without the end, or None for one-hot.

    Whether the end is there is seen from the other tables: all have as many samples. Where that leaves both
    possible, offsets that end at the number of accesses are taken to hold the end.
    rows: declared rows; a table's largest id + 1 where it has none.
    """
    arrays = {
        name: (_array(ids), None if offsets is None else _array(offsets)) for name, (ids, offsets) in bags.items()
    }
    ends = _with_end(arrays)
    tables = []
    for name, (ids, offsets) in arrays.items():
        if offsets is not None and not ends:
            offsets = np.append(offsets, len(ids))
        tables.append(_table(name, ids, offsets, rows))
    return Trace(tuple(tables))


def _with_end(arrays: dict[str, tuple[NDArray[Any], NDArray[Any] | None]]) -> bool:
    lengths = {len(offsets) for _, offsets in arrays.values() if offsets is not None}
    samples = {len(ids) for ids, offsets in arrays.values() if offsets is None}
    if len(lengths) > 1 or len(samples) > 1:
        raise HotrowError("tables differ in their samples; all tables of a trace share them")
    if lengths and samples:
        return lengths.pop() == samples.pop() + 1
    return all(len(o) > 0 and o[-1] == len(ids) for ids, o in arrays.values() if o is not None)


def to_arrow(trace: Trace) -> Any:
    """A pyarrow.Table with a row per sample: a column per table, list<int64> for bags, and time, user, dense, label.

    Columns are named as in a Parquet file of ours.
    """
    import pyarrow as pa

    from .formats.parquet import columns_of

    return pa.table(columns_of(trace))


def from_arrow(table: Any, rows: Mapping[str, int] | None = None) -> Trace:
    """A trace from a pyarrow.Table: integer and list-of-integer columns are tables, as in a foreign Parquet file."""
    from .formats.parquet import part_of

    return _declared(part_of(table), rows)


def to_pandas(trace: Trace) -> Any:
    """A pandas.DataFrame with a row per sample, columns as in to_arrow; bags and dense features are arrays."""
    return to_arrow(trace).to_pandas()


def from_pandas(frame: Any, rows: Mapping[str, int] | None = None) -> Trace:
    """A trace from a pandas.DataFrame: its columns of integers, or of lists or arrays of integers, are tables."""
    import pyarrow as pa

    return from_arrow(pa.Table.from_pandas(frame, preserve_index=False), rows)


def to_keyed_jagged(trace: Trace) -> Any:
    """A torchrec KeyedJaggedTensor with the tables as keys; HotrowError where TorchRec is not installed."""
    import torch

    lengths = np.concatenate([table.bag_sizes() for table in trace.tables]).astype(np.int32)
    values = np.concatenate([table.indices.astype(np.int64) for table in trace.tables])
    return _keyed_jagged()(
        keys=[table.name for table in trace.tables],
        values=torch.from_numpy(values),
        lengths=torch.from_numpy(lengths),
    )


def from_keyed_jagged(jagged: Any, rows: Mapping[str, int] | None = None) -> Trace:
    """A trace from a KeyedJaggedTensor without weights (anything with its keys(), values() and lengths() will do)."""
    keys = list(jagged.keys())
    values, lengths = _array(jagged.values()), _array(jagged.lengths()).astype(np.int64)
    if not keys or len(lengths) % len(keys):
        raise HotrowError(f"{len(lengths)} lengths for {len(keys)} keys; every key needs as many")
    if int(lengths.sum()) != len(values):
        raise HotrowError(f"lengths sum to {lengths.sum()} but there are {len(values)} values; they must agree")
    tables = []
    end = 0
    for name, sizes in zip(keys, lengths.reshape(len(keys), -1), strict=True):
        start, end = end, end + int(sizes.sum())
        tables.append(_table(name, values[start:end], np.concatenate(([0], np.cumsum(sizes))), rows))
    return Trace(tuple(tables))


def _keyed_jagged() -> Any:
    try:
        return import_module("torchrec.sparse.jagged_tensor").KeyedJaggedTensor
    except ImportError as error:
        raise HotrowError("TorchRec is not installed; pip install torchrec, or use to_torch") from error


def _offsets(table: TableLookups) -> NDArray[np.int64]:
    return np.arange(table.accesses + 1) if table.offsets is None else table.offsets


def _writable(array: NDArray[Any]) -> NDArray[Any]:
    return array if array.flags.writeable and array.flags.c_contiguous else array.copy()


def _array(values: Any) -> NDArray[Any]:
    """A NumPy array of a tensor, on whatever device, or of anything else."""
    return np.asarray(values.detach().cpu().numpy() if hasattr(values, "detach") else values)


def _table(name: str, ids: Any, offsets: Any, rows: Mapping[str, int] | None) -> TableLookups:
    least = int(ids.max()) + 1 if len(ids) else 0
    return TableLookups(name, (rows or {}).get(name, least), ids, offsets)


def _declared(trace: Trace, rows: Mapping[str, int] | None) -> Trace:
    """The trace with these declared rows, where there are any."""
    declared = rows or {}
    tables = tuple(
        TableLookups(table.name, declared.get(table.name, table.rows), table.indices, table.offsets)
        for table in trace.tables
    )
    return Trace(tables, **{name: getattr(trace, name) for name in PER_SAMPLE})
