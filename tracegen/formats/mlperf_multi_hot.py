"""MLPerf's multi-hot npz (day_<i>_sparse_multi_hot.npz): arrays "0", "1", … of int32 [n, k], one per table.

Every bag of a table has the same size k; k = 1 is one-hot. Dense features and labels stand in files of their own
(day_<i>_dense.npy [n, 13] and day_<i>_labels.npy [n] or [n, 1]) and are read from there. Format: MLCommons training,
recommendation_v2/torchrec_dlrm.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import HotrowError
from ..trace import SampleError, TableLookups, Trace
from . import archive
from .archive import Column
from .flat import fixed_bags, must_fit
from .format import PART_LOOKUPS, Format, Holds

ENDING = "_sparse_multi_hot.npz"
BESIDE = {"dense": "_dense.npy", "label": "_labels.npy"}


def scan(path: Path, *, samples: int, beside: bool = True) -> Iterator[Trace]:
    """Yield parts of at most `samples` samples; the largest id so far + 1 stands for a table's declared rows.

    beside: read dense features and labels from the files beside, where they are.
    """
    values = _beside(path) if beside else {}
    with archive.columns(path, str.isdecimal) as arrays:
        columns = _ordered(arrays)
        total = columns[0].shape[0]
        for name, array in values.items():
            if len(array) != total:
                raise HotrowError(f"{name} has {len(array)} samples in the file beside but the tables have {total}")
        lookups = sum(column.shape[1] for column in columns)
        samples = min(samples, max(1, PART_LOOKUPS // max(lookups, 1)))
        rows = [0] * len(columns)
        for start in range(0, max(total, 1), samples):
            count = min(samples, total - start)
            tables = []
            for k, column in enumerate(columns):
                ids, size = column.take(count).reshape(-1), column.shape[1]
                rows[k] = max(rows[k], int(ids.max()) + 1 if len(ids) else 0)
                offsets = None if size == 1 else np.arange(count + 1) * size
                tables.append(TableLookups(f"f{k}", rows[k], ids, offsets))
            some = {name: np.array(array[start : start + count]) for name, array in values.items()}
            yield Trace(tuple(tables), **some)


def _ordered(arrays: dict[str, Column]) -> list[Column]:
    if not arrays:
        raise HotrowError('no array named "0", "1", …: no table in this file')
    columns = []
    for k in range(len(arrays)):
        if str(k) not in arrays:
            raise HotrowError(f'no array "{k}"; tables are numbered from 0 without gaps')
        columns.append(arrays[str(k)])
        columns[k].must_be_integers(2)
        if columns[k].shape[0] != columns[0].shape[0]:
            lengths = f'{columns[k].shape[0]} samples but "0" has {columns[0].shape[0]}'
            raise HotrowError(f'array "{k}" has {lengths}; all must have the same')
    return columns


def _beside(path: Path) -> dict[str, NDArray[Any]]:
    """Dense features and labels where their files lie beside, memory-mapped."""
    values = {}
    for name, ending in BESIDE.items():
        file = path.with_name(path.name.removesuffix(ENDING) + ending)
        if path.name.endswith(ENDING) and file.is_file():
            try:
                array = np.load(file, mmap_mode="r", allow_pickle=False)
            except (ValueError, EOFError, OSError) as error:
                raise HotrowError(f"{file}: not a whole npy file ({error}); make or copy it again") from error
            values[name] = array if name == "dense" else array.reshape(-1)
    return values


def write(parts: Iterable[Trace], path: Path, *, lossy: bool = False) -> None:
    """Write an array per table; with `lossy`, bags are cut or filled up to the size of their table's first one.

    Filling repeats a bag's last lookup, or row 0 where it is empty. Raises HotrowError for bags of different sizes
    and for an id that does not fit int32.
    """
    sizes: list[int | None] = []
    with archive.spooling(path) as spool:
        for part in parts:
            sizes = sizes or [None] * len(part.tables)
            for k, table in enumerate(part.tables):
                sizes[k] = _size(table, sizes[k], lossy)
                ids = fixed_bags(table, sizes[k] or 0, empty=0)
                must_fit(table.name, ids, 2**31, "does not fit int32")
                spool.append(str(k), ids.astype(np.int32))
        spool.save(path)


def _size(table: TableLookups, size: int | None, lossy: bool) -> int | None:
    """The bag size of a table so far, None while there are no samples."""
    if table.offsets is None:
        return 1
    sizes = table.bag_sizes()
    if size is None and len(sizes):
        size = max(int(sizes[0]), 1) if lossy else int(sizes[0])
    other = np.flatnonzero(sizes != size)
    if len(other) and not lossy:
        s = int(other[0])
        rule = f"a bag of {sizes[s]} but the first has {size}, and an array holds one size"
        raise SampleError(f"table {table.name!r}", s, f"{rule}; write .parquet, or allow the loss with --lossy")
    return size


def _sniff(path: Path, head: bytes) -> bool:
    return head.startswith(b"PK") and "0" in archive.names(path)


FORMAT = Format(
    name="mlperf_multi_hot",
    summary="MLPerf's multi-hot npz: int32 [n, k] per table",
    suffixes=(ENDING,),
    holds=Holds(rows=False, names=False, time=False, user=False, dense=False, label=False),
    sniff=_sniff,
    scan=scan,
    write=write,
)
