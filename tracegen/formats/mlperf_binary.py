"""MLPerf's binary Criteo: a row of little-endian int32 per sample, [label, 13 counts, 26 row ids].

Counts become dense features log(x + 1), negative ones 0. The tables are C1 … C26. Format: MLCommons training,
recommendation/dlrm (Terabyte in binary form), read by the DLRM benchmark.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from ... import HotrowError
from ..trace import TableLookups, Trace
from .criteo_columns import DENSE, INT32, NAMES, TABLES, columns_of, features
from .format import Format, Holds

FIELDS = 1 + DENSE + TABLES
ROW_BYTES = 4 * FIELDS
SUFFIX = ".bin"


def scan(path: Path, *, samples: int, max_ind_range: int = 0) -> Iterator[Trace]:
    """Yield parts of at most `samples` samples.

    max_ind_range: above 0, ids are taken modulo this and each table declares as many rows; else the largest id so
    far + 1 stands for the declared rows. Raises HotrowError where the file does not consist of whole rows.
    """
    size = path.stat().st_size
    if size % ROW_BYTES:
        raise HotrowError(f"{path}: {size} bytes are no whole rows of {ROW_BYTES}; is the file cut off?")
    largest = np.zeros(TABLES, np.int64)
    with path.open("rb") as file:
        while data := file.read(ROW_BYTES * samples):
            rows = np.frombuffer(data, "<i4").reshape(-1, FIELDS)
            ids = np.ascontiguousarray(rows[:, 1 + DENSE :].T, np.int64)
            if max_ind_range > 0:
                ids = np.where(ids < 0, ids, ids % max_ind_range)  # a negative id stays one, to be told
                largest[:] = max_ind_range
            else:
                largest = np.maximum(largest, ids.max(axis=1) + 1)
            tables = tuple(TableLookups(*table) for table in zip(NAMES, largest.tolist(), ids, strict=True))
            yield Trace(tables, dense=features(rows[:, 1 : 1 + DENSE]), label=rows[:, 0])


def write(parts: Iterable[Trace], path: Path, *, lossy: bool = False) -> None:
    """Write the parts as rows; what the trace lacks is written as 0.

    Raises HotrowError as columns_of; counts and ids must fit int32.
    """
    with path.open("wb") as file:
        for part in parts:
            columns = columns_of(part, lossy, INT32, empty=0)
            rows = np.zeros((part.samples, FIELDS), "<i4")
            if len(columns.labels):
                rows[:, 0] = columns.labels
            rows[:, 1 : 1 + columns.counts.shape[1]] = columns.counts
            rows[:, 1 + DENSE : 1 + DENSE + len(columns.ids)] = columns.ids.T
            file.write(rows.data)


def _sniff(path: Path, head: bytes) -> bool:
    """The suffix, whole rows and a first label that is small."""
    if path.suffix.lower() != SUFFIX or not path.is_file() or path.stat().st_size % ROW_BYTES or len(head) < 4:
        return False
    return bool(abs(int(np.frombuffer(head[:4], "<i4")[0])) <= 1)


FORMAT = Format(
    name="mlperf_binary",
    summary="MLPerf's int32 rows [label, 13 counts, 26 ids]",
    suffixes=(SUFFIX,),
    holds=Holds(bags=False, rows=False, names=False, time=False, user=False),
    sniff=_sniff,
    scan=scan,
    write=write,
    samples=lambda path: path.stat().st_size // ROW_BYTES,
)
