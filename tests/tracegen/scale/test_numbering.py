"""Numbers of ids: as a dictionary gives them, whatever the ids' size and however they come."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow.tracegen.scale.numbering import DIRECT, NARROW, Numbering, grown

LARGEST = [10, DIRECT - 1, DIRECT, NARROW - 1, NARROW, 2**63 - 1]


@given(st.lists(st.lists(st.integers(0, 2**63 - 1) | st.sampled_from(LARGEST) | st.integers(0, 20)), max_size=6))
@settings(max_examples=40, deadline=None)
def test_numbers_are_those_of_a_dictionary(parts: list[list[int]]) -> None:
    numbering = Numbering()
    known: dict[int, int] = {}
    for part in sorted(parts, key=lambda p: max(p, default=0)):  # the array, then narrow keys, then wide ones
        expected = [known.setdefault(value, len(known)) for value in part]
        assert numbering.number(np.array(part, np.int64)).tolist() == expected
        assert numbering.size == len(known)
        assert numbering.ids.tolist() == list(known)


@pytest.mark.parametrize("largest", LARGEST)
def test_a_table_may_grow(largest: int) -> None:
    numbering = Numbering()
    assert numbering.number(np.array([3, 1, 3], np.int32)).tolist() == [0, 1, 0]
    assert numbering.number(np.array([largest, 1, 3])).tolist() == [2, 1, 0]
    assert numbering.ids.tolist() == [3, 1, largest]


def test_growing_keeps_what_is_there() -> None:
    longer = grown(np.arange(6).reshape(3, 2), 2000)
    assert longer.shape == (2000, 2)
    assert longer[:3].ravel().tolist() == [0, 1, 2, 3, 4, 5]
    assert not longer[3:].any()
    assert grown(longer, 10) is longer
