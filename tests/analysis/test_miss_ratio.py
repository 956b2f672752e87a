"""The exact LRU curve against a list, published hit ratios and other programs' histograms."""

import json
from pathlib import Path

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow import HotrowError
from hotrow.analysis.miss_ratio import LruCurveStream, MissRatioCurve, lru_curve
from hotrow.analysis.reuse_distance import stack_distances
from hotrow.analysis.stack import lru_stack


def test_curve_counts_hits_below_each_capacity() -> None:
    curve = lru_curve([7, 7, 8, 7, 9, 8])  # distances −, 0, −, 1, −, 2
    assert curve.histogram.tolist() == [1, 1, 1]
    assert (curve.accesses, curve.distinct) == (6, 3)
    assert curve.hits([0, 1, 2, 3, 100]).tolist() == [0, 1, 2, 3, 3]
    assert curve.miss_ratio([[0, 1], [2, 3]]).tolist() == [[1, 5 / 6], [4 / 6, 1 / 2]]
    assert curve.miss_ratio(3) == 0.5


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.integers(0, 12) | st.integers(0, 2**63 - 1), max_size=60),
    st.lists(st.integers(0, 60), max_size=4),
    st.integers(1, 4),
)
def test_chunks_on_threads_equal_the_whole(ids: list[int], cuts: list[int], threads: int) -> None:
    rows = np.array(ids, np.int64)
    distances = stack_distances(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lru_stack, "WORTH_A_THREAD", 1)
        patch.setattr(lru_stack, "PIECE", 7)
        stream = LruCurveStream(threads)
        for chunk in np.split(rows, sorted(cuts)):
            stream.feed(chunk)
    curve = stream.curve()
    assert curve.distinct == (distances < 0).sum() == len(set(ids))
    np.testing.assert_array_equal(curve.histogram, np.bincount(distances[distances >= 0]))
    assert (np.diff(curve.hits(np.arange(70))) >= 0).all()


def test_counts_outgrow_their_bins() -> None:
    curve = lru_curve(np.repeat([4, 9, 4], [300, 1000, 700]))
    assert curve.histogram.tolist() == [1997, 1]


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="minutes in the interpreter")
def test_threads_and_scattered_ids_give_the_same_curve() -> None:
    ids = (70_000 * np.random.default_rng(3).random(2**21 + 999) ** 3).astype(np.int64)
    one = lru_curve(ids, threads=1)
    for other in (lru_curve(ids, threads=2), lru_curve(ids * (2**40 + 1), threads=2)):
        np.testing.assert_array_equal(one.histogram, other.histogram)
        assert (one.accesses, one.distinct) == (other.accesses, other.distinct)


def test_no_access_has_no_ratio() -> None:
    curve = lru_curve([])
    assert (curve.accesses, curve.distinct, curve.hits(3)) == (0, 0, 0)
    assert np.isnan(curve.miss_ratio([0, 1])).all()


@pytest.mark.parametrize(
    ("capacities", "said"),
    [
        (-1, "capacity -1"),
        ([3, -2], "capacity -2"),
        (1.5, "whole number"),
        ("x", "whole number"),
        ([1, 10**20], "capacity 100000000000000000000; a capacity is at most 2"),
    ],
)
def test_bad_capacities_are_refused(capacities: object, said: str) -> None:
    with pytest.raises(HotrowError, match=said):
        lru_curve([1, 2]).hits(capacities)  # type: ignore[arg-type]


def test_no_capacity_has_no_hits() -> None:
    curve = lru_curve([7, 7])
    assert curve.hits([]).tolist() == []
    assert curve.miss_ratio([]).tolist() == []


@pytest.mark.parametrize(
    ("histogram", "accesses", "distinct", "said"),
    [
        ([1, 2], 5, 1, "are not 5 in all"),
        ([5], 3, -2, "distinct -2"),
        ([1.5, 0.5], 4, 2, "whole counts"),
        ([2, -1], 3, 2, "not negative"),
        ([[1]], 2, 1, "one dimension"),
        ([1], 2.0, 1, "accesses 2.0"),
        ([0, 0, 1], 2, 1, "stack distance 2 among 1 rows"),
    ],
)
def test_counts_that_no_stream_has_are_refused(histogram: list[float], accesses: int, distinct: int, said: str) -> None:
    with pytest.raises(HotrowError, match=said):
        MissRatioCurve(np.array(histogram), accesses, distinct)


def test_a_curve_keeps_its_counts_when_the_array_it_was_made_of_changes() -> None:
    counts = np.array([1, 1])
    curve = MissRatioCurve(counts, 4, 2)
    counts[0] = 99
    assert curve.histogram.tolist() == [1, 1]
    assert curve.hits(2) == 2
    with pytest.raises(ValueError, match="read-only"):
        curve.histogram[0] = 99


def test_hits_are_added_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    curve, sums = lru_curve([7, 7, 8, 7, 9, 8]), []
    whole = np.cumsum
    monkeypatch.setattr(np, "cumsum", lambda values: sums.append(1) or whole(values))
    assert [int(curve.hits(c)) for c in range(4)] == [0, 1, 2, 3]
    assert len(sums) == 1


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="minutes in the interpreter")
def test_hit_ratios_published_for_the_oltp_trace(shared: Path) -> None:
    """Megiddo and Modha, "ARC: a self-tuning, low overhead replacement cache", FAST 2003, table III."""
    curve = lru_curve(np.load(shared / "data" / "arc_oltp.npz")["f0"])
    hit_percent = 100 * (1 - curve.miss_ratio([1000, 2000, 5000, 10000, 15000]))
    np.testing.assert_allclose(hit_percent, [32.83, 42.47, 53.65, 60.70, 64.63], atol=0.006)


@pytest.mark.parametrize("name", ["hand", "zipf0.8_2k_20k", "mix_zipf_scan", "scan_loops"])
def test_histograms_of_increment_and_freeze(shared: Path, name: str) -> None:
    folder = shared / "golden" / "cache"
    facts = json.loads((folder / "index.json").read_text())["traces"][name]
    curve = lru_curve(np.load(folder / f"{name}.npy"))
    one_based = np.load(folder / f"{name}.lru_hist_iaf.npy")
    np.testing.assert_array_equal(curve.histogram, np.trim_zeros(one_based[1:], "b"))
    misses = curve.accesses - curve.hits(facts["cache_sizes"])
    np.testing.assert_array_equal(misses, facts["miss"]["LRU"])
