"""Parquet: files of other programs, folders, row groups, and every way in which one can be broken."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hotrow import HotrowError
from hotrow.tracegen import files
from hotrow.tracegen.trace import Trace


def save(path: Path, metadata: dict[str, Any] | None = None, **columns: Any) -> Path:
    table = pa.table(columns)
    if metadata is not None:
        table = table.replace_schema_metadata({"hotrow": json.dumps(metadata)})
    pq.write_table(table, path)
    return path


def test_columns_of_another_hand(tmp_path: Path) -> None:
    path = save(
        tmp_path / "other.parquet",
        item=pa.array([3, 1, 2], pa.uint16()),
        bag=pa.array([[1, 2], [], [5]], pa.list_(pa.int32())),
        text=["a", "b", "c"],
        price=[0.5, 1.5, 2.5],
        time=pa.array([10, 20, 30], pa.timestamp("ms")),
        dense=pa.array([[1.0, 2.0]] * 3, pa.list_(pa.float64())),
        label=[True, False, True],
    )
    trace = files.read(path)
    assert [(t.name, t.rows, t.indices.tolist()) for t in trace.tables] == [
        ("item", 4, [3, 1, 2]),
        ("bag", 6, [1, 2, 5]),
    ]
    assert trace.tables[1].bag_sizes().tolist() == [2, 0, 1]
    assert trace.time is not None
    assert trace.time.tolist() == [10, 20, 30]
    assert trace.dense is not None
    assert trace.dense.tolist() == [[1, 2]] * 3
    assert trace.label is not None
    assert trace.label.tolist() == [1, 0, 1]


def test_a_folder_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    for k in (1, 0, 2):
        files.write(Trace.from_ids([k], rows=3), tmp_path / f"part-{k}.parquet")
    assert files.read(tmp_path).tables[0].indices.tolist() == [0, 1, 2]
    with pytest.raises(HotrowError, match="known trace format"):
        (tmp_path / "empty").mkdir()
        files.read(tmp_path / "empty")


def test_our_files_open_elsewhere(tmp_path: Path) -> None:
    files.write(Trace.from_ids([5, 6, 7], rows=9, offsets=[0, 1, 3]), tmp_path / "trace.parquet")
    assert pq.read_table(tmp_path / "trace.parquet").to_pydict() == {"f0": [[5], [6, 7]]}


def test_row_groups_stay_small(tmp_path: Path) -> None:
    rows = 5_000_000
    files.write(Trace.from_ids(np.zeros(rows, np.int64)), tmp_path / "trace.parquet")
    metadata = pq.ParquetFile(tmp_path / "trace.parquet").metadata
    assert max(metadata.row_group(k).num_rows for k in range(metadata.num_row_groups)) <= 4_000_000


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    parts = (Trace.from_ids(rng.integers(0, 2**62, 100_000), rows=2**62) for _ in range(50))
    files.write(parts, tmp_path / "trace.parquet")
    most = 0
    for _ in files.scan(tmp_path / "trace.parquet"):
        most = max(most, pa.total_allocated_bytes())
    assert (tmp_path / "trace.parquet").stat().st_size > 30e6
    assert most < 15e6


ONE = {"version": 1, "tables": [{"name": "a", "column": "a", "rows": "3"}]}
BROKEN: dict[str, tuple[dict[str, Any] | None, dict[str, Any], str]] = {
    "no table": (None, {"x": ["a"]}, "no integer or list-of-integer column, so no table"),
    "null": (None, {"a": [1, None, 2]}, "column 'a', sample 1: is null"),
    "null in a bag": (None, {"a": [[1], [2, None]]}, "column 'a': a bag holds a null"),
    "negative": (None, {"a": [1, -2]}, "table 'a', sample 1: index -2; row ids start at 0"),
    "declared": (ONE, {"a": [1, 3]}, "table 'a', sample 1: index 3; the table declares 3 rows"),
    "text in a table": (ONE, {"a": ["x"]}, "table 'a': indices are object"),
    "missing column": (ONE, {"b": [1]}, "column 'a' is declared but not there"),
    "newer": ({**ONE, "version": 99}, {"a": [1]}, "written by a newer hotrow .format 99"),
    "no tables": ({"version": 1}, {"a": [1]}, "its hotrow metadata is damaged"),
    "rows are text": ({"version": 1, "tables": [{"name": "a", "column": "a", "rows": "many"}]}, {"a": [1]}, "damaged"),
    "metadata is a list": ([], {"a": [1]}, "damaged"),  # type: ignore[dict-item]
    "NaN in dense": (None, {"a": [1, 2], "dense": [[0.0], [np.nan]]}, "dense column 0, sample 1: nan"),
    "uneven dense": (None, {"a": [1, 2], "dense": [[0.0], [1.0, 2.0]]}, "column 'dense', sample 1: 2 values"),
    "dense of one number": (None, {"a": [1, 2], "dense": [0.0, 1.0]}, r"dense has shape \(2,\)"),
    "text as time": (None, {"a": [1], "time": ["noon"]}, "time holds object; it must hold numbers"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_wrong_is_named(tmp_path: Path, case: str) -> None:
    metadata, columns, message = BROKEN[case]
    path = save(tmp_path / "bad.parquet", metadata, **columns)
    with pytest.raises(HotrowError, match=rf"bad.parquet: .*{message}"):
        files.read(path)


def test_a_broken_file_in_a_folder_is_named(tmp_path: Path) -> None:
    files.write(Trace.from_ids([1]), tmp_path / "part-0.parquet")
    (tmp_path / "part-1.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(HotrowError, match=r"part-1.parquet: not a whole Parquet file"):
        files.read(tmp_path)


def test_a_flipped_bit_is_never_read_as_other_rows(tmp_path: Path) -> None:
    ids = np.random.default_rng(5).integers(0, 10**6, 20_000)
    path = tmp_path / "a.parquet"
    files.write(Trace.from_ids(ids), path)
    whole = path.read_bytes()
    refused = 0
    for position in np.linspace(4, len(whole) - 9, 60).astype(int):
        broken = bytearray(whole)
        broken[position] ^= 1
        path.write_bytes(broken)
        try:
            read = files.read(path).tables[0].indices
        except HotrowError:
            refused += 1
            continue
        assert read.tolist() == ids.tolist(), position
    assert refused > 50
