"""Line words: which lines a trace touches, in which order, how many at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.analysis.memory import line_words as line_words_module
from hotrow.analysis.memory.layout import Layout, Placed
from hotrow.analysis.memory.line_words import line_words
from hotrow.tracegen.trace import TableLookups, Trace


def two_tables() -> Trace:
    bags = TableLookups("bags", 100, np.array([5, 5, 0]), np.array([0, 2, 2, 3]))
    return Trace((bags, TableLookups("single", 10, np.array([9, 0, 1]))))


def lines(trace: Trace, layout: Layout, line_bytes: int = 64, update_every: int | None = None) -> list[int]:
    return [int(word) for words in line_words(trace, layout, line_bytes, update_every) for word in words]


def test_lines_sample_by_sample_table_by_table_in_bag_order() -> None:
    layout = Layout((Placed("bags", 100, 128, 0), Placed("single", 10, 64, 64 * 1000)))
    reads = [10, 11, 10, 11, 1009, 1000, 0, 1, 1001]
    assert lines(two_tables(), layout) == [line * 2 for line in reads]


def test_updates_write_the_lines_of_a_batch_again() -> None:
    layout = Layout((Placed("bags", 100, 128, 0), Placed("single", 10, 64, 64 * 1000)))
    first, second = [10, 11, 10, 11, 1009, 1000], [0, 1, 1001]
    expected = [word for batch in (first, second) for write in (0, 1) for word in [2 * line + write for line in batch]]
    assert lines(two_tables(), layout, update_every=2) == expected


def test_a_row_across_lines_touches_both() -> None:
    trace = Trace.from_ids([0, 1, 2, 1])
    assert lines(trace, Layout.of_rows(trace, 48)) == [0, 0, 2, 2, 4, 0, 2]
    assert lines(trace, Layout((Placed("f0", 3, 64, 32),))) == [0, 2, 2, 4, 4, 6, 2, 4]
    assert lines(trace, Layout.of_rows(trace, 16)) == [0, 0, 0, 0]


@pytest.mark.parametrize("update_every", [None, 3])
@pytest.mark.parametrize("chunk", [1, 40, 1000])
def test_chunks_join_to_the_whole(monkeypatch: pytest.MonkeyPatch, chunk: int, update_every: int | None) -> None:
    rng = np.random.default_rng(1)
    sizes = rng.integers(0, 5, 90)
    bags = TableLookups("bags", 50, rng.integers(0, 50, sizes.sum()), np.concatenate(([0], np.cumsum(sizes))))
    trace = Trace((bags, TableLookups("single", 7, rng.integers(0, 7, 90))))
    layout = Layout.of_rows(trace, [96, 128])
    whole = lines(trace, layout, update_every=update_every)
    monkeypatch.setattr(line_words_module, "CHUNK_LINES", chunk)
    parts = [trace.samples_between(start, start + 30) for start in (0, 30, 60)]
    assert lines(trace, layout, update_every=update_every) == whole
    assert lines(parts, layout, update_every=update_every) == whole  # type: ignore[arg-type]
    assert max(len(words) for words in line_words(trace, layout, 64)) <= max(chunk, 10)


def test_empty_traces_and_tables_nobody_looks_up() -> None:
    never = TableLookups("never", 1000, np.array([], np.int64), np.zeros(3, np.int64))
    trace = Trace((never, TableLookups("some", 2, np.array([1, 0]))))
    behind = -(-1000 * 64 // 4096) * 4096 // 64  # lines up to the page after the first table
    assert lines(trace, Layout.of_rows(trace, 64)) == [2 * (behind + 1), 2 * behind]
    none = Trace.from_ids(np.array([], np.int64))
    assert lines(none, Layout.of_rows(none, 64)) == []


def test_rows_beyond_int32_are_placed_exactly() -> None:
    trace = Trace.from_ids(np.array([2**40, 2**40 - 1]), rows=2**41)
    assert lines(trace, Layout.of_rows(trace, 256)) == [
        word for row in (2**40, 2**40 - 1) for word in range(row * 8, row * 8 + 8, 2)
    ]


@pytest.mark.parametrize("row_bytes", [48, 64])  # 48: rows across two lines
@pytest.mark.parametrize("update_every", [None, 1, 8])
def test_uneven_bags_come_in_chunks_too(
    monkeypatch: pytest.MonkeyPatch, update_every: int | None, row_bytes: int
) -> None:
    sizes = np.zeros(4000, np.int64)
    sizes[:40] = 50  # the mean says that 4000 samples are few lines
    rows = np.random.default_rng(0).integers(0, 100, sizes.sum())
    trace = Trace((TableLookups("bags", 100, rows, np.concatenate(([0], np.cumsum(sizes)))),))
    layout = Layout.of_rows(trace, row_bytes)
    whole = lines(trace, layout, update_every=update_every)
    monkeypatch.setattr(line_words_module, "CHUNK_LINES", 300)
    chunks = [len(words) for words in line_words(trace, layout, 64, update_every)]
    assert max(chunks) <= max(300, 2 * 2 * 50 * (update_every or 0))
    assert lines(trace, layout, update_every=update_every) == whole


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda t: list(line_words(t, Layout((Placed("bags", 100, 4, 0),)), 64)), "no table 'single'; it places bags"),
        (lambda t: list(line_words(t, Layout.of_rows(t, 64), 65)), "lines: 65 bytes; they must be a power of two"),
        (lambda t: list(line_words(t, Layout.of_rows(t, 64), 64, 0)), "updates every 0 samples"),
        (
            lambda t: list(line_words(t, Layout((Placed("bags", 3, 4, 0), Placed("single", 10, 4, 4096))), 64)),
            "table 'bags': row 5 is looked up but the layout places 3 rows",
        ),
        (lambda t: list(line_words(t, Layout.of_rows(t, 64), 64, 1.5)), "samples between updates: 1.5"),
        (lambda t: list(line_words(t, Layout.of_rows(t, 64), 64.0)), "lines: 64.0; it must be a whole number"),
    ],
)
def test_mistakes_are_told(make: Any, said: str) -> None:
    with pytest.raises(HotrowError, match=said):
        make(two_tables())
