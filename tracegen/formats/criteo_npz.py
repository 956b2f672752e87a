"""The DLRM benchmark's processed Criteo files: X_int [n, 13], X_cat [n, 26] and y [n] in one npz file.

X_int holds counts, which become dense features log(x + 1), negative ones 0; X_cat holds row ids; y is the label.
counts [26], the declared rows, stands in the same file or in one of its own (*_fea_count.npz). The tables are
C1 … C26. Format: facebookresearch/dlrm, Naumov et al., arXiv 1906.00091.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ... import HotrowError
from ..trace import TableLookups, Trace
from . import archive
from .archive import Column
from .criteo_columns import DENSE, INT32, NAMES, TABLES, columns_of, features
from .format import Format, Holds

ARRAYS = {"X_int": DENSE, "X_cat": TABLES, "y": None}


def scan(path: Path, *, samples: int, counts: str = "") -> Iterator[Trace]:
    """Yield parts of at most `samples` samples.

    counts: a *_fea_count.npz file with the declared rows; without it and without counts in the file itself, the
    largest id so far + 1 stands for them.
    """
    with archive.columns(path, lambda name: name in ARRAYS or name == "counts") as columns:
        total = _checked(columns)
        rows = _rows(columns["counts"]) if "counts" in columns else None
        if counts:
            rows = _rows_of(Path(counts))
        largest = np.zeros(TABLES, np.int64)
        for start in range(0, max(total, 1), samples):
            count = min(samples, total - start)
            ids = np.ascontiguousarray(columns["X_cat"].take(count).T)
            if rows is None and count:
                largest = np.maximum(largest, ids.max(axis=1).astype(np.int64) + 1)
            declared = largest if rows is None else rows
            tables = tuple(TableLookups(*table) for table in zip(NAMES, declared.tolist(), ids, strict=True))
            yield Trace(tables, dense=features(columns["X_int"].take(count)), label=columns["y"].take(count))


def _checked(columns: dict[str, Column]) -> int:
    """The number of samples, the same in all arrays; HotrowError for a missing one or another shape."""
    for name, width in ARRAYS.items():
        if name not in columns:
            raise HotrowError(f"no array {name!r}; a processed Criteo file holds X_int, X_cat and y")
        columns[name].must_be_integers(1 if width is None else 2)
        if width is not None and columns[name].shape[1] != width:
            raise HotrowError(f"array {name!r} has {columns[name].shape[1]} columns; it must have {width}")
        if columns[name].shape[0] != columns["X_int"].shape[0]:
            lengths = f"{columns[name].shape[0]} samples but X_int has {columns['X_int'].shape[0]}"
            raise HotrowError(f"array {name!r} has {lengths}; all must have the same")
    return columns["X_int"].shape[0]


def _rows(column: Column) -> NDArray[np.int64]:
    column.must_be_integers(1)
    if column.shape != (TABLES,):
        raise HotrowError(f"array 'counts' has {column.shape[0]} entries; it must have {TABLES}, one per table")
    return column.take(TABLES).astype(np.int64)


def _rows_of(path: Path) -> NDArray[np.int64]:
    if not path.is_file():
        raise HotrowError(f"{path}: no such file; option counts names a *_fea_count.npz file")
    with archive.columns(path, lambda name: name == "counts") as columns:
        if "counts" not in columns:
            raise HotrowError(f"{path}: no array 'counts' in this file")
        return _rows(columns["counts"])


def write(parts: Iterable[Trace], path: Path, *, lossy: bool = False) -> None:
    """Write X_int, X_cat and y as int32, and counts as int64; what the trace lacks is written as 0.

    Raises HotrowError as columns_of; counts and ids must fit int32.
    """
    rows = np.ones(TABLES, np.int64)
    with archive.spooling(path) as spool:
        for part in parts:
            columns = columns_of(part, lossy, INT32, empty=0)
            whole = _padded(columns.counts, DENSE), _padded(columns.ids.T, TABLES)
            labels = columns.labels if len(columns.labels) else np.zeros(part.samples, np.int64)
            for name, values in zip(ARRAYS, (*whole, labels), strict=True):
                spool.append(name, values.astype(np.int32))
            for k, table in enumerate(part.tables[:TABLES]):
                rows[k] = table.rows
        spool.append("counts", rows)
        spool.save(path)


def _padded(values: NDArray[np.int64], width: int) -> NDArray[np.int64]:
    return np.pad(values, ((0, 0), (0, width - values.shape[1])))


def _sniff(path: Path, head: bytes) -> bool:
    return head.startswith(b"PK") and ARRAYS.keys() <= set(archive.names(path))


FORMAT = Format(
    name="criteo_npz",
    summary="the DLRM benchmark's processed Criteo: X_int, X_cat, y",
    suffixes=("_processed.npz", "_reordered.npz"),
    holds=Holds(bags=False, names=False, time=False, user=False),
    sniff=_sniff,
    scan=scan,
    write=write,
)
