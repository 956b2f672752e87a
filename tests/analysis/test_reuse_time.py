"""Reuse times against a dictionary, AET against exact curves and against hand-made histograms."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow import HotrowError
from hotrow.analysis.miss_ratio import lru_curve
from hotrow.analysis.reuse_time import BINS, ReuseTimes, _bin_of, aet_miss_ratio, bin_edges


def reuse_times(ids: list[int]) -> list[int]:
    last: dict[int, int] = {}
    times = []
    for i, row in enumerate(ids):
        if row in last:
            times.append(i - last[row])
        last[row] = i
    return times


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 9) | st.integers(0, 2**63 - 1), max_size=40), st.integers(0, 40))
def test_histogram_equals_a_dictionary(ids: list[int], cut: int) -> None:
    stream = ReuseTimes()
    stream.feed(np.array(ids[:cut], np.int64))
    stream.feed(np.array(ids[cut:], np.int64))
    assert stream.counts[:64].tolist() == np.bincount(reuse_times(ids), minlength=64).tolist()
    assert stream.accesses == len(ids)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**53) | st.integers(0, 10_000))
def test_bins_hold_their_values(value: int) -> None:
    edges, b = bin_edges(), _bin_of(value)
    assert edges[b] <= value < edges[b + 1]
    assert edges[b + 1] - edges[b] <= max(1, value / 2048)
    assert len(edges) == BINS + 1


def test_positions_of_a_sample() -> None:
    stream = ReuseTimes()
    stream.feed([5, 6, 5], np.array([10, 12, 20]))
    assert np.flatnonzero(stream.counts).tolist() == [10]


def test_a_stream_goes_on_after_its_last_position() -> None:
    stream = ReuseTimes()
    stream.feed([5, 6, 5], [1000, 1200, 2000])
    stream.feed([5, 7])  # at 2001 and 2002
    stream.feed([7], [2010])
    assert [(time, stream.counts[time]) for time in np.flatnonzero(stream.counts)] == [(1, 1), (8, 1), (1000, 1)]


@pytest.mark.parametrize(
    ("positions", "said"),
    [
        ([10], "integers \\[3\\]"),
        ([10, 11, 12, 13], "integers \\[3\\]"),
        ([[10, 11, 12]], "integers \\[3\\]"),
        ([10.0, 11.0, 12.0], "float64"),
        ([10, 12, 12], "position 12 at access 2 after 12"),
        ([10, 9, 12], "position 9 at access 1 after 10"),
        ([3, 10, 11], "position 3 at access 0; the stream has come to 4"),
        ([10, 11, 2**63 - 1], "end at"),
    ],
)
def test_bad_positions_are_refused_and_nothing_is_counted(positions: list[int], said: str) -> None:
    stream = ReuseTimes()
    stream.feed([1, 1], [0, 3])
    with pytest.raises(HotrowError, match=said):
        stream.feed([1, 1, 1], positions)
    assert (stream.accesses, stream.counts.sum()) == (2, 1)


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="minutes in the interpreter")
def test_aet_is_near_the_exact_curve() -> None:
    rng = np.random.default_rng(1)
    weights = np.arange(1, 3001) ** -0.9
    capacities = np.array([1, 10, 100, 500, 1000, 2000])
    for ids in (rng.choice(3000, 100_000, p=weights / weights.sum()), rng.integers(0, 3000, 100_000)):
        stream = ReuseTimes()
        stream.feed(ids)
        np.testing.assert_allclose(stream.miss_ratio(capacities), lru_curve(ids).miss_ratio(capacities), atol=0.01)


def test_aet_of_a_cycle() -> None:
    """Ten rows in turn: every reuse time is 10, so a cache of 10 rows always hits and one of 9 never."""
    accesses, counts = 10_000, np.zeros(20)
    counts[9] = accesses - 10  # reuse time 10
    ratios = aet_miss_ratio(counts, np.arange(1, 22), accesses, [0, 1, 9, 10, 1000])
    np.testing.assert_allclose(ratios, [1, 1, 1, 0.001, 0.001])


def test_coarse_bins_spread_their_counts_evenly() -> None:
    fine = aet_miss_ratio(np.full(16, 5.0), np.arange(1, 18), 100, np.arange(20))
    coarse = aet_miss_ratio([80.0], [1, 17], 100, np.arange(20))
    np.testing.assert_allclose(coarse[[0, 10, 19]], fine[[0, 10, 19]], atol=0.12)
    assert coarse[0] == 1
    assert coarse[-1] == pytest.approx(0.2)


def test_noisy_counts_give_a_curve() -> None:
    ratios = aet_miss_ratio([30.0, -7.5, 90.0, 0.5], [0, 4, 16, 64, 256], 100, np.arange(300))
    assert (np.diff(ratios) <= 0).all()
    assert ratios.min() >= 0
    assert ratios[0] == 1


def test_no_accesses() -> None:
    assert np.isnan(ReuseTimes().miss_ratio([1, 2])).all()


@pytest.mark.parametrize(
    ("edges", "said"), [([1, 2], "edges"), ([1, 3, 2], "rising"), ([1, 2, np.inf], "finite"), ([2, 3, 4], "first edge")]
)
def test_bad_edges_are_refused(edges: list[float], said: str) -> None:
    with pytest.raises(HotrowError, match=said):
        aet_miss_ratio([1, 1], edges, 5, [1])


@pytest.mark.parametrize(
    ("counts", "accesses"), [([np.nan, 1], 5), ([np.inf, 1], 5), ([1, 1], np.inf), ([1, 1], np.nan)]
)
def test_what_is_not_finite_is_refused(counts: list[float], accesses: float) -> None:
    with pytest.raises(HotrowError, match="not finite"):
        aet_miss_ratio(counts, [1, 2, 3], accesses, [1])
