"""Stack distances against a list of rows in order of their last access."""

from pathlib import Path

import numpy as np
import pytest
from hotrow import HotrowError
from hotrow.analysis.reuse_distance import stack_distances
from hypothesis import given, settings
from hypothesis import strategies as st


def distances_by_list(ids: list[int]) -> list[int]:
    stack: list[int] = []
    distances = []
    for row in ids:
        distances.append(stack.index(row) if row in stack else -1)
        if row in stack:
            stack.remove(row)
        stack.insert(0, row)
    return distances


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 12) | st.integers(0, 2**63 - 1), max_size=60))
def test_distances_equal_a_list(ids: list[int]) -> None:
    assert stack_distances(np.array(ids, np.int64)).tolist() == distances_by_list(ids)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint32, np.int32, np.int64, np.uint64])
def test_any_integer_type(dtype: type[np.generic]) -> None:
    assert stack_distances(np.array([5, 5, 6, 5], dtype)).tolist() == [-1, 0, -1, 1]


def test_no_access_and_one() -> None:
    assert stack_distances([]).tolist() == []
    assert stack_distances([2**63 - 1]).tolist() == [-1]
    assert stack_distances([4]).dtype == np.int64


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        (np.array([3, -7, 2]), "row id -7 at access 1"),
        (np.array([3, 2**63], np.uint64), "row id 9223372036854775808 at access 1"),
        (np.array([1.0]), "float64"),
        (np.array([True]), "bool"),
        (np.array([[1, 2]]), "2 dimensions"),
    ],
)
def test_bad_ids_are_refused(ids: np.ndarray, said: str) -> None:
    with pytest.raises(HotrowError, match=said):
        stack_distances(ids)


@pytest.mark.parametrize("name", ["hand", "zipf0.8_2k_20k", "mix_zipf_scan", "scan_loops"])
def test_distances_of_libcachesim(shared: Path, name: str) -> None:
    folder = shared / "golden" / "cache"
    theirs = np.load(folder / f"{name}.stack_dist_libcachesim.npy")
    ids = np.load(folder / f"{name}.npy")
    ours = stack_distances(ids)
    # libCacheSim calls the second access of the very first row a first access.
    again = int(np.flatnonzero(ids == ids[0])[1])
    np.testing.assert_array_equal(np.delete(ours, again), np.delete(theirs, again))
    assert ours[again] == len(np.unique(ids[1:again]))
