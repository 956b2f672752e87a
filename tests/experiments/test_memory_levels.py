"""Processor caches and TLBs of a trace: what words mean, and what the tables and figures say."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.analysis.hierarchy import Level, simulate_trace
from hotrow.analysis.memory.layout import Layout
from hotrow.analysis.memory.tlb import simulate_tlb
from hotrow.experiments import cache_study
from hotrow.experiments.memory_levels import (
    MemoryLevels,
    figure,
    known_capacities,
    memory_levels,
    parse_levels,
    parse_processor,
    parse_tlb,
)
from hotrow.profiling.machine_files import load_machine
from hotrow.tracegen.trace import TableLookups, Trace


@pytest.fixture(scope="module")
def trace() -> Trace:
    rng = np.random.default_rng(0)
    bags = TableLookups("bags", 300, rng.zipf(1.3, 6000) % 300, np.arange(0, 6001, 3))
    return Trace((TableLookups("one", 500, rng.integers(0, 500, 2000)), bags))


def simulated(trace: Trace, levels: str, row_bytes: int = 128, **words: str) -> MemoryLevels:
    return memory_levels(trace, row_bytes, parse_processor(levels, **words))


def test_levels_from_text() -> None:
    levels = parse_levels("32K/8, 1MiB/16,27500k/11")
    assert [(level.bytes, level.ways) for level in levels] == [(2**15, 8), (2**20, 16), (27500 * 1024, 11)]


def test_a_shipped_machine_gives_caches_and_inclusion() -> None:
    processor = parse_processor("skylake")
    assert [(level.name, level.bytes, level.ways) for level in processor.levels] == [
        ("L1", 2**15, 8),
        ("L2", 2**20, 16),
        ("L3", 55 * 2**19, 11),
    ]
    assert processor.inclusion == ("non-inclusive", "exclusive")
    assert parse_processor("skylake", inclusion="inclusive").inclusion == ("inclusive", "inclusive")


def test_a_machine_file_gives_caches(tmp_path: Path) -> None:
    (tmp_path / "2nd.toml").write_text('base = "broadwell"\n[caches.L3]\nsize = "20 MiB"\n')
    processor = parse_processor(str(tmp_path / "2nd.toml"))
    assert [level.bytes for level in processor.levels] == [2**15, 2**18, 20 * 2**20]
    assert processor.inclusion == ("non-inclusive", "inclusive")


def test_words_for_each_level() -> None:
    processor = parse_processor("1K/4,4K/4,8K/8", "tree-PLRU, LRU,FIFO", "inclusive,exclusive")
    assert processor.replacement == ("tree-PLRU", "LRU", "FIFO")
    assert processor.inclusion == ("inclusive", "exclusive")
    assert parse_processor("1K/4").inclusion == ()


def test_tlbs_from_text() -> None:
    assert [(level.line_bytes, level.lines, level.ways) for level in parse_tlb("4K")] == [
        (4096, 64, 4),
        (4096, 1536, 12),
    ]
    assert [(level.line_bytes, level.lines, level.ways) for level in parse_tlb("2M:8/2,64/64")] == [
        (2**21, 8, 2),
        (2**21, 64, 64),
    ]


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ({"levels": "32K"}, "'32K' is no size/ways"),
        ({"levels": "32K/7"}, "whole number of sets"),
        ({"levels": ""}, "no size/ways as in .*, nor a machine"),
        ({"levels": "skylak"}, "did you mean 'skylake'"),
        ({"levels": "nowhere.toml"}, "nowhere.toml: cannot be read"),
        ({"levels": "h100"}, "h100: caches.L1 needs ways and line"),
        ({"replacement": "MRU"}, "unknown replacement 'MRU'"),
        ({"replacement": "LRU,LRU"}, "2 replacements for 3 levels"),
        ({"levels": "broadwell", "replacement": "tree-PLRU"}, "L3: 20 ways; tree-PLRU needs a power of two"),
        ({"inclusion": "partly"}, "unknown inclusion 'partly'"),
        ({"inclusion": "inclusive,inclusive,inclusive"}, "3 inclusions for 2 levels"),
        ({"tlbs": ("4X",)}, "'4X' is no size of a page"),
        ({"tlbs": ("64K",)}, "no entries for pages of 65536 bytes"),
        ({"tlbs": ("4K:64",)}, "'64' is no entries/ways"),
        ({"tlbs": ("3K:64/4",)}, "lines: 3072 bytes; they must be a power of two"),
    ],
)
def test_words_that_make_no_sense_are_refused(words: dict[str, str], what: str) -> None:
    with pytest.raises(HotrowError, match=what):
        parse_processor(**words)  # type: ignore[arg-type]


def test_every_line_is_found_somewhere(trace: Trace) -> None:
    found = simulated(trace, "1K/4,8K/8")
    first, second = found.stats
    assert first.accesses == 2 * trace.accesses
    assert second.accesses == first.misses
    for stats in found.stats:
        assert (stats.compulsory or 0) + (stats.capacity or 0) + (stats.conflict or 0) == stats.misses
    assert second.compulsory == 2 * sum(len(np.unique(table.indices)) for table in trace.tables)


def test_a_machine_counts_as_the_hierarchy_does(trace: Trace) -> None:
    expected = simulate_trace(trace, Layout.of_rows(trace, 128), load_machine("genoa"), tell_apart=True)
    assert simulated(trace, "genoa").stats == expected


def test_updates_are_written_back(trace: Trace) -> None:
    found = memory_levels(trace, 128, parse_processor("1K/4,8K/8", inclusion="inclusive"), update_every=64)
    layout, levels = Layout.of_rows(trace, 128), [Level("L1", 4, 4), Level("L2", 16, 8)]
    assert found.stats == simulate_trace(trace, layout, levels, inclusion="inclusive", update_every=64)
    assert found.stats[1].write_backs > 0
    (grid,) = found.grids()
    assert grid.heads[-2:] == ("written back", "taken back")
    assert "inclusive, updates every 64 samples" in grid.caption
    everywhere = found.found(0) + found.found(1) + found.stats[1].read_misses
    assert everywhere == found.stats[0].accesses  # what L1 writes back into L2 is found nowhere


def test_page_walks(trace: Trace) -> None:
    processor = parse_processor("none", tlbs=("4K", "2M:2/2,4/4"))
    found = memory_levels(trace, 64, processor)
    assert found.stats == ()
    assert found.tlbs[0] == simulate_tlb(trace, Layout.of_rows(trace, 64))
    assert found.tlbs[1][1].misses == 2  # a large page for each table
    (grid,) = found.grids()
    assert [row[0] for row in grid.rows][2] == "L1 TLB, 2 MiB pages, 2 entries, 2 ways"
    assert grid.rows[3][3] == "2"
    assert grid.rows[3][4] == "0.25"  # of 8000 lookups


def test_rows_beyond_the_address_space_are_renumbered() -> None:
    ids = np.array([2**62, 5, 2**62, 2**62 + 7], np.int64)
    far = simulated(Trace.from_ids(ids), "1K/4", 64)
    near = simulated(Trace.from_ids([0, 1, 0, 2]), "1K/4", 64)
    assert (far.renumbered, near.renumbered) == (True, False)
    assert far.stats == near.stats
    assert "in order of first lookup" in far.grids()[0].caption


def test_figures_mark_the_caches_of_machine_files() -> None:
    capacities = dict(known_capacities(64))
    for name, machine, cache in (("Skylake L3", "skylake", "L3"), ("Broadwell L3", "broadwell", "L3")):
        assert capacities[name] == load_machine(machine).caches[cache].size.base // 64
    assert capacities["Skylake L3"] == 55 * 2**19 // 64


def test_shares_of_the_figure_add_up(trace: Trace) -> None:
    for update_every in (None, 32):
        found = memory_levels(trace, 128, parse_processor("1K/4,8K/8"), update_every)
        bars = figure(found).axes[0].patches
        assert sum(bar.get_width() for bar in bars) == pytest.approx(100)  # type: ignore[attr-defined]


def test_an_empty_trace_counts_nothing() -> None:
    none = Trace.from_ids(np.array([], np.int64))
    found = memory_levels(none, 64, parse_processor(tlbs=("4K",)))
    assert [stats.accesses for stats in (*found.stats, *found.tlbs[0])] == [0] * 5
    assert all(grid.rows for grid in found.grids())


def test_the_study_asks_for_what_the_words_say(trace: Trace) -> None:
    request = cache_study.Request(
        128, policies="none", levels="skylake", inclusion="inclusive", tlbs=("4K",), update_every=8
    )
    study = cache_study.cache_study(trace, request)
    plain = json.loads(json.dumps(cache_study.plain(study), allow_nan=False))
    assert plain["levels"]["processor"]["inclusion"] == ["inclusive", "inclusive"]
    assert plain["levels"]["stats"] == [asdict(stats) for stats in study.levels.stats]
    assert plain["levels"]["stats"][0]["writes"] == 2 * trace.accesses
    assert len(plain["levels"]["tlbs"][0]) == 2
    captions = [grid.caption for grid in cache_study.grids(study)]
    assert sum("Translation" in caption or "Lines of 64" in caption for caption in captions) == 2
    none = cache_study.cache_study(trace, cache_study.Request(128, policies="none", levels="none"))
    assert "levels" not in cache_study.figures(none)
    assert none.levels.grids() == ()
