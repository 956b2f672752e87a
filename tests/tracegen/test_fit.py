"""Fits: projections against their definitions, and noisy popularity made consistent."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hotrow.tracegen.fit import falling, fit_counts, haar_threshold, rounded, simplex, to_total
from hotrow.tracegen.locality import SMALL

NUMBERS = arrays(np.float64, st.integers(1, 12), elements=st.floats(-50, 50))


@settings(max_examples=60, deadline=None)
@given(NUMBERS, st.floats(0.1, 100))
def test_simplex_is_the_nearest_point(values: np.ndarray, total: float) -> None:
    found = simplex(values, total)
    assert found.min() >= 0
    assert np.isclose(found.sum(), total)
    rng = np.random.default_rng(0)
    for other in rng.dirichlet(np.ones(len(values)), 20) * total:
        assert ((found - values) ** 2).sum() <= ((other - values) ** 2).sum() + 1e-6


@settings(max_examples=60, deadline=None)
@given(NUMBERS)
def test_falling_never_rises_keeps_the_sum_and_what_falls_already(values: np.ndarray) -> None:
    found = falling(values)
    assert (np.diff(found) <= 1e-9).all()
    assert np.isclose(found.sum(), values.sum(), atol=1e-6)
    assert np.allclose(falling(found), found)


@settings(max_examples=40, deadline=None)
@given(arrays(np.float64, st.integers(1, 30), elements=st.floats(0, 50)))
def test_rounding_keeps_the_total(values: np.ndarray) -> None:
    assert rounded(values).sum() == round(float(np.cumsum(values)[-1]))
    assert (rounded(values) >= 0).all()


def popularity(counts: np.ndarray, length: int) -> np.ndarray:
    small = np.bincount(np.minimum(counts, SMALL + 1), minlength=SMALL + 2)[1:]
    excess = np.zeros(length // (SMALL + 1) + 1, np.int64)
    above = np.sort(counts[counts > SMALL + 1])[::-1] - (SMALL + 1)
    excess[: len(above)] = above
    return np.concatenate((small, excess))


def test_exact_popularity_comes_back_and_noisy_popularity_is_near() -> None:
    rng = np.random.default_rng(1)
    counts = np.sort(np.concatenate((rng.geometric(0.1, 5000), rng.integers(100, 5000, 60))))[::-1]
    total = int(counts.sum())
    exact = fit_counts(popularity(counts, total), len(counts), total, 10**6, 0.0)
    assert np.array_equal(exact, counts)
    noisy = popularity(counts, total) + np.round(rng.laplace(0, 10, len(popularity(counts, total)))).astype(np.int64)
    found = fit_counts(noisy, len(counts) + 15, total, 10**6, 14.0)
    assert found.sum() == total
    assert found.min() >= 1
    size = max(len(found), len(counts))
    a, b = (np.cumsum(np.pad(c, (0, size - len(c)))) / total for c in (counts, found))
    assert np.abs(a - b).max() < 0.01


def test_pure_noise_is_still_a_popularity() -> None:
    rng = np.random.default_rng(2)
    for distinct in (-40, 0, 3, 10**6):
        found = fit_counts(rng.integers(-80, 80, 200), distinct, 500, 400, 60.0)
        assert found.sum() == 500
        assert 1 <= len(found) <= 400
    assert to_total(np.array([5.0]), 9, 4).sum() == 9


def test_two_humps_of_popularity_come_back_through_noise() -> None:
    rng = np.random.default_rng(3)
    counts = np.sort(np.concatenate((np.full(6000, 1), rng.poisson(20, 9000) + 1)))[::-1]  # a tail beside a loop
    total = int(counts.sum())
    noisy = popularity(counts, total) + np.round(rng.laplace(0, 10, len(popularity(counts, total)))).astype(np.int64)
    found = fit_counts(noisy, len(counts), total, 10**6, 14.0)
    size = max(len(found), len(counts))
    a, b = (np.cumsum(np.pad(c, (0, size - len(c)))) / total for c in (counts, found))
    assert np.abs(a - b).max() < 0.005


def test_haar_thresholding_keeps_steps_and_drops_noise() -> None:
    rng = np.random.default_rng(4)
    noise = rng.laplace(0, 1, 100)
    assert np.ptp(haar_threshold(noise, 1.42)) < 2
    step = np.repeat([0.0, 60.0], 50)
    assert np.abs(haar_threshold(step + noise, 1.42) - step).mean() < 1.5
    assert np.allclose(haar_threshold(step + noise, 0.0), step + noise)
