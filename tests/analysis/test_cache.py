"""Caches by name, capacity and table: other programs' counts, what must hold for every policy, and bad input."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow import HotrowError
from hotrow.analysis.cache import CacheStats, compare, hit_mask, shared_stream, simulate, simulate_tables, total
from hotrow.analysis.miss_ratio import lru_curve
from hotrow.analysis.policies.registry import NAMES, POLICIES, find
from hotrow.analysis.policies.stream import Stream, stream
from hotrow.tracegen.trace import TableLookups, Trace

EXACT = ("LRU", "FIFO", "LFU", "CLOCK", "SIEVE", "ARC", "Belady", "S3-FIFO", "2Q")
# Other definitions of these exist; relative difference of misses that is allowed, from four quarters of a segment up.
NEAR = {"SLRU": (0.005, 40), "LIRS": (0.003, 50), "W-TinyLFU": (0.05, 100)}


def skewed(seed: int, rows: int, count: int) -> Any:
    rng = np.random.default_rng(seed)
    return np.floor(rows * rng.random(count) ** 3).astype(np.int64)


@pytest.mark.parametrize("name", ["hand", "zipf0.8_2k_20k", "scan_loops", "mix_zipf_scan"])
def test_counts_of_other_programs(shared: Path, name: str) -> None:
    folder = shared / "golden" / "cache"
    trace = json.loads((folder / "index.json").read_text())["traces"][name]
    ids = np.load(folder / trace["file"])
    for policy in EXACT:
        expected = {
            size: misses
            for size, misses in zip(trace["cache_sizes"], trace["miss"][policy], strict=True)
            if misses is not None and size >= find(policy).smallest
        }
        got = simulate(ids, policy, list(expected))
        assert {stats.capacity: stats.misses for stats in got} == expected, policy
    if name != "scan_loops":  # loops make much of small differences in the definition
        for policy, (tolerance, smallest) in NEAR.items():
            for size, misses in zip(trace["cache_sizes"], trace["miss"][policy], strict=True):
                if misses is not None and size >= smallest:
                    assert simulate(ids, policy, size).misses == pytest.approx(misses, rel=tolerance), (policy, size)


def test_hit_ratios_of_the_arc_paper(shared: Path) -> None:
    """Megiddo and Modha, FAST 2003, table of the OLTP trace: LRU and ARC, in per cent to two places."""
    ids = np.load(shared / "data" / "arc_oltp.npz")["f0"]
    sizes = (1000, 2000, 5000, 10000, 15000)
    for policy, percent in {
        "LRU": (32.83, 42.47, 53.65, 60.70, 64.63),
        "ARC": (38.93, 46.08, 55.25, 61.87, 65.40),
    }.items():
        got = [100 * stats.hit_ratio for stats in simulate(ids, policy, sizes)]
        assert got == pytest.approx(percent, abs=0.025 if policy == "ARC" else 0.005), policy


def test_lru_is_the_curve() -> None:
    ids = skewed(1, 300, 3000)
    sizes = [1, 2, 3, 10, 50, 150, 299, 300, 500]
    assert [stats.hits for stats in simulate(ids, "LRU", sizes)] == lru_curve(ids).hits(sizes).tolist()


@pytest.mark.parametrize("policy", [p for p in POLICIES if not p.name.startswith("static")], ids=lambda p: p.name)
def test_a_cache_for_all_rows_misses_first_accesses_only(policy: Any) -> None:
    ids = skewed(2, 150, 2000)
    sizes = (320, 320_000) if policy.multiple > 1 else (150, 10**6, 2**63 - 1)
    for stats in simulate(ids, policy.name, sizes):
        if policy.multiple > 1 and stats.capacity == 320:
            continue  # some sets overflow
        assert stats.misses == len(np.unique(ids))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_names_of_rows_do_not_matter(seed: int) -> None:
    ids = skewed(seed, 140, 1500)
    names = np.random.default_rng(seed).choice(2**62, 140, replace=False) * 2 + 1
    for policy in NAMES:
        if policy.startswith("FBGEMM"):
            continue  # these hash the id
        assert simulate(ids, policy, 100) == simulate(names[ids], policy, 100), policy
    assert hit_mask(names[ids].astype(np.uint64), "LRU", 7).tolist() == hit_mask(ids, "LRU", 7).tolist()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32), capacity=st.integers(100, 130))
def test_no_policy_beats_belady(seed: int, capacity: int) -> None:
    ids = skewed(seed, 140, 1500)
    best = simulate(ids, "Belady", capacity).misses
    for policy in POLICIES:
        if policy.name != "static" and policy.multiple == 1:  # static may start full
            assert simulate(ids, policy.name, capacity).misses >= best


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_wide_counters_count_the_same(policy: Any) -> None:
    ids = skewed(3, 200, 4000)
    for capacity in (policy.smallest, 128):
        wide = Stream(ids.astype(np.int64), 200)
        assert simulate(wide, policy.name, capacity) == simulate(ids, policy.name, capacity)


def test_a_sequence_of_capacities_and_threads() -> None:
    ids = skewed(4, 500, 5000)
    sizes = np.array([200, 20, 350])
    together = compare(ids, ("SIEVE", "s3 fifo", "wtinylfu"), sizes[[0, 2]], threads=3)
    assert list(together) == ["SIEVE", "S3-FIFO", "W-TinyLFU"]
    assert simulate(ids, "SIEVE", sizes, threads=1) == tuple(simulate(ids, "SIEVE", int(size)) for size in sizes)
    assert together["SIEVE"] == simulate(ids, "Sieve", (200, 350))
    assert simulate(ids, "LRU", ()) == ()


def test_bytes_of_equal_rows_are_rows() -> None:
    ids = skewed(5, 200, 3000)
    for policy in NAMES:
        rows = simulate(ids, policy, 128)
        for row_bytes, capacity in ((48, 128 * 48), (48, 128 * 48 + 47), (np.full(len(ids), 48), 128 * 48)):
            stats = simulate(ids, policy, capacity, row_bytes=row_bytes)
            assert (stats.misses, stats.capacity, stats.unit) == (rows.misses, capacity, "bytes")


def test_a_row_larger_than_the_cache_is_never_kept() -> None:
    ids, sizes = [0, 1, 0, 1, 0, 1], [9, 2, 9, 2, 9, 2]
    for policy in ("LRU", "FIFO", "LFU", "CLOCK", "SIEVE", "static"):
        assert hit_mask(ids, policy, 5, row_bytes=sizes).tolist()[2:] == [False, True, False, True], policy


TABLES = Trace(
    (
        TableLookups("user", 50, np.array([1, 2, 3, 1, 2, 3, 1])),
        TableLookups("item", 2**40, np.array([7, 2**39, 7, 7, 8, 9, 7]), np.array([0, 2, 2, 3, 4, 4, 6, 7])),
        TableLookups("cold", 5, np.array([], np.int64), np.zeros(8, np.int64)),
    )
)


def test_one_cache_for_each_table() -> None:
    stats = simulate_tables(TABLES, "LRU", {"user": 3, "item": 1, "cold": 9})
    assert {name: (s.accesses, s.hits) for name, s in stats.items()} == {"user": (7, 4), "item": (7, 1), "cold": (0, 0)}
    assert total(stats) == CacheStats("LRU", 13, 14, 9)
    assert np.isnan(stats["cold"].miss_ratio)
    in_bytes = simulate_tables(TABLES, "LRU", 12, row_bytes={"user": 4, "item": 12, "cold": 1})
    assert [s.hits for s in in_bytes.values()] == [4, 1, 0]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), capacity=st.integers(8, 60))
def test_one_cache_for_all_tables(seed: int, capacity: int) -> None:
    """By a plain LRU over (table, row) in the order sample by sample, table by table, evicting until the row fits."""
    rng = np.random.default_rng(seed)
    tables, row_bytes = [], {}
    for k in range(int(rng.integers(1, 4))):
        offsets = np.concatenate(([0], np.cumsum(rng.integers(0, 4, 20))))
        tables.append(
            TableLookups(f"t{k}", 6, rng.integers(0, 6, int(offsets[-1])), offsets if k else None)
            if k
            else TableLookups("t0", 6, rng.integers(0, 6, 20))
        )
        row_bytes[f"t{k}"] = int(rng.integers(1, 9))
    trace = Trace(tuple(tables))
    cache: list[tuple[str, int]] = []
    hits = dict.fromkeys(row_bytes, 0)
    for s in range(20):
        for table in trace.samples_between(s, s + 1).tables:
            for row in table.indices.tolist():
                key = (table.name, row)
                if key in cache:
                    hits[table.name] += 1
                    cache.remove(key)
                while sum(row_bytes[name] for name, _ in cache) + row_bytes[table.name] > capacity:
                    cache.pop(0)
                cache.append(key)
    stats = simulate_tables(trace, "LRU", capacity, row_bytes=row_bytes, shared=True)
    assert {name: s.hits for name, s in stats.items()} == hits
    assert total(stats, shared=True) == CacheStats(
        "LRU", capacity, trace.accesses, trace.accesses - sum(hits.values()), "bytes"
    )


def test_a_shared_stream_numbers_touched_rows_through() -> None:
    accesses = shared_stream(TABLES, [None] * 3)
    order = [("user", 1), ("item", 7), ("item", 2**39), ("user", 2), ("user", 3), ("item", 7), ("user", 1), ("item", 7)]
    seen = accesses.ids.tolist()[: len(order)]
    assert [seen.index(x) for x in seen] == [order.index(x) for x in order]
    assert accesses.touched_rows == 3 + 4
    assert stream([5, 10**15, 5]).touched_rows == 2


@pytest.mark.parametrize(
    "row_bytes", [0, -4, 64.5, {"user": -8, "item": 64, "cold": 1}, {"user": 6.9, "item": 8, "cold": 1}]
)
def test_a_shared_cache_checks_row_bytes_as_others_do(row_bytes: Any) -> None:
    for shared in (False, True):
        with pytest.raises(HotrowError, match="row_bytes"):
            simulate_tables(TABLES, "LRU", 100, row_bytes=row_bytes, shared=shared)


def test_a_shared_stream_is_as_large_as_its_rows_not_its_ids() -> None:
    scattered = tuple(TableLookups(f"t{k}", 10**6, np.array([k, 999_999 - k])) for k in range(40))
    accesses = shared_stream(Trace(scattered), [None] * 40)
    assert (accesses.rows, accesses.touched_rows) == (80, 80)
    assert accesses.names is not None
    assert accesses.names[:4].tolist() == [0, 999_999, 10**6 + 1, 10**6 + 999_998]


def test_a_stream_is_not_sized_twice() -> None:
    ids = stream([1, 2, 1], row_bytes=64)
    assert simulate(ids, "LRU", 128).unit == "bytes"
    for argument in ({"row_bytes": 64}, {"training": 0.2}):
        with pytest.raises(HotrowError, match="belong to the stream"):
            simulate(ids, "LRU", 128, **argument)


def test_an_empty_trace_has_no_accesses() -> None:
    for policy in NAMES:
        stats = simulate([], policy, 128)
        assert (stats.accesses, stats.hits, stats.misses) == (0, 0, 0)
        assert np.isnan(stats.hit_ratio)
        assert hit_mask([], policy, 128).tolist() == []
    assert simulate([], "LRU", 128, row_bytes=4).misses == 0


@pytest.mark.parametrize(
    ("policy", "capacity", "more", "words"),
    [
        ("LRU", 0, {}, "LRU: capacity 0 rows; it must be at least 1"),
        ("FIFO", -3, {}, "FIFO: capacity -3 rows"),
        ("LRU", 2.5, {}, "LRU: capacity 2.5; it must be a whole number of rows"),
        ("LRU", True, {}, "capacity True"),
        ("LRU", (10, "x"), {}, "capacity 'x'"),
        ("S3-FIFO", 19, {}, "S3-FIFO: capacity 19 rows; the policy is defined from 20 rows on"),
        ("W-TinyLFU", 99, {}, "W-TinyLFU: capacity 99 rows; the policy is defined from 100"),
        ("2Q", 3, {}, "2Q: capacity 3 rows"),
        ("LIRS", 1, {}, "LIRS: capacity 1 rows"),
        ("FBGEMM-LRU", 100, {}, "its sets have 32 rows"),
        ("LRU", 63, {"row_bytes": 64}, "LRU: capacity 63 bytes; the policy is defined from 64 bytes"),
        ("S3-FIFO", 100, {"row_bytes": [1, 2, 9]}, r"from 180 bytes \(20 × 9 bytes\)"),
        ("ARC", 100, {"row_bytes": [1, 2, 9]}, "ARC: capacity 100 bytes, but rows have 1 to 9 bytes"),
        ("LRU", 5, {"row_bytes": 0}, "row_bytes 0; a row has at least 1 byte"),
        ("LRU", 5, {"row_bytes": [1, 2]}, "one for each of the 3 accesses"),
        ("LRU", 5, {"row_bytes": 1.5}, "row_bytes is float64"),
        ("LRUU", 5, {}, "unknown policy 'LRUU'; did you mean LRU"),
        ("sive", 5, {}, "did you mean SIEVE"),
        ("zzz", 5, {}, "There are LRU, FIFO"),
        (7, 5, {}, "named by a string"),
        ("static-prefix", 5, {"training": 1.5}, "training part 1.5"),
        ("LRU", 5, {"threads": 0}, "0 threads"),
    ],
)
def test_mistakes_name_value_and_rule(policy: Any, capacity: Any, more: Any, words: str) -> None:
    with pytest.raises(HotrowError, match=words):
        simulate([1, 2, 3], policy, capacity, **more)


def test_other_mistakes() -> None:
    with pytest.raises(HotrowError, match="row id 4 has 1 bytes at access 0 and 2 later"):
        simulate([4, 4], "LRU", 5, row_bytes=[1, 2])
    with pytest.raises(HotrowError, match="row id -1 at access 1"):
        simulate([4, -1], "LRU", 5)
    with pytest.raises(HotrowError, match="float64"):
        simulate([0.5], "LRU", 5)
    with pytest.raises(HotrowError, match="does not fit the trace's tables at 'itm'"):
        simulate_tables(TABLES, "LRU", {"itm": 3, "user": 2, "cold": 1})
    with pytest.raises(HotrowError, match="does not fit the trace's tables at 'cold'"):
        simulate_tables(TABLES, "LRU", 3, row_bytes={"item": 3, "user": 2})
    with pytest.raises(HotrowError, match="the cache is shared"):
        simulate_tables(TABLES, "LRU", {"item": 3}, shared=True)
    with pytest.raises(HotrowError, match="3 misses among 2 accesses"):
        CacheStats("LRU", 1, 2, 3)
