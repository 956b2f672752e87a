"""LruStack against a list of rows in order of their last access."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow.analysis.stack import lru_stack
from hotrow.analysis.stack.lru_stack import DistanceCounts, LruStack, count_part, parts_worth

few = settings(max_examples=5 if numba.config.DISABLE_JIT else 50, deadline=None)
streams = st.lists(st.integers(0, 9) | st.integers(2**40, 2**63 - 1), max_size=40)  # small ones and hashed ones


def by_last_access(ids: list[int]) -> list[int]:
    return [row for k, row in enumerate(ids) if row not in ids[k + 1 :]]


@few
@given(streams, st.integers(0, 40))
def test_recency_lists_rows_by_their_last_access(ids: list[int], cut: int) -> None:
    stack = LruStack()
    stack.count(np.array(ids[:cut], np.int64), DistanceCounts())
    assert stack.recency().tolist() == by_last_access(ids[:cut])
    stack.count(np.array(ids[cut:], np.int64), DistanceCounts())
    assert stack.recency().tolist() == by_last_access(ids)
    assert stack.distinct == len(set(ids))


@few
@given(streams, st.randoms(use_true_random=False))
def test_reorder_puts_the_rows_accessed_last_into_the_order_given(ids: list[int], random: object) -> None:
    order = by_last_access(ids)
    random.shuffle(order)  # type: ignore[attr-defined]
    stack = LruStack()
    stack.count(np.array(ids + order, np.int64), DistanceCounts())
    random.shuffle(order)  # type: ignore[attr-defined]
    stack.reorder(np.array(order, np.int64))
    assert stack.recency().tolist() == order
    out = np.empty(len(order), np.int64)
    stack.measure(np.array(order, np.int64), out)
    assert out.tolist() == [len(order) - 1] * len(order)


@few
@given(streams)
def test_a_part_knows_its_first_accesses(ids: list[int]) -> None:
    histogram, firsts, recency = count_part(np.array(ids, np.int64))
    assert firsts.tolist() == [k for k, row in enumerate(ids) if row not in ids[:k]]
    assert recency.tolist() == by_last_access(ids)
    assert histogram.sum() == len(ids) - len(set(ids))


@few
@given(streams, streams)
def test_known_rows_are_not_taken_off_the_counts(before: list[int], ids: list[int]) -> None:
    """Counts that begin in the middle of a stream lack the first accesses before it."""
    stack, counts = LruStack(), DistanceCounts()
    stack.count(np.array(before, np.int64), DistanceCounts())
    known = stack.distinct
    stack.count(np.array(ids, np.int64), counts)
    again, out = LruStack(), np.empty(len(before) + len(ids), np.int64)
    again.measure(np.array(before + ids, np.int64), out)
    later = out[len(before) :]
    expected = np.bincount(later[later >= 0], minlength=stack.distinct)
    assert counts.histogram(stack.distinct, known).tolist() == expected.tolist()


def test_counts_add_up_beyond_their_bins() -> None:
    counts = DistanceCounts()
    for _ in range(3):
        counts.add(np.array([255, 1, 70_000]))
    assert counts.bins[:3].tolist() == [765 % 256, 3, 210_000 % 256]
    assert (counts.bins[:3] + 256 * counts.carries[:3].astype(np.int64)).tolist() == [765, 3, 210_000]


@pytest.mark.parametrize(("accesses", "threads", "parts"), [(0, 4, 1), (2**20, 4, 1), (2**21, 4, 2), (2**23, 4, 4)])
def test_threads_get_parts_that_are_worth_one(accesses: int, threads: int, parts: int) -> None:
    assert parts_worth(accesses, threads) == parts


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="minutes in the interpreter")
def test_more_rows_than_slots_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lru_stack, "LARGEST", lru_stack.SMALLEST)
    stack = LruStack()
    stack._used = stack._slots - 1  # all slots are given out, and none is dead
    stack._last = np.arange(1, stack._slots, dtype=np.uint32)
    with pytest.raises(lru_stack.HotrowError, match="more than 2"):
        stack.count(np.arange(3), DistanceCounts())
