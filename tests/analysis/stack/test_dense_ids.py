"""Numbers for ids, in order of first appearance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow import HotrowError
from hotrow.analysis.stack.dense_ids import RowNumbers, checked_ids, dense_ids


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 5) | st.integers(0, 2**63 - 1), max_size=60), st.integers(0, 60))
def test_numbers_follow_first_appearance(ids: list[int], cut: int) -> None:
    seen = list(dict.fromkeys(ids))
    numbers, rows = dense_ids(np.array(ids, np.int64))
    assert numbers.tolist() == [seen.index(row) for row in ids]
    assert rows == len(seen)
    chunks = RowNumbers()
    parts = [chunks.of(np.array(part, np.int64)).tolist() for part in (ids[:cut], ids[cut:])]
    assert parts[0] + parts[1] == numbers.tolist()
    assert chunks.ids().tolist() == seen


@pytest.mark.parametrize("stride", [1, 2**20, 3 * 2**40])
def test_table_grows_with_regular_ids(stride: int) -> None:
    ids = np.arange(5000) * stride
    numbers, rows = dense_ids(np.concatenate([ids, ids[::-1]]))
    assert rows == 5000
    assert numbers.tolist() == [*range(5000), *reversed(range(5000))]


def test_no_ids() -> None:
    numbers, rows = dense_ids([])
    assert (len(numbers), rows) == (0, 0)


def test_views_and_types_pass() -> None:
    assert dense_ids(np.arange(10, dtype=np.uint8)[::3])[0].tolist() == [0, 1, 2, 3]
    assert checked_ids(np.array([2**63 - 1], np.uint64)).tolist() == [2**63 - 1]


def test_bad_ids_are_refused() -> None:
    with pytest.raises(HotrowError, match="row ids are"):
        dense_ids(["a"])  # type: ignore[list-item]
