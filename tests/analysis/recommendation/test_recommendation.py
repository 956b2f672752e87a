"""What only a recommendation trace has, against plain loops over samples."""

from collections import OrderedDict
from itertools import chain, product
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from hotrow import HotrowError
from hotrow.analysis.miss_ratio import lru_curve
from hotrow.analysis.recommendation.batching import batch_reuse
from hotrow.analysis.recommendation.drift import drift
from hotrow.analysis.recommendation.interleave import bases, interleaved
from hotrow.analysis.recommendation.perfect_hits import perfect_hit_ratio
from hotrow.analysis.recommendation.split import by_gain, even, hits, hull, splits
from hotrow.analysis.reuse_distance import stack_distances
from hotrow.tracegen.trace import TableLookups, Trace

few = settings(max_examples=50, deadline=None)


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    samples = draw(st.integers(1, 8))
    tables = []
    for k in range(draw(st.integers(1, 3))):
        if draw(st.booleans()):
            bags = draw(st.lists(st.lists(st.integers(0, 5), max_size=4), min_size=samples, max_size=samples))
            offsets = np.cumsum([0, *map(len, bags)])
            tables.append(TableLookups(f"t{k}", 6, np.array([*chain(*bags)], np.int64), offsets))
        else:
            ids = draw(st.lists(st.integers(0, 5), min_size=samples, max_size=samples))
            tables.append(TableLookups(f"t{k}", 6, np.array(ids)))
    return Trace(tuple(tables))


def bags(table: TableLookups) -> list[list[int]]:
    return [table.samples_between(s, s + 1).indices.tolist() for s in range(table.samples)]


class Lru:
    def __init__(self, capacity: int) -> None:
        self.held: OrderedDict[int, None] = OrderedDict()
        self.capacity = capacity

    def look(self, row: int) -> bool:
        hit = row in self.held
        self.held[row] = None
        self.held.move_to_end(row)
        if len(self.held) > self.capacity:
            self.held.popitem(last=False)
        return hit


@few
@given(traces())
def test_interleaved_is_sample_by_sample_and_table_by_table(trace: Trace) -> None:
    base = bases(trace)
    expected = [
        int(base[k]) + row
        for s in range(trace.samples)
        for k, table in enumerate(trace.tables)
        for row in bags(table)[s]
    ]
    assert interleaved(trace).tolist() == expected


@few
@given(traces(), st.integers(0, 6))
def test_perfect_hits_by_running_every_cache(trace: Trace, capacity: int) -> None:
    whole = [True] * trace.samples
    for table in trace.tables:
        cache = Lru(capacity)
        for s, bag in enumerate(bags(table)):
            for row in bag:
                whole[s] &= cache.look(row)
    ratio = perfect_hit_ratio(trace, [[capacity] * len(trace.tables)])
    assert ratio == pytest.approx([np.mean(whole)])


def test_perfect_hits_need_a_capacity_for_every_table() -> None:
    with pytest.raises(HotrowError, match="each of the 1 tables"):
        perfect_hit_ratio(Trace.from_ids([1]), [[1, 2]])


@few
@given(traces(), st.integers(0, 6))
def test_known_distances_give_the_same_perfect_hits(trace: Trace, capacity: int) -> None:
    known = [stack_distances(table.indices).astype(np.int32) for table in trace.tables]
    settings = [[capacity] * len(trace.tables), [2**40] * len(trace.tables)]
    np.testing.assert_array_equal(perfect_hit_ratio(trace, settings, known), perfect_hit_ratio(trace, settings))


def test_distances_must_be_of_the_tables_lookups() -> None:
    with pytest.raises(HotrowError, match="for 2 lookups"):
        perfect_hit_ratio(Trace.from_ids([1, 1]), [[1]], [np.zeros(3, np.int32)])


@few
@given(traces(), st.integers(1, 8))
def test_batch_reuse_by_sets(trace: Trace, batch: int) -> None:
    table = trace.tables[0]
    if batch > table.samples:
        with pytest.raises(HotrowError, match="whole number from 1 to"):
            batch_reuse(table, batch, 8)
        return
    found = batch_reuse(table, batch, 8)
    batches = [[*chain(*bags(table)[k * batch : (k + 1) * batch])] for k in range(table.samples // batch)]
    assert found.lookups == pytest.approx(np.mean([len(b) for b in batches]))
    assert found.distinct == pytest.approx(np.mean([len(set(b)) for b in batches]))
    again = sum(len(bag) - len(set(bag)) for bag in bags(table))
    assert found.duplicates_in_bags == pytest.approx(again / max(table.accesses, 1))
    assert found.saved_bytes == pytest.approx(8 * (found.lookups - found.distinct))


def test_drift_of_a_hot_set_that_moves_and_of_one_that_stays() -> None:
    rng = np.random.default_rng(0)
    hot = np.where(rng.random(16_000) < 0.5, 7, rng.integers(8, 1000, 16_000))
    assert drift(TableLookups("stays", 1000, hot)).loss == pytest.approx(0, abs=0.02)
    moving = np.where(hot == 7, np.arange(16_000) // 4_000, hot)
    moved = drift(TableLookups("moves", 1000, moving))
    assert moved.loss > 0.3
    assert moved.own[0] == moved.first[0]


def test_drift_refuses_what_makes_no_windows() -> None:
    table = TableLookups("t", 3, np.array([0, 1, 2]))
    with pytest.raises(HotrowError, match="too few for 16 windows"):
        drift(table)
    with pytest.raises(HotrowError, match="0 windows"):
        drift(table, windows=0)


def test_drift_counts_the_shares_by_hand() -> None:
    found = drift(TableLookups("t", 9, np.array([1, 1, 1, 2, 3, 3, 3, 1])), windows=2, hot=0.5)
    assert found.own == pytest.approx((0.75, 0.75))
    assert found.first == pytest.approx((0.75, 0.25))
    assert found.hot_rows == (1, 1)
    assert found.loss == pytest.approx(0.5)


@few
@given(st.lists(st.lists(st.integers(0, 7), min_size=1, max_size=40), min_size=1, max_size=3), st.integers(0, 20))
def test_by_gain_is_best_where_curves_are_concave_and_never_worse_than_even(
    streams: list[list[int]], capacity: int
) -> None:
    curves = [lru_curve(np.array(ids)) for ids in streams]
    sizes = [1 + k for k in range(len(curves))]
    rows = by_gain(curves, sizes, capacity)
    assert sum(n * size for n, size in zip(rows, sizes, strict=True)) <= capacity
    assert hits(curves, rows) >= hits(curves, even(curves, sizes, capacity))
    rows = by_gain(curves, [1] * len(curves), capacity)
    assert sum(rows) <= capacity
    if all((np.diff(np.append(c.histogram, 0)) <= 0).all() for c in curves):
        options = product(*(range(min(capacity, c.distinct) + 1) for c in curves))
        assert hits(curves, rows) == max(hits(curves, option) for option in options if sum(option) <= capacity)


def test_a_cliff_that_does_not_fit_starves_no_other_table() -> None:
    long, short = (lru_curve(np.tile(np.arange(rows), times)) for rows, times in ((100, 50), (10, 41)))
    assert by_gain([long, short], [1, 1], 50) == (0, 10)
    assert by_gain([long, short], [1, 1], 100) == (100, 0)


@few
@given(st.lists(st.lists(st.integers(0, 7), min_size=1, max_size=40), min_size=1, max_size=3), st.integers(0, 20))
def test_even_gives_equal_shares_and_passes_on_what_is_too_much(streams: list[list[int]], capacity: int) -> None:
    curves = [lru_curve(np.array(ids)) for ids in streams]
    rows = even(curves, [1] * len(curves), capacity)
    assert sum(rows) <= capacity
    short = [n for n, curve in zip(rows, curves, strict=True) if n < curve.distinct]
    if short:
        assert max(short) - min(short) == 0
        assert all(n <= short[0] for n, c in zip(rows, curves, strict=True) if n == c.distinct)
        assert capacity - sum(rows) < len(curves)


def test_hull_of_a_loop_is_one_step() -> None:
    curve = lru_curve(np.tile(np.arange(5), 4))
    assert hull(curve).tolist() == [0, 5]
    assert hull(curve, 0, 4).tolist() == [0]
    assert hull(curve, 2).tolist() == [2, 5]


@few
@given(traces(), st.integers(1, 12))
def test_splits_by_running_every_cache(trace: Trace, capacity: int) -> None:
    curves = [lru_curve(table.indices) for table in trace.tables]
    for split in splits(curves, lru_curve(interleaved(trace)), 10, 10 * capacity):
        caches = [Lru(n) for n in split.rows] if split.rows else [Lru(capacity)] * len(trace.tables)
        found = 0
        for s in range(trace.samples):
            for k, table in enumerate(trace.tables):
                found += sum(caches[k].look((0 if split.rows else 100 * k) + row) for row in bags(table)[s])
        assert split.hit_ratio == pytest.approx(found / max(trace.accesses, 1))


def test_a_capacity_below_one_row_is_refused() -> None:
    with pytest.raises(HotrowError, match="at least one row of 10 bytes"):
        splits([lru_curve([1])], lru_curve([1]), 10, 9)


def test_ids_that_together_leave_int64_never_coincide() -> None:
    top = 2**63 - 1
    tables = tuple(TableLookups(f"t{k}", 2**63, np.array([0, top, top])) for k in range(5))
    ids = interleaved(Trace(tables))
    assert ids.min() >= 0
    assert len(np.unique(ids)) == 10


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda table, curve: batch_reuse(table, 1.5, 4), "batches of 1.5 samples; choose a whole number from 1 to 60"),
        (lambda table, curve: batch_reuse(table, 61, 4), "batches of 61 samples"),
        (lambda table, curve: batch_reuse(table, 4, -4), "rows of -4 bytes"),
        (lambda table, curve: drift(table, 1.5), "1.5 windows"),
        (lambda table, curve: even([curve], [4], -10), "capacity -10"),
        (lambda table, curve: even([curve, curve], [4], 10), "1 sizes of rows for 2 tables"),
        (lambda table, curve: by_gain([curve], [0], 10), "row_bytes 0"),
        (lambda table, curve: by_gain([curve], [4], 9.5), "capacity 9.5"),
        (lambda table, curve: splits([curve], curve, 0, 0), "row_bytes 0"),
        (lambda table, curve: splits([curve], curve, 4, 9.5), "capacity 9.5"),
    ],
)
def test_what_is_no_size_is_refused(call: Any, said: str) -> None:
    table = Trace.from_ids([1, 2, 3] * 20).tables[0]
    with pytest.raises(HotrowError, match=said):
        call(table, lru_curve(table.indices))
