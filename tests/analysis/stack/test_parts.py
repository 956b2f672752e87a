"""Parts joined are the stream in one piece, wherever it is cut."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow import HotrowError
from hotrow.analysis.miss_ratio import lru_curve
from hotrow.analysis.stack.parts import JoinedCurve, PartCounter


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 30) | st.sampled_from([2**40, 2**62, 2**63 - 1]), max_size=200),
    st.lists(st.integers(0, 200), max_size=6),
    st.integers(1, 50),
)
def test_joined_parts_are_the_stream_in_one_piece(ids: list[int], cuts: list[int], piece: int) -> None:
    stream = np.array(ids, np.int64)
    joined = JoinedCurve()
    for part in np.split(stream, sorted(min(cut, len(ids)) for cut in cuts)):
        counter = PartCounter()
        for start in range(0, len(part), piece):
            counter.feed(part[start : start + piece])
        found = counter.result()
        assert found.accesses == len(part)
        assert sorted(found.firsts.tolist()) == sorted(found.recency.tolist()) == sorted(set(part.tolist()))
        joined.join(found)
    curve, whole = joined.curve(), lru_curve(stream)
    assert (curve.accesses, curve.distinct) == (whole.accesses, whole.distinct)
    assert np.array_equal(curve.histogram, whole.histogram)


def test_what_a_part_sends_is_narrow_and_no_longer_than_its_rows() -> None:
    counter = PartCounter()
    counter.feed(np.tile(np.arange(100), 1000))
    found = counter.result()
    assert {found.firsts.dtype, found.recency.dtype, found.histogram.dtype} == {np.dtype(np.int32)}
    assert len(found.firsts) == len(found.recency) == len(found.histogram) == 100


def test_ids_that_are_none_are_refused() -> None:
    with pytest.raises(HotrowError, match="row id -1"):
        PartCounter().feed([3, -1])
