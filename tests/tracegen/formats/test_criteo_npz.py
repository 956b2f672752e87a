"""The benchmark's processed Criteo files: round trips, its own array orders, and every broken array."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow import HotrowError
from hotrow.tests.tracegen.strategies import criteo_traces
from hotrow.tracegen import files
from hotrow.tracegen.trace import TableLookups, Trace, concatenate


@settings(max_examples=20, deadline=None)
@given(criteo_traces(2**31, 2**31), st.integers(1, 6))
def test_exact_round_trip(tmp_path_factory: pytest.TempPathFactory, trace: Trace, samples: int) -> None:
    path = tmp_path_factory.mktemp("trace") / "log_processed.npz"
    files.write([trace.samples_between(0, 3), trace.samples_between(3, 99)], path)
    assert files.read(path).equals(trace)
    assert concatenate(list(files.scan(path, samples=samples))).equals(trace)


def arrays(n: int = 4, **changed: Any) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    made = {"X_int": rng.integers(-1, 9, (n, 13)), "X_cat": rng.integers(0, 5, (n, 26)), "y": rng.integers(0, 2, n)}
    return {name: array.astype(np.int32) for name, array in made.items()} | changed


@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_of_the_benchmark(tmp_path: Path, order: Any) -> None:
    made = arrays()
    np.savez_compressed(tmp_path / "x.npz", **{name: np.asarray(array, order=order) for name, array in made.items()})
    trace = files.read(tmp_path / "x.npz")
    assert np.array_equal(np.stack([table.indices for table in trace.tables], 1), made["X_cat"])
    assert np.array_equal(trace.dense, np.log1p(np.maximum(made["X_int"], 0).astype(float)).astype(np.float32))
    assert np.array_equal(trace.label, made["y"])
    assert [table.rows for table in trace.tables] == (made["X_cat"].max(axis=0) + 1).tolist()


def test_declared_rows_come_from_a_file_of_their_own(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", **arrays())
    np.savez(tmp_path / "x_fea_count.npz", counts=np.arange(26) + 100)
    trace = files.read(tmp_path / "x.npz", counts=str(tmp_path / "x_fea_count.npz"))
    assert [table.rows for table in trace.tables] == list(range(100, 126))
    with pytest.raises(HotrowError, match=r"none.npz: no such file; option counts"):
        files.read(tmp_path / "x.npz", counts=str(tmp_path / "none.npz"))
    with pytest.raises(HotrowError, match=r"x.npz: no array 'counts' in this file"):
        files.read(tmp_path / "x.npz", counts=str(tmp_path / "x.npz"))


def test_a_smaller_trace_is_filled_with_zeros(tmp_path: Path) -> None:
    files.write(Trace.from_ids([3, 5], rows=9), tmp_path / "x_processed.npz")
    trace = files.read(tmp_path / "x_processed.npz")
    assert [table.rows for table in trace.tables] == [9] + [1] * 25
    assert trace.tables[0].indices.tolist() == [3, 5]


BROKEN = {
    "no labels": ({"X_int": arrays()["X_int"], "X_cat": arrays()["X_cat"]}, "no array 'y'"),
    "width": (arrays(X_int=np.zeros((4, 12), int)), "array 'X_int' has 12 columns; it must have 13"),
    "flat": (arrays(X_cat=np.zeros(4, int)), "array 'X_cat' is int64 of shape .4,.; it must be integers in 2 dim"),
    "float": (arrays(X_int=np.zeros((4, 13))), "array 'X_int' is float64"),
    "lengths": (arrays(y=np.zeros(3, int)), "array 'y' has 3 samples but X_int has 4"),
    "negative": (arrays(X_cat=np.full((4, 26), -1)), "table 'C1', sample 0: index -1"),
    "counts": (arrays(counts=np.ones(26, int)), "table 'C1', sample .*; the table declares 1 rows"),
    "few counts": (arrays(counts=np.ones(3, int)), "array 'counts' has 3 entries; it must have 26"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_wrong_is_named(tmp_path: Path, case: str) -> None:
    made, message = BROKEN[case]
    np.savez(tmp_path / "bad.npz", **made)
    with pytest.raises(HotrowError, match=rf"bad.npz: .*{message}"):
        files.read(tmp_path / "bad.npz", format="criteo_npz")


def test_a_file_cut_off_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "bad_processed.npz"
    files.write(Trace.from_ids([3, 5]), path)
    whole = path.read_bytes()
    for cut in range(1, len(whole), 97):
        path.write_bytes(whole[:cut])
        with pytest.raises(HotrowError, match=r"bad_processed.npz: not a whole npz file"):
            files.read(path)


def test_an_id_beyond_int32_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HotrowError, match=r"table 'f0', sample 1: id 2147483648 does not fit int32; write .parquet"):
        files.write(Trace.from_ids([3, 2**31]), tmp_path / "x_processed.npz", lossy=True)
    dense = np.full((1, 1), 30, np.float32)
    with pytest.raises(HotrowError, match="dense, sample 0: a value is not log"):
        files.write(Trace((TableLookups("a", 1, np.zeros(1, int)),), dense=dense), tmp_path / "x_processed.npz")


def test_what_it_cannot_hold_is_refused(tmp_path: Path) -> None:
    table = TableLookups("a", 9, np.array([4, 5, 6]), np.array([0, 1, 1, 3]))
    trace = Trace((table,), time=np.arange(3))
    with pytest.raises(HotrowError, match="criteo_npz cannot hold bags, time; allow the loss"):
        files.write(trace, tmp_path / "x_processed.npz")
    files.write(trace, tmp_path / "x_processed.npz", lossy=True)
    assert files.read(tmp_path / "x_processed.npz").tables[0].indices.tolist() == [4, 0, 5]
