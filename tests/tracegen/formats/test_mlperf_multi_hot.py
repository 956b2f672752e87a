"""MLPerf's multi-hot npz: round trips over random bag sizes, the files beside, and broken arrays."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow import HotrowError
from hotrow.tests.tracegen.strategies import renamed
from hotrow.tracegen import files
from hotrow.tracegen.trace import TableLookups, Trace, concatenate

NAME = "day_3_sparse_multi_hot.npz"


@st.composite
def fixed_traces(draw: st.DrawFn) -> Trace:
    n = draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    tables = []
    for k, size in enumerate(draw(st.lists(st.integers(0, 3), min_size=1, max_size=4))):
        offsets = None if size == 1 else np.arange(n + 1) * size
        tables.append(TableLookups(f"t{k}", 2**31, rng.integers(0, 2**31, n * size), offsets))
    return Trace(tuple(tables))


@settings(max_examples=40, deadline=None)
@given(fixed_traces(), st.integers(1, 6), st.integers(0, 3))
def test_exact_round_trip(tmp_path_factory: pytest.TempPathFactory, trace: Trace, samples: int, cut: int) -> None:
    path = tmp_path_factory.mktemp("trace") / NAME
    files.write([trace.samples_between(0, cut), trace.samples_between(cut, 99)], path)
    assert files.read(path).equals(renamed(trace))
    assert concatenate(list(files.scan(path, samples=samples))).equals(renamed(trace))
    with np.load(path) as arrays:
        for k, table in enumerate(trace.tables):
            assert arrays[str(k)].dtype == np.int32
            assert np.array_equal(arrays[str(k)], table.indices.reshape(trace.samples, -1))


def test_dense_and_labels_come_from_the_files_beside(tmp_path: Path) -> None:
    np.savez(tmp_path / NAME, **{"0": np.zeros((3, 2), np.int32)})  # type: ignore[arg-type]
    np.save(tmp_path / "day_3_dense.npy", np.arange(6, dtype=np.float32).reshape(3, 2))
    np.save(tmp_path / "day_3_labels.npy", np.array([[0], [1], [0]], np.int32))
    trace = concatenate(list(files.scan(tmp_path / NAME, samples=2)))
    assert trace.dense is not None
    assert trace.dense.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert trace.label is not None
    assert trace.label.tolist() == [0, 1, 0]
    assert files.read(tmp_path / NAME, beside=False).label is None
    np.save(tmp_path / "day_3_labels.npy", np.zeros(2))
    with pytest.raises(HotrowError, match="label has 2 samples in the file beside but the tables have 3"):
        files.read(tmp_path / NAME)
    (tmp_path / "day_3_labels.npy").write_bytes(b"\x93NUMPY and no more")
    with pytest.raises(HotrowError, match=r"day_3_labels.npy: not a whole npy file"):
        files.read(tmp_path / NAME)


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "no table": ({"x": np.zeros((2, 1), int)}, 'no array named "0"'),
    "a gap": ({"0": np.zeros((2, 1), int), "2": np.zeros((2, 1), int)}, 'no array "1"; tables are numbered'),
    "flat": ({"0": np.zeros(2, int)}, "array '0' is int64 of shape .2,.; it must be integers in 2 dimensions"),
    "lengths": ({"0": np.zeros((2, 1), int), "1": np.zeros((3, 1), int)}, 'array "1" has 3 samples but "0" has 2'),
    "negative": ({"0": np.array([[1], [-1]])}, "table 'f0', sample 1: index -1"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_wrong_is_named(tmp_path: Path, case: str) -> None:
    arrays, message = BROKEN[case]
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(HotrowError, match=rf"bad.npz: {message}"):
        files.read(tmp_path / "bad.npz", format="mlperf_multi_hot")


def test_bags_of_different_sizes_are_refused_unless_lossy(tmp_path: Path) -> None:
    trace = Trace.from_ids([4, 5, 6, 7, 8, 9], offsets=[0, 2, 2, 3, 6])
    with pytest.raises(HotrowError, match="table 'f0', sample 1: a bag of 0 but the first has 2, and an array"):
        files.write(trace, tmp_path / NAME)
    files.write(trace, tmp_path / NAME, lossy=True)
    assert files.read(tmp_path / NAME).tables[0].indices.tolist() == [4, 5, 0, 0, 6, 6, 7, 8]
    with pytest.raises(HotrowError, match="sample 3: id 2147483648 does not fit int32"):
        files.write([Trace.from_ids([1, 2]), Trace.from_ids([1, 2**31])], tmp_path / NAME)
