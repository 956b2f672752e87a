"""Fits on made curves: plateaus, edges and costs come back as they were put in."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow.profiling.calibration.fits import (
    cost,
    crossing,
    effective_sizes,
    level_bandwidths,
    level_latencies,
    plateau,
)

SIZES = np.array([2.0**k for k in range(14, 29)])


def stairs(edges: tuple[float, ...], heights: tuple[float, ...]) -> np.ndarray:
    return np.array([heights[sum(size > edge for edge in edges)] for size in SIZES])


def test_levels_of_a_made_machine() -> None:
    edges, heights = (2.0**15, 2.0**20, 2.0**23), (1.0, 4.0, 12.0, 100.0)
    values = stairs(edges, heights)
    reported = (2.0**15, 2.0**20, 2.0**25)  # the third is told four times too large
    assert level_latencies(SIZES, values, reported) == heights
    found = effective_sizes(SIZES, values, heights)
    for edge, size in zip(edges, found, strict=True):
        assert size is not None
        assert edge <= size <= 2 * edge


def test_a_level_sends_as_much_as_its_best_working_set() -> None:
    sent = stairs((2.0**15, 2.0**20, 2.0**23), (200.0, 100.0, 60.0, 10.0))
    assert level_bandwidths(SIZES, sent, (2.0**15, 2.0**20, 2.0**25)) == (200.0, 100.0, 60.0)
    assert level_bandwidths(SIZES[:3], sent[:3], (2.0**15, 2.0**25)) == (200.0, 100.0)
    assert level_bandwidths(SIZES[:1], sent[:1], (2.0**15, 2.0**25)) == (200.0, None)


def test_what_is_not_there_is_none() -> None:
    flat = np.ones(len(SIZES))
    assert level_latencies(SIZES[:3], flat[:3], (2.0**15, 2.0**25)) is None
    assert effective_sizes(SIZES, flat, (1.0, 1.0)) == (None,)
    assert crossing(SIZES, flat, 2.0) is None
    assert crossing(SIZES, flat, 0.5) is None
    assert plateau(SIZES, flat, 0, 1) is None


@given(st.floats(1e-7, 1e-4), st.floats(1e-10, 1e-7))
@settings(max_examples=30, deadline=None)
def test_costs_come_back(call: float, item: float) -> None:
    counts = np.array([1.0, 16, 256, 4096, 65536])
    assert cost(counts, call + item * counts) == pytest.approx((call, item), rel=1e-3)


def test_costs_are_not_negative() -> None:
    counts = np.array([1.0, 10, 100])
    assert cost(counts, np.array([1e-6, 0.9e-6, 0.8e-6]))[1] >= 0
