"""Measuring a log in parts: the same to the bit wherever it is cut, and as counted by hand."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow import HotrowError
from hotrow.tracegen.clock import Clock, Keeping, place
from hotrow.tracegen.measure import (
    Asked,
    Measuring,
    Second,
    exact_profile,
    exact_windows,
    placed,
    read_again,
    read_first,
)
from hotrow.tracegen.scale.log import Log
from hotrow.tracegen.trace import TableLookups, Trace

NONE = np.zeros(0, np.int64)


def some_log(seed: int, samples: int) -> Trace:
    """A one-hot table of few rows, bags of up to 6 lookups, and a one-hot table of scattered 63-bit ids; users."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(0, 7, samples)
    bags = TableLookups("bags", 400, rng.geometric(0.05, sizes.sum()) % 400, np.concatenate(([0], np.cumsum(sizes))))
    few = TableLookups("few", 40, rng.integers(0, 40, samples))
    wide = TableLookups("wide", 2**62, rng.integers(0, 50, samples) * (2**55 + 12345))
    return Trace((few, bags, wide), user=rng.integers(-5, 20, samples))


def in_parts(trace: Trace, cuts: list[int]) -> Log:
    edges = [0, *sorted(c % (trace.samples + 1) for c in cuts), trace.samples]
    parts = [trace.samples_between(a, b) for a, b in pairwise(edges)]
    return dataclasses.replace(Log.of(trace), parts=lambda: iter(parts))


def everything(log: Log, most: int | None) -> list[dict[str, np.ndarray]]:
    """All statistics of all tables, and the joint counts; bags are cut at 3."""
    clocks = [Clock(t.name, log.samples, 1 if t.one_hot else 3, t.one_hot) for t in log.tables]
    reading = [Measuring(clock, 5) for clock in clocks]
    stay = read_first(log, reading, most)
    found = [table.measured(key=7) for table in reading]
    second = [Second(m, Asked(np.arange(0, len(m.values["buckets"]), 3), 9, np.array([4, 30]))) for m in found]
    joints = read_again(log, second, (0, 2, 1), most)
    values = [{**m.values, **again.values()} for m, again in zip(found, second, strict=True)]
    cuts = np.array([stay, *(table.cut for table in reading)])
    return [*values, {"cuts": cuts, **{f"joint {k}": joint for k, joint in enumerate(joints)}}]


@pytest.mark.parametrize("most", [None, 2])
@given(st.integers(0, 1000), st.lists(st.integers(0, 10**6), max_size=6))
@settings(max_examples=25, deadline=None)
def test_cuts_change_nothing(most: int | None, seed: int, cuts: list[int]) -> None:
    trace = some_log(seed, 200)
    whole, parts = everything(Log.of(trace), most), everything(in_parts(trace, cuts), most)
    for a, b in zip(whole, parts, strict=True):
        assert a.keys() == b.keys()
        for name in a:
            assert a[name].dtype == b[name].dtype == np.int64
            assert np.array_equal(a[name], b[name]), name


def test_an_exact_profile_of_parts_is_that_of_the_whole() -> None:
    trace = some_log(3, 3000)
    assert exact_profile(in_parts(trace, [17, 900, 901, 2500])) == exact_profile(trace)


def test_rows_that_are_declared_late_count_as_declared() -> None:
    rising = [
        Trace.from_ids(np.array([0, 3, 0])),
        Trace.from_ids(np.array([9, 3])),
        Trace.from_ids(np.array([2**33, 0])),
    ]
    ids = np.array([0, 3, 0, 9, 3, 2**33, 0])
    log = dataclasses.replace(Log.of(Trace.from_ids(ids)), parts=lambda: iter(rising))
    assert exact_profile(log) == exact_profile(Trace.from_ids(ids))


def test_statistics_are_those_of_a_dictionary() -> None:
    trace = some_log(5, 300)
    table = trace.tables[1]
    clock = Clock("t", 300, 6, False)
    reading = Measuring(clock, exact_windows(clock))
    reading.add(place(table, 6))
    values = reading.measured().values
    last: dict[int, int] = {}
    pages: dict[int, int] = {}
    gaps, page_gaps = [], []
    for sample in range(300):
        bag = table.indices[table.offsets[sample] : table.offsets[sample + 1]].tolist()
        for k, row in enumerate(bag):
            slot = sample * 6 + k
            if row in last:
                gaps.append(slot - last[row])
            if row // 32 in pages:
                page_gaps.append(slot - pages[row // 32])
            last[row] = pages[row // 32] = slot
    from hotrow.tracegen.locality import reuse_edges

    edges = reuse_edges(clock.length)
    assert np.array_equal(values["reuse"], np.histogram(gaps, edges)[0])
    assert np.array_equal(values["pages"], np.histogram(page_gaps, edges)[0])
    assert values["distinct"].tolist() == [len(last)]
    assert values["buckets"].sum() == table.accesses


def test_users_keep_their_first_samples_across_parts() -> None:
    trace = some_log(9, 400)
    whole = Keeping(3).kept(trace)
    keeping = Keeping(3)
    parts = [keeping.kept(part) for part in in_parts(trace, [1, 120, 121, 300]).parts()]
    assert np.array_equal(np.concatenate(parts), whole)
    for user in np.unique(trace.user):
        assert (
            np.flatnonzero(trace.user == user)[whole[trace.user == user]].tolist()
            == np.flatnonzero(trace.user == user)[:3].tolist()
        )


def test_a_log_that_changes_between_readings_is_told() -> None:
    first, then = Trace.from_ids(np.array([1, 2, 1]), 9), Trace.from_ids(np.array([1, 2, 5]), 9)
    log = Log.of(first)
    clock = Clock("f0", 3, 1, True)
    reading = Measuring(clock, 1)
    read_first(log, [reading])
    again = Second(reading.measured(), Asked(NONE, 1, NONE))
    with pytest.raises(HotrowError, match="changed while it was read"):
        read_again(Log.of(then), [again], ())
    assert [len(parts) for parts, _ in placed(log, [clock], None)] == [1]
