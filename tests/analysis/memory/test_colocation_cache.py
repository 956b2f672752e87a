"""Co-location: one model is a plain hierarchy, and an inclusive L3 costs the private levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.analysis.hierarchy import Level, simulate_trace
from hotrow.analysis.memory import colocation_cache
from hotrow.analysis.memory.colocation_cache import SharedCaches, simulate_colocation
from hotrow.analysis.memory.layout import Layout
from hotrow.tracegen.trace import TableLookups, Trace

PRIVATE = (Level("L1", 8, 2), Level("L2", 16, 4))
SHARED = (Level("L3", 32, 8),)


def model(seed: int, samples: int = 120) -> Trace:
    """A hot table that fits L2 and a table that does not fit L3, in turn."""
    rng = np.random.default_rng(seed)
    bags = TableLookups("hot", 40, rng.integers(0, 40, 4 * samples), np.arange(0, 4 * samples + 1, 4))
    return Trace((bags, TableLookups("cold", 20_000, rng.integers(0, 20_000, samples))))


def run(count: int, inclusion: str, **options: Any) -> Any:
    traces = [model(seed) for seed in range(count)]
    layouts = [Layout.of_rows(trace, 64) for trace in traces]
    return simulate_colocation(traces, layouts, SharedCaches("small", PRIVATE, SHARED, inclusion), **options)


@pytest.mark.parametrize("inclusion", ["non-inclusive", "inclusive", "exclusive"])
def test_one_model_is_a_plain_hierarchy(inclusion: str) -> None:
    alone = run(1, inclusion, scatter=None)
    trace = model(0)
    levels = (*PRIVATE, *SHARED)
    assert alone.levels == simulate_trace(
        trace, Layout.of_rows(trace, 64), levels, inclusion=["non-inclusive", inclusion]
    )
    assert (alone.models, alone.samples, alone.lookups) == (1, 120, 600)
    assert alone.misses_per_lookup(0) == alone.levels[0].misses / 600


@pytest.mark.parametrize("inclusion", ["non-inclusive", "exclusive"])
def test_private_levels_do_not_feel_each_other(inclusion: str) -> None:
    together = run(5, inclusion, scatter=None)
    alone = [simulate_trace(trace, Layout.of_rows(trace, 64), PRIVATE) for trace in (model(seed) for seed in range(5))]
    for level in range(2):
        assert together.levels[level].misses == sum(each[level].misses for each in alone)


def test_l2_misses_grow_faster_under_an_inclusive_level() -> None:
    growth = {
        how: run(12, how).misses_per_lookup(1) / run(1, how).misses_per_lookup(1) for how in ("inclusive", "exclusive")
    }
    assert growth["inclusive"] > 1.2 * growth["exclusive"]
    assert run(12, "inclusive").levels[1].back_invalidations > 0


def test_scattered_pages_stay_whole_and_apart() -> None:
    words = np.arange(2 * 64 * 1024, dtype=np.int64)  # 1024 pages of 64 lines, each read and written
    words = np.concatenate([words, words + 2 * 64 * 1024])  # of two spans
    moved = words.copy()
    colocation_cache._Scatter(5, 64, 4096, 1024 * 4096).move(moved)
    assert sorted(moved.tolist()) == words.tolist()
    assert np.array_equal(moved >> 17, words >> 17)  # spans
    assert np.array_equal(moved & 127, words & 127)  # lines in a page
    pages = moved[::128] >> 7
    assert np.count_nonzero(np.diff(pages) == 1) < 10
    assert np.count_nonzero(pages[:1024] + 1024 == pages[1024:]) < 10
    assert abs(np.corrcoef(pages[:1024], np.arange(1024))[0, 1]) < 0.1


@pytest.mark.parametrize("line", [4096, 8192, 2**21])
def test_lines_of_a_page_or_more_stay_reads(line: int) -> None:
    """Where nothing collides, every line misses once in each level, wherever it lies, and nothing writes."""
    trace = Trace.from_ids(np.random.default_rng(0).integers(0, 300, 4000))
    layout = Layout.of_rows(trace, line, page_bytes=line)
    caches = SharedCaches("big", (Level("L1", 1, 512, line),), (Level("L2", 1, 1024, line),), "inclusive")
    first, second = simulate_colocation([trace, trace], [layout, layout], caches).levels
    assert (first.reads, first.writes, first.misses) == (8000, 0, 600)
    assert (second.reads, second.writes, second.misses) == (600, 0, 600)
    words = np.arange(2 * 64, dtype=np.int64)
    moved = words.copy()
    colocation_cache._Scatter(5, line, line, 64 * line).move(moved)
    assert sorted(moved.tolist()) == words.tolist()
    assert np.array_equal(moved & 1, words & 1)
    assert not np.array_equal(moved, words)


def test_a_model_smaller_than_a_line_has_room() -> None:
    trace = Trace.from_ids([0, 1, 0])
    caches = SharedCaches("big", (Level("L1", 4, 2, 2**21),), (Level("L2", 8, 2, 2**21),), "exclusive")
    alone = simulate_colocation([trace], [Layout.of_rows(trace, 64)], caches)
    assert (alone.levels[0].reads, alone.levels[0].misses) == (3, 1)


def test_scattering_keeps_tables_of_equal_size_out_of_the_same_sets() -> None:
    traces = [Trace.from_ids(np.tile(np.arange(256), 20)) for _ in range(12)]  # 256 lines each
    layouts = [Layout.of_rows(trace, 64) for trace in traces]
    caches = SharedCaches("small", (Level("L1", 1, 1),), (Level("L3", 1024, 4),), "non-inclusive")
    in_one_piece, scattered = (
        simulate_colocation(traces, layouts, caches, scatter=scatter).levels[1].misses for scatter in (None, 1)
    )
    assert in_one_piece == 12 * 256 * 20  # six models meet in each set, of four ways
    assert scattered < 0.7 * in_one_piece


def test_a_warm_up_is_not_counted() -> None:
    whole, warm = run(3, "inclusive"), run(3, "inclusive", warm_up=50)
    first = simulate_colocation(
        [model(seed).samples_between(0, 50) for seed in range(3)],
        [Layout.of_rows(model(seed), 64) for seed in range(3)],
        SharedCaches("small", PRIVATE, SHARED, "inclusive"),
    )
    assert (warm.samples, warm.lookups) == (70, 3 * 350)
    for counted, early, all_of_it in zip(warm.levels, first.levels, whole.levels, strict=True):
        assert counted.misses == all_of_it.misses - early.misses
        assert counted.reads == all_of_it.reads - early.reads
        assert counted.back_invalidations == all_of_it.back_invalidations - early.back_invalidations
    assert np.isnan(run(2, "exclusive", warm_up=120).misses_per_lookup(1))


def test_what_was_counted_since_does_not_hang_on_annotations() -> None:
    with_types = dataclass(frozen=True)(type("Stats", (), {"__annotations__": {"name": str, "reads": int}}))
    since: Any = colocation_cache._since
    assert since(with_types("L1", 7), with_types("L1", 3)) == with_types("L1", 4)


def test_the_shortest_trace_ends_the_run_and_updates_write() -> None:
    traces = [model(0, samples=9), model(1)]
    caches = SharedCaches("small", PRIVATE, SHARED, "inclusive")
    layouts = [Layout.of_rows(trace, 64) for trace in traces]
    assert simulate_colocation(traces, layouts, caches).samples == 9
    assert simulate_colocation(traces, layouts, caches, update_every=2).levels[0].writes == 2 * 9 * 5


def test_mistakes_are_told() -> None:
    caches = SharedCaches("small", PRIVATE, SHARED, "inclusive")
    trace = model(0)
    with pytest.raises(HotrowError, match="1 traces and 0 layouts"):
        simulate_colocation([trace], [], caches)
    with pytest.raises(HotrowError, match="0 traces"):
        simulate_colocation([], [], caches)
    with pytest.raises(HotrowError, match="a warm-up of 121 samples; the shortest trace has 120"):
        simulate_colocation([trace], [Layout.of_rows(trace, 64)], caches, warm_up=121)
    with pytest.raises(HotrowError, match="0 private and 1 shared levels"):
        SharedCaches("none", (), SHARED, "inclusive")
    with pytest.raises(HotrowError, match="unknown inclusion 'partly'"):
        run(1, "partly")
