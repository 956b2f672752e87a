"""Layouts: where rows lie."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.analysis.memory.layout import Layout, Placed
from hotrow.tracegen.trace import TableLookups, Trace


def two_tables() -> Trace:
    bags = TableLookups("bags", 100, np.array([5, 5, 0]), np.array([0, 2, 2, 3]))
    return Trace((bags, TableLookups("single", 10, np.array([9, 0, 1]))))


def test_tables_follow_one_another_from_pages() -> None:
    layout = Layout.of_rows(two_tables(), 192, start=1)
    assert [(t.base, t.end) for t in layout.tables] == [(4096, 4096 + 19200), (24576, 24576 + 1920)]
    assert layout.end == 26496
    assert Layout.of_rows(two_tables(), 192, page_bytes=2**21).tables[1].base == 2**21


@pytest.mark.parametrize("row_bytes", [[64, 128], (64, 128), {"single": 128, "bags": 64}])
def test_row_bytes_of_each_table(row_bytes: Any) -> None:
    assert [t.row_bytes for t in Layout.of_rows(two_tables(), row_bytes).tables] == [64, 128]


def test_rows_of_dimensions() -> None:
    assert [t.row_bytes for t in Layout.of_dims(two_tables(), 64).tables] == [256, 256]
    assert [t.row_bytes for t in Layout.of_dims(two_tables(), [32, 64], element_bytes=2).tables] == [64, 128]


def test_addresses_of_rows() -> None:
    layout = Layout.of_rows(two_tables(), 100)
    assert layout.addresses("bags", [0, 3]).tolist() == [0, 300]
    assert layout.addresses("single", []).tolist() == []
    with pytest.raises(HotrowError, match="rows 0 to 9 have a place, asked for 10"):
        layout.addresses("single", [10])
    with pytest.raises(HotrowError, match="asked for -1"):
        layout.addresses("single", [-1, 3])


@pytest.mark.parametrize(
    "row_bytes", [np.int64(64), [np.int32(64), 64], np.array([64, 64]), {"bags": 64, "single": 64}]
)
def test_row_bytes_of_numpy(row_bytes: Any) -> None:
    layout = Layout.of_rows(two_tables(), row_bytes)
    assert layout == Layout.of_rows(two_tables(), 64)
    assert {type(table.row_bytes) for table in layout.tables} == {int}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda t: Layout.of_rows(t, 0), "table 'bags': rows of 0 bytes"),
        (lambda t: Layout.of_rows(t, [64]), "1 row bytes given for 2 tables"),
        (lambda t: Layout.of_dims(t, {"bags": 4}), "no dimensions given for table 'single'"),
        (lambda t: Layout.of_rows(t, 64, page_bytes=0), "pages of 0 bytes"),
        (lambda t: Layout.of_rows(t, 64, start=-8192), "leave the address space"),
        (lambda t: Layout.of_rows(t, 2**60), "100 rows of 1152921504606846976 bytes from address 0 leave"),
        (lambda t: Layout((Placed("a", 1, 4, 0), Placed("a", 1, 4, 0))), "places a table twice"),
        (
            lambda t: Layout.of_rows(t, {"bags": 4, "single": 4, "typo": 9}),
            "given for 'typo'; the trace's tables are bags",
        ),
        (lambda t: Layout.of_rows(t, 64.5), "table 'bags': row bytes: 64.5; it must be a whole number"),
        (lambda t: Layout.of_rows(t, [64, 64.5]), "table 'single': row bytes: 64.5; it must be a whole number"),
        (lambda t: Layout.of_rows(t, "64"), "row bytes: '6'; it must be a whole number"),
        (lambda t: Layout.of_dims(t, 16, element_bytes=0.5), "bytes of an element: 0.5"),
        (lambda t: Layout.of_rows(t, 64, page_bytes=4096.0), "bytes of a page: 4096.0"),
        (lambda t: Placed("a", 1.5, 4, 0), "table 'a': rows: 1.5; it must be a whole number"),
    ],
)
def test_mistakes_are_told(make: Any, said: str) -> None:
    with pytest.raises(HotrowError, match=said):
        make(two_tables())
