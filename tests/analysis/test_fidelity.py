"""Errors between streams, against definitions."""

import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.analysis.fidelity import (
    FIELDS,
    batch_distinct,
    cache_sizes,
    drift_profile,
    fidelity,
    popularity_distance,
    reuse_times,
)


def test_a_trace_is_like_itself_and_like_itself_renumbered() -> None:
    ids = np.random.default_rng(0).geometric(0.01, 5000)
    renumbered = np.random.default_rng(1).permutation(5000)[ids]
    for other in (ids, renumbered):
        errors = fidelity(ids, other, threads=1)
        assert {f: getattr(errors, f) for f in FIELDS if f != "set_associative"} == pytest.approx(
            dict.fromkeys((f for f in FIELDS if f != "set_associative"), 0.0)
        )
        assert errors.set_associative < 0.02  # other numbers, other sets


def test_each_error_sees_its_difference() -> None:
    rng = np.random.default_rng(0)
    ids = np.sort(rng.integers(0, 500, 20_000))
    errors = fidelity(ids, rng.permutation(ids), threads=1)
    assert errors.popularity == 0
    for field in ("lru", "fifo", "lfu", "clock", "s3_fifo", "reuse_time", "new_rows", "batch_distinct", "drift"):
        assert getattr(errors, field) > 0.05, field


def test_definitions() -> None:
    assert reuse_times(np.array([0, 1, 0, 0, 1])).tolist() == [0, 0, 2, 1, 3]
    assert batch_distinct(np.array([0, 0, 1, 2, 3, 3, 9]), 3) == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert popularity_distance(np.array([3, 1]), np.array([2, 2])) == pytest.approx(0.25)
    assert drift_profile(np.arange(100) // 10, 10).tolist() == [0.0] * 9
    assert cache_sizes(1).tolist() == [1]
    assert cache_sizes(10_000)[[0, -1]].tolist() == [10, 10_000]


def test_tiny_streams_have_no_numbers_where_a_policy_is_not_defined() -> None:
    errors = fidelity(np.array([1, 2, 1]), np.array([1, 1, 2]), threads=1)
    assert np.isnan(errors.s3_fifo)
    assert np.isnan(errors.set_associative)
    with pytest.raises(HotrowError, match="nothing to compare"):
        fidelity(np.array([], np.int64), np.array([1]))
