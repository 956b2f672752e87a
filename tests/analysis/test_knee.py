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
    assert (found.low, found.capacity, found.high) == (500, 500, 500)
    assert found.miss_ratio == pytest.approx(1 / 40)


def test_a_hot_set_under_a_cold_stream_is_the_knee() -> None:
    rng = np.random.default_rng(1)
    hot = rng.integers(0, 50, 40_000)
    ids = np.where(rng.random(40_000) < 0.8, hot, 50 + rng.integers(0, 100_000, 40_000))
    found = knee(distances(ids), rng)
    assert 50 <= found.low <= found.capacity <= found.high <= 1000
    assert found.depth > 0.2


def test_a_knee_that_only_a_part_of_the_trace_has_is_uncertain() -> None:
    ids = np.concatenate((np.tile(np.arange(20), 500), np.tile(np.arange(20, 4020), 3)))
    found = knee(distances(ids), np.random.default_rng(0))
    assert found.high > 10 * found.low


def test_the_same_generator_gives_the_same_interval() -> None:
    d = distances(np.random.default_rng(3).zipf(1.3, 5000) % 1000)
    assert knee(d, np.random.default_rng(5)) == knee(d, np.random.default_rng(5))


def test_no_repeats_no_knee() -> None:
    with pytest.raises(HotrowError, match="no row is looked up twice"):
        knee(distances(np.arange(10)), np.random.default_rng(0))
