"""Knees of curves whose knee is known."""

import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.analysis.knee import knee
from hotrow.analysis.reuse_distance import stack_distances


def distances(ids: np.ndarray) -> np.ndarray:
    return stack_distances(ids)


def test_a_loop_has_its_knee_where_it_fits() -> None:
    found = knee(distances(np.tile(np.arange(500), 40)), np.random.default_rng(0))
    assert (found.low, found.capacity, found.high) == (None, 500, None)
    assert str(found) == "500 (end of the curve), 10%"
    assert found.miss_ratio == pytest.approx(1 / 40)


def test_a_hot_set_under_a_cold_stream_is_the_knee() -> None:
    rng = np.random.default_rng(1)
    hot = rng.integers(0, 50, 40_000)
    ids = np.where(rng.random(40_000) < 0.8, hot, 50 + rng.integers(0, 100_000, 40_000))
    found = knee(distances(ids), rng)
    assert found.low is not None
    assert found.high is not None
    assert 50 <= found.low <= found.capacity <= found.high <= 1000
    assert found.depth > 0.2
    assert str(found) == f"{found.capacity:,} ({found.low:,} … {found.high:,}), {found.depth:.0%}"


@pytest.mark.filterwarnings("error")
def test_a_curve_over_billions_of_rows() -> None:
    """Capacities whose products are beyond 64 bits."""
    found = knee(np.where(np.arange(4000) % 5, 1000, 2**31 - 2), np.random.default_rng(0))
    assert found.low is not None
    assert found.high is not None
    assert found.low <= 1001 <= found.high < 1300


def test_a_knee_that_only_a_part_of_the_trace_has_is_uncertain() -> None:
    ids = np.concatenate((np.tile(np.arange(20), 500), np.tile(np.arange(20, 4020), 3)))
    found = knee(distances(ids), np.random.default_rng(0))
    assert found.low is not None
    assert found.high is not None
    assert found.high > 10 * found.low


def test_an_interval_covers_the_knee_of_another_draw_or_there_is_none() -> None:
    """Uniform lookups have their knee where their rows end, which is elsewhere in every draw."""
    weights = np.arange(1, 3001) ** -0.9
    for popular, bounded in ((None, 0), (weights / weights.sum(), 8)):
        draws = [np.random.default_rng(k).choice(3000, 12_000, p=popular) for k in range(8)]
        knees = [knee(distances(ids), np.random.default_rng(0)) for ids in draws]
        intervals = [(k, k.low, k.high) for k in knees if k.low is not None and k.high is not None]
        assert len(intervals) == bounded
        inside = [low <= k.capacity <= high for own, low, high in intervals for k in knees if k is not own]
        assert not bounded or np.mean(inside) > 0.8


def test_the_same_generator_gives_the_same_interval() -> None:
    d = distances(np.random.default_rng(3).zipf(1.3, 5000) % 1000)
    assert knee(d, np.random.default_rng(5)) == knee(d, np.random.default_rng(5))


def test_no_repeats_no_knee() -> None:
    with pytest.raises(HotrowError, match="no row is looked up twice"):
        knee(distances(np.arange(10)), np.random.default_rng(0))
