"""Trace: what it accepts, what it refuses, parts and their joining."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow import HotrowError
from hotrow.tests.tracegen.strategies import traces
from hotrow.tracegen.trace import SampleError, TableLookups, Trace, concatenate


@settings(max_examples=60, deadline=None)
@given(traces(), st.data())
def test_parts_join_to_the_whole(trace: Trace, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, trace.samples), max_size=3)))
    bounds = [0, *cuts, trace.samples]
    parts = [trace.samples_between(a, b) for a, b in pairwise(bounds)]
    assert concatenate(parts).equals(trace)
    assert sum(part.accesses for part in parts) == trace.accesses


@settings(max_examples=40, deadline=None)
@given(traces())
def test_a_trace_equals_itself_and_nothing_that_differs(trace: Trace) -> None:
    assert trace.equals(trace.samples_between(0, trace.samples))
    first = trace.tables[0]
    others = trace.tables[1:]
    assert not trace.equals(Trace((TableLookups(f"{first.name}!", first.rows, first.indices, first.offsets), *others)))
    if first.rows < 2**63:
        assert not trace.equals(
            Trace((TableLookups(first.name, first.rows + 1, first.indices, first.offsets), *others))
        )
    if trace.label is None:
        columns = {name: getattr(trace, name) for name in ("time", "user", "dense")}
        assert not trace.equals(Trace(trace.tables, **columns, label=np.zeros(trace.samples, np.float32)))


@settings(max_examples=30, deadline=None)
@given(traces(bags=True))
def test_sample_of_inverts_offsets(trace: Trace) -> None:
    for table in trace.tables:
        assert table.offsets is not None
        samples = np.repeat(np.arange(table.samples), table.bag_sizes())
        assert [table.sample_of(position) for position in range(table.accesses)] == samples.tolist()


def test_indices_are_int32_where_the_rows_fit() -> None:
    assert Trace.from_ids([]).tables[0].indices.dtype == np.int32
    assert TableLookups("t", 2**31, np.array([2**31 - 1])).indices.dtype == np.int32
    assert TableLookups("t", 2**31 + 1, np.array([5])).indices.dtype == np.int64
    largest = TableLookups("t", 2**63, np.array([2**63 - 1], np.uint64))
    assert largest.indices.tolist() == [2**63 - 1]


def test_samples_between_is_cut_at_the_ends() -> None:
    for offsets in (None, [0, 1, 2, 3]):
        trace = Trace.from_ids([0, 1, 2], offsets=offsets)
        assert trace.samples_between(2, 9).tables[0].indices.tolist() == [2]
        assert trace.samples_between(5, 9).samples == trace.samples_between(2, 1).samples == 0


def test_counts() -> None:
    table = TableLookups("t", 10, np.array([1, 2, 3]), np.array([0, 0, 3]))
    assert (table.samples, table.accesses, table.pooling) == (2, 3, 1.5)
    assert table.bag_sizes().tolist() == [0, 3]
    assert TableLookups("t", 0, np.array([], int)).pooling == 0.0
    assert Trace((table,)).table("t") is table


def one(**columns: Any) -> Trace:
    return Trace.from_ids([0, 1, 2]) if not columns else Trace(Trace.from_ids([0, 1, 2]).tables, **columns)


BROKEN: dict[str, tuple[Any, str]] = {
    "negative index": (lambda: Trace.from_ids([0, -1], rows=9), "table 'f0', sample 1: index -1; row ids start at 0"),
    "index beyond": (
        lambda: Trace.from_ids([0, 9, 8], rows=9),
        r"sample 1: index 9; the table declares 9 rows \(0 to 8\)",
    ),
    "every index beyond": (lambda: Trace.from_ids([5, 4], rows=2), r"sample 0: index 5; the table declares 2 rows"),
    "no rows": (lambda: Trace.from_ids([0], rows=0), r"index 0; the table declares 0 rows$"),
    "index beyond in a bag": (lambda: Trace.from_ids([0, 9], rows=9, offsets=[0, 0, 0, 2]), "sample 2: index 9"),
    "index of 2^63": (lambda: Trace.from_ids(np.array([2**63], np.uint64), rows=2**63), "index 9223372036854775808"),
    "rows negative": (lambda: Trace.from_ids([], rows=-1), "-1 declared rows"),
    "rows beyond": (lambda: TableLookups("t", 2**63 + 1, np.array([0])), "0 to 2.63 are possible"),
    "float indices": (lambda: Trace.from_ids([0.5], rows=1), "indices are float64"),
    "two dimensions": (lambda: Trace.from_ids([[0]], rows=1), "with 2 dimensions"),
    "no name": (lambda: Trace.from_ids([0], name=""), "empty name"),
    "offsets start": (lambda: Trace.from_ids([0], offsets=[1, 1]), "offsets start at 1"),
    "offsets fall": (lambda: Trace.from_ids([0, 0], offsets=[0, 2, 1, 2]), "sample 1: offsets fall from 2 to 1"),
    "offsets end": (lambda: Trace.from_ids([0, 0], offsets=[0, 1]), "offsets end at 1 but there are 2 accesses"),
    "offsets empty": (lambda: Trace.from_ids([0], offsets=np.array([], int)), "offsets must be"),
    "offsets float": (lambda: Trace.from_ids([0], offsets=[0.0, 1.0]), "offsets must be"),
    "no table": (lambda: Trace(()), "at least one table"),
    "same name": (lambda: Trace(Trace.from_ids([0]).tables * 2), "'f0' stands twice"),
    "lengths": (
        lambda: Trace((TableLookups("a", 1, np.zeros(2, int)), TableLookups("b", 1, np.zeros(3, int)))),
        "'b' has 3 samples but 'a' has 2",
    ),
    "label length": (lambda: one(label=np.zeros(2)), r"label has shape \(2,\); this trace has 3 samples"),
    "dense shape": (lambda: one(dense=np.zeros(3)), r"dense has shape \(3,\)"),
    "dense NaN": (
        lambda: one(dense=[[0, 0], [0, np.nan], [0, 0]]),
        "dense column 1, sample 1: nan; values must be finite",
    ),
    "time infinite": (lambda: one(time=[0, 1, np.inf]), "time, sample 2: inf"),
    "label NaN": (lambda: one(label=[np.nan, 0, 0]), "label, sample 0: nan"),
    "user float": (lambda: one(user=[0.5, 1, 2]), "user holds float64; it must hold integers"),
    "user beyond": (lambda: one(user=np.array([0, 2**63, 1], np.uint64)), "user, sample 1: 9223372036854775808"),
    "time text": (lambda: one(time=["a", "b", "c"]), "time holds <U1; it must hold numbers"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_rule_is_named(case: str) -> None:
    make, message = BROKEN[case]
    with pytest.raises(HotrowError, match=message):
        make()


def test_an_unknown_table_is_answered_with_those_that_exist() -> None:
    with pytest.raises(HotrowError, match="no table 'x' in this trace; it has f0"):
        one().table("x")


def test_a_sample_error_moves_with_its_part() -> None:
    assert str(SampleError("label", 3, "nan").moved(10)) == "label, sample 13: nan"


DIFFERENT = {
    "names": Trace.from_ids([1], name="g0"),
    "bags": Trace.from_ids([1], offsets=[0, 1]),
    "label": one().samples_between(0, 1),
    "dense width": Trace(one().tables, time=np.zeros(3), dense=np.zeros((3, 2))),
    "time kind": Trace(one().tables, time=np.zeros(3, int), dense=np.zeros((3, 1))),
}


@pytest.mark.parametrize("case", DIFFERENT)
def test_parts_of_another_form_do_not_join(case: str) -> None:
    first = one(time=np.zeros(3), dense=np.zeros((3, 1)))
    with pytest.raises(HotrowError, match="parts of a trace"):
        concatenate([first, DIFFERENT[case]])
    with pytest.raises(HotrowError, match="no samples"):
        concatenate([])
