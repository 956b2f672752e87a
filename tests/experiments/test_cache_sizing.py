"""Cache sizes against an LRU list kept by hand."""

from collections import OrderedDict

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from hotrow import HotrowError
from hotrow.analysis.miss_ratio import lru_curve
from hotrow.experiments.cache_sizing import GOALS, binary, cache_sizing, figures, grid, rows_for
from hotrow.experiments.lru_curves import lru_curves
from hotrow.tracegen.trace import TableLookups, Trace


def lru_hits(ids: list[int], capacity: int) -> int:
    held: OrderedDict[int, None] = OrderedDict()
    hits = 0
    for row in ids:
        hits += row in held
        held[row] = None
        held.move_to_end(row)
        if len(held) > capacity:
            held.popitem(last=False)
    return hits


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), st.sampled_from(GOALS))
def test_rows_for_is_the_smallest_cache_that_reaches_the_goal(ids: list[int], goal: float) -> None:
    reachable = lru_hits(ids, 10)
    rows = rows_for(lru_curve(np.array(ids)), goal)
    assert lru_hits(ids, rows) >= goal * reachable
    if rows > 0:
        assert lru_hits(ids, rows - 1) < goal * reachable


def test_asked_capacities_and_bytes() -> None:
    ids = [0, 1, 0, 1, 2, 0]
    (size,) = cache_sizing(lru_curves(Trace.from_ids(ids)), row_bytes=64, capacities=(1, 2, 100))
    assert size.asked == tuple((c, pytest.approx(lru_hits(ids, c) / 6)) for c in (1, 2, 100))
    assert size.reachable == pytest.approx(0.5)
    assert all(bytes_ == 64 * rows for _, rows, bytes_ in size.needed)


def test_a_table_without_lookups_needs_no_cache() -> None:
    empty = TableLookups("cold", 3, np.zeros(0, np.int64), np.zeros(2, np.int64))
    (size,) = cache_sizing(lru_curves(Trace((empty,))), row_bytes=4, capacities=(5,))
    assert [rows for _, rows, _ in size.needed] == [0] * len(GOALS)
    assert size.asked == ((5, 0.0),)
    assert size.reachable == 0.0


def test_a_negative_capacity_is_refused() -> None:
    with pytest.raises(HotrowError, match="capacity -1"):
        cache_sizing(lru_curves(Trace.from_ids([1])), 4, (-1,))


def test_grid_has_a_row_for_every_table() -> None:
    made = grid(cache_sizing(lru_curves(Trace.from_ids([1, 1])), 4, (1, 2)))
    assert made.heads[-2:] == ("hits at 1", "hits at 2")
    assert made.rows[0][-2:] == ("50.00%", "50.00%")


def test_the_grid_says_how_deep_a_knee_is_and_which_has_no_interval() -> None:
    hot = np.where(np.arange(8000) % 5, np.arange(8000) % 30, 1000 + np.arange(8000))
    curves = lru_curves(Trace((TableLookups("loop", 50, np.arange(8000) % 50), TableLookups("hot", 9999, hot))))
    cells = [row[-1] for row in grid(cache_sizing(curves, 4)).rows]
    depths = [f"{knee.depth:.0%}" for knee in curves.knees if knee is not None]
    assert cells[0] == f"50 (end of the curve), {depths[0]}"
    assert cells[1].endswith(f"), {depths[1]}")
    figure = figures(curves)["lru-shared"]
    assert "knee" in [text.get_text() for text in figure.axes[0].texts]


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (2**30, "1 GiB"), (2**41, "2 TiB")]
)
def test_bytes_in_words(size: int, words: str) -> None:
    assert binary(size) == words
