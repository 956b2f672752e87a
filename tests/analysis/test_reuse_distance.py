"""Stack distances against a list of rows in order of their last access."""

import os
import subprocess
import sys
from bisect import bisect_left
from pathlib import Path

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow import HotrowError
from hotrow.analysis.reuse_distance import StackDistances, stack_distances
from hotrow.analysis.stack import lru_stack


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


def skewed(accesses: int, rows: int, seed: int = 0) -> np.ndarray:
    return (rows * np.random.default_rng(seed).random(accesses) ** 3).astype(np.int64)


def distances_by_sorting(ids: np.ndarray) -> list[int]:
    """As distances_by_list, in time for thousands of rows: the stack is a sorted list of last accesses."""
    last: dict[int, int] = {}
    times: list[int] = []
    distances = []
    for i, row in enumerate(ids.tolist()):
        if row in last:
            place = bisect_left(times, last[row])
            distances.append(len(times) - 1 - place)
            del times[place]
        else:
            distances.append(-1)
        last[row] = i
        times.append(i)
    return distances


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.integers(0, 12) | st.integers(0, 2**63 - 1), max_size=60),
    st.lists(st.integers(0, 60), max_size=4),
    st.integers(1, 4),
)
def test_chunks_on_threads_equal_the_whole(ids: list[int], cuts: list[int], threads: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lru_stack, "WORTH_A_THREAD", 1)
        patch.setattr(lru_stack, "PIECE", 7)
        stream = StackDistances(threads)
        chunks = np.split(np.array(ids, np.int64), sorted(cuts))
        together = np.concatenate([stream.feed(chunk) for chunk in chunks])
    assert together.tolist() == distances_by_list(ids)


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="minutes in the interpreter")
@pytest.mark.parametrize("scatter", [1, 2**40 + 1])
def test_compactions_change_nothing(scatter: int) -> None:
    """More accesses than the first tree has slots, of rows that outgrow it; scattered ids are hashed."""
    ids = np.concatenate([skewed(150_000, 300), skewed(250_000, 60_000), skewed(150_000, 300)])
    expected = distances_by_sorting(ids)
    assert stack_distances(ids * scatter).tolist() == expected


def test_ids_that_outgrow_the_table() -> None:
    """Small ids first, then scattered ones: the table gives way to a hash table."""
    ids = np.concatenate([skewed(300, 40), skewed(300, 40) * 10**15, skewed(300, 40)])
    stream = StackDistances()
    together = np.concatenate([stream.feed(chunk) for chunk in np.array_split(ids, 9)])
    assert together.tolist() == distances_by_list(ids.tolist())


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="minutes in the interpreter")
def test_threads_find_what_one_finds() -> None:
    ids = skewed(2**21 + 12345, 70_000)
    np.testing.assert_array_equal(stack_distances(ids, threads=2), stack_distances(ids, threads=1))


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="Python has no machine code")
def test_processor_without_wide_vectors(tmp_path: Path) -> None:
    """The same kernels, compiled for AVX2."""
    program = (
        "import numpy as np; from hotrow.analysis.reuse_distance import stack_distances;"
        "ids = (90000 * np.random.default_rng(0).random(200_000) ** 3).astype(np.int64);"
        "print(stack_distances(ids, threads=1).sum())"
    )
    environment = os.environ | {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": str(tmp_path)}
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert int(ran.stdout) == stack_distances(skewed(200_000, 90_000)).sum()


@pytest.mark.parametrize("threads", [0, 1.5, "2"])
def test_threads_must_be_a_positive_whole_number(threads: object) -> None:
    with pytest.raises(HotrowError, match=f"{threads!r} threads"):
        stack_distances([1], threads=threads)  # type: ignore[arg-type]


def test_refused_ids_are_not_counted() -> None:
    stream = StackDistances()
    stream.feed([1, 2])
    with pytest.raises(HotrowError):
        stream.feed([3, -1])
    assert stream.feed([1, 3]).tolist() == [1, -1]


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
