"""Hierarchies against plain Python, other programs' counts, and what theory says."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import msgspec
import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow import HotrowError
from hotrow.analysis.hierarchy import Cores, Hierarchy, Level, LevelStats, simulate, simulate_trace
from hotrow.analysis.memory import nested_kernels
from hotrow.analysis.memory.layout import Layout
from hotrow.analysis.reuse_distance import stack_distances
from hotrow.profiling.machine import Machine
from hotrow.tracegen.trace import TableLookups, Trace

from .reference_caches import COUNTERS, Caches

HOLDS = ("non-inclusive", "inclusive", "exclusive")
compiled = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="minutes in the interpreter")
WIDTHS = (1, 2, 3, 4, 8, 9, 16, 17, 33)  # one vector, two, and a loop over vectors


def counts(stats: tuple[LevelStats, ...]) -> list[dict[str, int]]:
    return [{name: getattr(level, name) for name in COUNTERS} for level in stats]


@st.composite
def hierarchies(draw: st.DrawFn) -> dict[str, Any]:
    depth = draw(st.integers(1, 4))
    kind = draw(st.sampled_from(["filtering", "nested", "tree-PLRU"]))
    widths = (1, 2, 4, 8) if kind == "tree-PLRU" else WIDTHS
    shapes = [(draw(st.integers(1, 6)), draw(st.sampled_from(widths))) for _ in range(depth)]
    lines = [4] * depth
    if kind == "filtering":
        for level in range(1, depth):
            lines[level] = lines[level - 1] * draw(st.sampled_from([1, 1, 2, 4]))
    policies = [kind if kind == "tree-PLRU" else draw(st.sampled_from(["LRU", "FIFO"])) for _ in range(depth)]
    holds = [HOLDS[0] if kind == "filtering" else draw(st.sampled_from(HOLDS)) for _ in range(depth - 1)]
    return {"shapes": [(*s, line) for s, line in zip(shapes, lines, strict=True)], "policies": policies, "holds": holds}


accesses = st.lists(st.tuples(st.integers(0, 400) | st.integers(0, 60), st.booleans()), max_size=250)


def run(shape: dict[str, Any], stream: list[tuple[int, bool]], flush: bool) -> tuple[LevelStats, ...]:
    return simulate(
        [address for address, _ in stream],
        [Level(f"L{k + 1}", *each) for k, each in enumerate(shape["shapes"])],
        replacement=shape["policies"],
        inclusion=shape["holds"],
        writes=[write for _, write in stream],
        flush=flush,
    )


@settings(max_examples=300, deadline=None)
@given(hierarchies(), accesses, st.booleans(), st.booleans())
def test_equals_plain_python(shape: dict[str, Any], stream: list[tuple[int, bool]], stores: bool, flush: bool) -> None:
    stream = [(address, write and stores) for address, write in stream]
    plain = Caches(shape["shapes"], shape["policies"], shape["holds"])
    for address, write in stream:
        plain.access(address, write)
    if flush:
        plain.flush()
    assert counts(run(shape, stream, flush)) == [level.counts for level in plain.levels]


@settings(max_examples=80, deadline=None)
@given(hierarchies(), accesses, st.integers(0, 3))
def test_private_levels_equal_plain_python(shape: dict[str, Any], stream: list[tuple[int, bool]], private: int) -> None:
    private = min(private, len(shape["shapes"]))
    shapes = [(sets, ways, 4) for sets, ways, _ in shape["shapes"]]
    plain = Caches(shapes, shape["policies"], shape["holds"], private, core_bytes=128)
    for address, write in stream:
        plain.access(address, write)
    caches = Hierarchy(
        [Level("", *each) for each in shapes],
        replacement=shape["policies"],
        inclusion=shape["holds"],
        cores=Cores(count=4, private=private, span_bytes=128),
    )
    caches.serve(np.array([address // 4 * 2 + write for address, write in stream], np.int64))
    assert counts(caches.stats()) == [level.counts for level in plain.levels]


@settings(max_examples=60, deadline=None)
@given(hierarchies(), accesses, st.integers(1, 300))
def test_served_in_parts_equals_whole(shape: dict[str, Any], stream: list[tuple[int, bool]], cut: int) -> None:
    levels = [Level("", *each) for each in shape["shapes"]]
    words = np.array([address // 4 * 2 + write for address, write in stream], np.int64)
    whole, parts = (Hierarchy(levels, replacement=shape["policies"], inclusion=shape["holds"]) for _ in range(2))
    whole.serve(words)
    for start in range(0, len(words), cut):
        parts.serve(words[start : start + cut])
    assert whole.stats() == parts.stats()


@settings(max_examples=60, deadline=None)
@given(hierarchies(), accesses)
def test_misses_told_apart(shape: dict[str, Any], stream: list[tuple[int, bool]]) -> None:
    addresses = np.array([address for address, _ in stream], np.int64)
    levels = [Level("", *each) for each in shape["shapes"]]
    stats = simulate(addresses, levels, replacement=shape["policies"], inclusion=shape["holds"], tell_apart=True)
    for level in stats:
        assert level.compulsory is not None
        assert level.capacity is not None
        assert level.conflict is not None
        assert level.compulsory + level.capacity + level.conflict == level.misses
    assert stats[0].compulsory == len(np.unique(addresses // 4))
    distances = stack_distances(addresses // 4)
    would_miss = int(np.count_nonzero(distances >= levels[0].lines))
    assert stats[0].capacity is not None
    assert stats[0].capacity <= would_miss
    if levels[0].sets == 1 and shape["policies"][0] == "LRU" and "inclusive" not in shape["holds"]:
        assert stats[0].conflict == 0
        assert stats[0].capacity == would_miss


def test_kinds_of_misses_do_not_depend_on_the_cuts() -> None:
    words = np.random.default_rng(4).integers(0, 300, 3000) << 1
    levels = [Level("L1", 4, 4), Level("L2", 8, 8)]
    whole, parts = (Hierarchy(levels, tell_apart=True) for _ in range(2))
    whole.serve(words)
    for part in np.array_split(words, 7):
        parts.serve(part)
    assert whole.stats() == parts.stats()
    assert whole.stats()[0].capacity


def test_telling_misses_apart_keeps_lines_not_accesses() -> None:
    caches = Hierarchy([Level("L1", 4, 4)], tell_apart=True)
    words = np.random.default_rng(4).integers(0, 300, 2**15) << 1
    caches.serve(words)
    tracemalloc.start()
    for _ in range(20):
        caches.serve(words)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 20 * len(words)  # a byte per access would be 20 times that many


def test_two_lines_that_share_a_set_conflict() -> None:
    (level,) = simulate([0, 128, 0, 128], [Level("L1", sets=2, ways=1)], tell_apart=True)
    assert (level.compulsory, level.capacity, level.conflict) == (2, 0, 2)
    (level,) = simulate([0, 64, 128, 0], [Level("L1", sets=2, ways=1)], tell_apart=True)
    assert (level.compulsory, level.capacity, level.conflict) == (3, 1, 0)


@pytest.mark.parametrize("inclusion", HOLDS)
@pytest.mark.parametrize("replacement", ["LRU", "FIFO", "tree-PLRU"])
@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_high_addresses_are_not_truncated(inclusion: str, replacement: str, dtype: type[np.generic]) -> None:
    top = 2**63 - 64 if dtype is np.int64 else 2**64 - 64
    addresses = np.array([0, 2**48, 2**56, top, top + 63, 2**48], dtype)
    levels = [Level("L1", 4, 4), Level("L2", 8, 8)]
    first, second = simulate(addresses, levels, replacement=replacement, inclusion=inclusion)
    assert (first.misses, second.misses) == (4, 4)


@pytest.mark.parametrize("policy", ["LRU", "FIFO"])
def test_addresses_may_grow_in_the_middle(policy: str) -> None:
    rng = np.random.default_rng(2)
    low = rng.integers(0, 300, 2000)
    high = np.where(rng.random(2000) < 0.5, low, low + (2**36 >> 6))
    words = np.concatenate([low, high, low]) << 1 | rng.integers(0, 2, 6000)
    shapes = [(3, 5, 64), (4, 12, 64), (5, 20, 64)]
    caches = Hierarchy([Level("", *shape) for shape in shapes], replacement=policy)
    plain = Caches(shapes, [policy] * 3, ["non-inclusive"] * 2)
    for part in np.split(words, 3):
        caches.serve(part)
        for word in part.tolist():
            plain.access((word >> 1) * 64, bool(word & 1))
    caches.flush()
    plain.flush()
    assert counts(caches.stats()) == [level.counts for level in plain.levels]


@pytest.mark.parametrize("replacement", ["LRU", "FIFO", "tree-PLRU"])
@pytest.mark.parametrize("grows", ["addresses", "clock"])
def test_sets_widen_in_the_middle(replacement: str, grows: str) -> None:
    """Words and marks beyond int32; ways that do not fill their vectors."""
    rng = np.random.default_rng(2)
    words = rng.integers(0, 300, 4000) << 1 | rng.integers(0, 2, 4000)
    high = np.where(rng.random(2000) < 0.5, words[2000:], words[2000:] + (2**36 >> 5)) if grows == "addresses" else None
    ways = (4, 8, 64) if replacement == "tree-PLRU" else (5, 12, 20)
    shapes = [(sets, each, 64) for sets, each in zip((3, 4, 2), ways, strict=True)]
    holds = ["exclusive", "inclusive"]
    caches = Hierarchy([Level("", *shape) for shape in shapes], replacement=replacement, inclusion=holds)
    plain = Caches(shapes, [replacement] * 3, holds)
    parts = [words[:2000], words[2000:] if high is None else high, words[:2000]]
    for number, part in enumerate(parts):
        if grows == "clock" and number == 1:
            nested: Any = caches._caches
            for level, row in enumerate(nested._levels):
                later = 2**31 - 500 - row[nested_kernels.CLOCK]  # as if so many more accesses had come before
                marks = nested._sets(level)[:, 1]
                marks[(marks > 0) & (marks < 2**31 - 1)] += 0 if replacement == "tree-PLRU" else later
                row[nested_kernels.CLOCK] += later
        caches.serve(part)
        for word in part.tolist():
            plain.access((word >> 1) * 64, bool(word & 1))
    caches.flush()
    plain.flush()
    assert counts(caches.stats()) == [level.counts for level in plain.levels]


def test_an_inclusive_level_takes_back_what_it_loses() -> None:
    levels = [Level("L1", 1, 2), Level("L2", 1, 2)]
    stream = np.array([0, 1, 0, 2, 0]) * 64  # line 0 is used above, so L2 thinks it old and loses it
    inclusive, _ = simulate(stream, levels, inclusion="inclusive")
    free, _ = simulate(stream, levels)
    assert (inclusive.misses, inclusive.back_invalidations) == (4, 2)
    assert (free.misses, free.back_invalidations) == (3, 0)


def test_exclusive_levels_hold_the_sum_of_their_lines() -> None:
    loop = np.tile(np.arange(6) * 64, 10)
    levels = [Level("L1", 1, 2), Level("L2", 1, 4)]
    assert simulate(loop, levels, inclusion="exclusive")[1].misses == 6
    assert simulate(loop, levels, inclusion="non-inclusive")[1].misses == 60


@compiled
def test_counts_of_dinero_pycachesim_and_plain_python(shared: Path) -> None:
    folder = shared / "golden" / "cache"
    index = json.loads((folder / "index.json").read_text())
    for case in index["hierarchy"]:
        rows = np.load(folder / index["traces"][case["trace"]]["file"])[: case["n_lookups"]]
        trace = Trace.from_ids(rows)
        levels = [Level(each["name"], each["sets"], each["ways"], case["line"]) for each in case["levels"]]
        stats = simulate_trace(trace, Layout.of_rows(trace, case["row_bytes"]), levels, replacement=case["repl"])
        assert {level.name: level.hits for level in stats} == case["pycachesim_hits"]
        if case["agree"]:
            for level in stats:
                expected = case["dinero"][level.name]
                assert {name: getattr(level, name) for name in expected} == expected


@compiled
@pytest.mark.parametrize("cores", [None, Cores(1, 0, 2**40)])  # the two kernels
def test_writes_equal_dinero_and_plain_python(shared: Path, cores: Cores | None) -> None:
    folder = shared / "golden" / "cache"
    index = json.loads((folder / "index.json").read_text())
    names = {"writeback_lines": "write_backs", "writebacks_before_final_flush": "write_backs"}
    for case in index["hierarchy_writes"]:
        rows = np.load(folder / index["traces"][case["trace"]]["file"])[: case["n_lookups"]]
        stores = np.load(folder / case["store_mask_file"])[: case["n_lookups"]]
        levels = [Level(each["name"], each["sets"], each["ways"], case["line"]) for each in case["levels"]]
        for flush, program in ((False, "python_ref"), (True, "dinero")):
            caches = Hierarchy(levels, cores=cores)
            caches.serve(rows * case["row_bytes"] // case["line"] << 1 | stores)
            if flush:
                caches.flush()
            for level, expected in zip(caches.stats(), case[program], strict=True):
                assert {name: getattr(level, names.get(name, name)) for name in expected} == expected


def traces(draw: st.DrawFn) -> Trace:
    samples = draw(st.integers(0, 12))
    tables = []
    for number in range(draw(st.integers(1, 3))):
        rows = draw(st.integers(1, 30))
        if draw(st.booleans()):
            sizes = draw(st.lists(st.integers(0, 4), min_size=samples, max_size=samples))
            offsets = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
        else:
            sizes, offsets = [1] * samples, None
        indices = draw(st.lists(st.integers(0, rows - 1), min_size=sum(sizes), max_size=sum(sizes)))
        tables.append(TableLookups(f"t{number}", rows, np.array(indices, np.int64), offsets))
    return Trace(tuple(tables))


@settings(max_examples=60, deadline=None)
@given(st.composite(traces)(), st.sampled_from([4, 48, 64, 200]), st.none() | st.integers(1, 5), st.sampled_from(HOLDS))
def test_a_trace_equals_its_addresses(trace: Trace, row_bytes: int, update_every: int | None, inclusion: str) -> None:
    layout = Layout.of_rows(trace, row_bytes, start=100, page_bytes=256)
    addresses: list[int] = []
    writes: list[bool] = []

    def touch(sample: int, write: bool) -> None:
        for table, placed in zip(trace.tables, layout.tables, strict=True):
            for row in table.samples_between(sample, sample + 1).indices.tolist():
                first = placed.base + row * row_bytes
                for line in range(first // 64, (first + row_bytes - 1) // 64 + 1):
                    addresses.append(line * 64)
                    writes.append(write)

    for start in range(0, trace.samples, update_every or 1):
        batch = range(start, min(start + (update_every or 1), trace.samples))
        for sample in batch:
            touch(sample, False)
        for sample in batch if update_every else ():
            touch(sample, True)
    levels = [Level("L1", 2, 2), Level("L2", 4, 4)]
    expected = simulate(addresses, levels, writes=writes, inclusion=inclusion, flush=True)
    found = simulate_trace(trace, layout, levels, update_every=update_every, inclusion=inclusion, flush=True)
    assert found == expected


def machine(**l2: Any) -> Machine:
    cache = {"size": "32 KiB", "ways": 8, "line": "64 B"}
    outer = {"size": "1 MiB", "ways": 16, "line": "64 B", "inclusion": "inclusive", **l2}
    return msgspec.convert(
        {
            "name": "imagined",
            "kind": "cpu",
            "cores": {"value": 4},
            "clock": {"value": 2.0, "unit": "GHz"},
            "caches": {
                name: {key: quantity(value) if key != "inclusion" else value for key, value in each.items()}
                for name, each in (("L1", cache), ("L2", outer))
            },
            "memory": {"DRAM": {"capacity": quantity("64 GiB"), "bandwidth": quantity("50 GB/s")}},
        },
        Machine,
    )


def quantity(text: str | int) -> dict[str, Any]:
    value, _, unit = str(text).partition(" ")
    return {"value": float(value), "unit": unit}


def test_a_machine_gives_its_levels_and_their_inclusion() -> None:
    levels = [Level("L1", 64, 8), Level("L2", 1024, 16)]
    stream = np.random.default_rng(0).integers(0, 2**22, 20_000)
    assert simulate(stream, machine()) == simulate(stream, levels, inclusion="inclusive")
    assert simulate(stream, machine(), inclusion="exclusive") == simulate(stream, levels, inclusion="exclusive")
    assert simulate(stream, machine(inclusion="non-inclusive")) == simulate(stream, levels)


def test_a_machine_without_ways_is_told() -> None:
    lacking = msgspec.structs.replace(machine().caches["L2"], ways=None)
    caches = {**machine().caches, "L2": lacking}
    with pytest.raises(HotrowError, match=r"imagined: caches\.L2 needs ways and line"):
        simulate([0], msgspec.structs.replace(machine(), caches=caches))


def test_no_access_counts_nothing() -> None:
    for tell_apart in (False, True):
        (level,) = simulate([], [Level("L1", 64, 8)], tell_apart=tell_apart, flush=True)
        assert level.accesses == level.hits == level.misses == level.write_backs == 0
        assert np.isnan(level.miss_ratio)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Level("L1", 0, 8), "L1: 0 sets; a cache has at least 1"),
        (lambda: Level("L1", 64, -1), "L1: -1 ways"),
        (lambda: Level("L1", 64, 8, 48), "L1: lines: 48 bytes; they must be a power of two"),
        (lambda: Level("L1", 64, 8, 2), "at least 4"),
        (lambda: Level("L1", 2.5, 2), "L1: sets: 2.5; it must be a whole number"),
        (lambda: Level("L1", 2, "2"), "L1: ways: '2'"),
        (lambda: Level.of_size("L1", 1024, 2, 64.0), "L1: line bytes: 64.0"),
        (lambda: Hierarchy([Level("L1", 1, 1)]).serve(np.array([2, -4])), "word -4; a word is line"),
        (lambda: Level("L1", 2**40, 8), "2\\^32 lines are the most"),
        (lambda: Level.of_size("L1", 32768, 7), "32768 bytes are no whole number of sets of 7 ways × 64 bytes"),
        (lambda: Level.of_size("L1", 32768, 0), "0 ways"),
        (lambda: Level.of_size("L1", 0, 8), "0 bytes"),
        (lambda: simulate([0], []), "at least one level"),
        (lambda: simulate([0], [Level("L1", 1, 1, 128), Level("L2", 1, 1, 64)]), "L1 has lines of 128 bytes and L2"),
        (lambda: simulate([0], [Level("L1", 1, 3)], replacement="tree-PLRU"), "L1: 3 ways; tree-PLRU needs a power"),
        (lambda: simulate([0], [Level("L1", 1, 128)], replacement="tree-PLRU"), "at most 64"),
        (lambda: simulate([0], [Level("L1", 1, 1)], replacement="MRU"), "unknown replacement 'MRU'; known are LRU"),
        (lambda: simulate([0], [Level("L1", 1, 1)], inclusion="some"), "unknown inclusion 'some'"),
        (lambda: simulate([0], [Level("L1", 1, 1)], replacement=["LRU", "LRU"]), "2 replacements for 1 levels"),
        (
            lambda: simulate([0], [Level("L1", 1, 1), Level("L2", 1, 1, 128)], inclusion="inclusive"),
            "line bytes differ \\(L1 64, L2 128\\)",
        ),
        (lambda: simulate([4, -1], [Level("L1", 1, 1)]), "address -1 at access 1; addresses start at 0"),
        (lambda: simulate([0.5], [Level("L1", 1, 1)]), "float64"),
        (lambda: simulate([[1]], [Level("L1", 1, 1)]), "2 dimensions"),
        (lambda: simulate([1, 2], [Level("L1", 1, 1)], writes=[True]), "writes has shape \\(1,\\) for 2 addresses"),
        (lambda: simulate([1], [Level("L1", 1, 1)], writes=[True], tell_apart=True), "only where nothing writes"),
        (lambda: Cores(2, 1, 100), "100 bytes"),
        (lambda: Cores(0, 1, 64), "0 cores"),
        (lambda: Hierarchy([Level("L1", 1, 1)], cores=Cores(2, 2, 64)), "2 private levels of 1"),
        (lambda: Hierarchy([Level("L1", 1, 1)], cores=Cores(2, 1, 32)), "32 bytes of addresses, less than a line"),
        (
            lambda: Hierarchy([Level("L1", 1, 1)], cores=Cores(2, 1, 64)).serve(np.array([8])),
            "address 256 belongs to core 4; there are 2 cores",
        ),
    ],
)
def test_mistakes_are_told(make: Any, said: str) -> None:
    with pytest.raises(HotrowError, match=said):
        make()
