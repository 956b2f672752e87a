"""Made bags: prefix trees repeat beginnings, lists come from their owners, and seeds decide."""

import numpy as np
import pytest

from hotrow.tracegen.samples.made_bags import histories, lists, prefix_trees, strangers


def test_a_row_of_a_prefix_tree_always_follows_the_same_row() -> None:
    table = prefix_trees(800, 3, talks=20).tables[0]
    assert table.offsets is not None
    before: dict[int, int] = {}
    for start, stop in zip(table.offsets[:-1], table.offsets[1:], strict=True):
        bag = table.indices[start:stop].tolist()
        for row, earlier in zip(bag, [-1, *bag[:-1]], strict=True):
            assert before.setdefault(row, earlier) == earlier
    first = np.unique(table.indices, return_index=True)[1]
    assert (np.diff(first) > 0).all()  # numbered by arrival


def test_some_lists_hold_a_row_twice() -> None:
    table = lists(500, 4, users=20, items=300).tables[0]
    assert table.offsets is not None
    bags = np.split(table.indices, table.offsets[1:-1])
    twice = np.mean([len(np.unique(bag)) < len(bag) for bag in bags])
    assert 0.2 < twice < 0.9


@pytest.mark.parametrize("maker", [histories, prefix_trees, lists, strangers])
def test_the_seed_decides(maker) -> None:
    assert maker(200, 1).equals(maker(200, 1))
    assert not maker(200, 1).equals(maker(200, 2))
