"""The tree of dead slots against a sorted array, in all its levels."""

import numba
import numpy as np
import pytest

from hotrow.analysis.stack.dead_slots import access_rows, compact, no_dead_slots, revive, rows_by_slot
from hotrow.analysis.stack.lru_stack import NO_BINS, NO_CARRIES, NO_DISTANCES, DistanceCounts, LruStack


@pytest.mark.parametrize(("slots", "used"), [(1 << 16, 0), (1 << 22, 3_000_000), (1 << 27, 100_000_000)])
def test_slots_far_apart(slots: int, used: int) -> None:
    """Rows whose last accesses lie anywhere below `used`, all other slots there being live."""
    rng = np.random.default_rng(0)
    rows = 400
    last = np.sort(rng.choice(max(used, 60_000), rows, replace=False)).astype(np.uint32) + 1
    used = max(used, 60_000)
    before = last.astype(np.int64).copy()
    order = rng.permutation(rows).astype(np.int32)
    tree = no_dead_slots(slots)
    out = np.empty(rows, np.int64)
    new = access_rows(order, last, tree, used, NO_BINS, NO_CARRIES, out, NO_DISTANCES)
    assert new == 0
    dead: list[int] = []
    for i, row in enumerate(order.tolist()):
        slot = int(before[row])
        assert out[i] == used + i - slot - sum(other > slot for other in dead)
        dead.append(slot)


def test_compaction_keeps_the_order() -> None:
    rng = np.random.default_rng(1)
    rows = (300 * rng.random(5000) ** 2).astype(np.int32)
    tree, last = no_dead_slots(1 << 16), np.zeros(320, np.uint32)
    firsts = np.empty(len(rows), np.int64)
    new = access_rows(rows, last, tree, 0, np.zeros(400, np.uint8), np.zeros(400, np.uint32), NO_DISTANCES, firsts)
    distinct, first_positions = np.unique(rows, return_index=True)
    np.testing.assert_array_equal(firsts[:new], np.sort(first_positions))
    by_last = sorted(distinct.tolist(), key=lambda row: np.flatnonzero(rows == row)[-1])
    assert compact(last, tree) == len(rows) - new
    assert rows_by_slot(last, new).tolist() == by_last
    revive(tree)
    assert compact(last, tree) == 0


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="Python has no specialisations")
def test_one_specialisation_serves_stacks_and_these_tests() -> None:
    """What is tested here is the machine code that runs elsewhere."""
    test_compaction_keeps_the_order()
    test_slots_far_apart(1 << 16, 0)
    stack = LruStack()
    stack.count(np.arange(5), DistanceCounts())
    stack.measure(np.arange(5), np.empty(5, np.int64))
    assert len(access_rows.signatures) == 1
