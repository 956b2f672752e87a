"""MLPerf's int32 rows: the very bytes, round trips, and broken files."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow import HotrowError
from hotrow.tests.tracegen.strategies import criteo_traces
from hotrow.tracegen import files
from hotrow.tracegen.trace import TableLookups, Trace, concatenate

ROWS = 2**31  # declared rows are not held: max_ind_range states them


@settings(max_examples=20, deadline=None)
@given(criteo_traces(ROWS, 2**31), st.integers(1, 6))
def test_exact_round_trip(tmp_path_factory: pytest.TempPathFactory, trace: Trace, samples: int) -> None:
    path = tmp_path_factory.mktemp("trace") / "day.bin"
    files.write([trace.samples_between(0, 3), trace.samples_between(3, 99)], path)
    assert files.read(path, max_ind_range=ROWS).equals(trace)
    assert concatenate(list(files.scan(path, samples=samples, max_ind_range=ROWS))).equals(trace)


def test_the_very_bytes(tmp_path: Path) -> None:
    tables = tuple(TableLookups(f"t{k}", 100, np.array([k, 2 * k])) for k in range(26))
    dense = np.log1p(np.arange(26).reshape(2, 13)).astype(np.float32)
    files.write(Trace(tables, dense=dense, label=np.array([0, 1])), tmp_path / "day.bin")
    rows = np.fromfile(tmp_path / "day.bin", "<i4").reshape(2, 40)
    assert rows[1].tolist() == [1, *range(13, 26), *range(0, 52, 2)]
    trace = files.read(tmp_path / "day.bin")
    assert [table.rows for table in trace.tables] == [2 * k + 1 for k in range(26)]
    folded = files.read(tmp_path / "day.bin", max_ind_range=7)
    assert [table.indices.tolist() for table in folded.tables] == [[k % 7, 2 * k % 7] for k in range(26)]


def test_broken_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "day.bin"
    path.write_bytes(bytes(170))
    with pytest.raises(HotrowError, match=r"day.bin: 170 bytes are no whole rows of 160; is the file cut off"):
        files.read(path, format="mlperf_binary")
    rows = np.zeros((3, 40), "<i4")
    rows[2, 14] = -5
    path.write_bytes(rows.tobytes())
    for limit in (0, 3):
        with pytest.raises(HotrowError, match=r"day.bin: table 'C1', sample 2: index -5; row ids start at 0"):
            list(files.scan(path, samples=2, max_ind_range=limit))


def test_what_it_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HotrowError, match="mlperf_binary cannot hold bags, user; allow the loss"):
        files.write(Trace(Trace.from_ids([1], offsets=[0, 1]).tables, user=np.zeros(1, int)), tmp_path / "x.bin")
    with pytest.raises(HotrowError, match="id 2147483648 does not fit int32"):
        files.write(Trace.from_ids([2**31]), tmp_path / "x.bin")
