"""Sampled curves against exact ones."""

import numba
import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.analysis.miss_ratio import lru_curve
from hotrow.analysis.sampling import CurveBand, ShardsStream, sampled_curve

compiled = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="minutes in the interpreter")
CAPACITIES = np.array([0, 1, 30, 100, 300, 1000, 2500, 5000])


def skewed(accesses: int, rows: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    weights = np.arange(1, rows + 1) ** -0.8
    return rng.permutation(rows)[rng.choice(rows, accesses, p=weights / weights.sum())]


def same(a: CurveBand, b: CurveBand) -> bool:
    return all(np.array_equal(x, y) for x, y in ((a.low, b.low), (a.middle, b.middle), (a.high, b.high)))


def test_sample_of_everything_is_the_exact_curve() -> None:
    ids = skewed(3000, 500)
    exact = lru_curve(ids).miss_ratio(CAPACITIES)
    for band in (
        sampled_curve(ids, CAPACITIES, rate=1.0, samples=1),
        sampled_curve(ids, CAPACITIES, rows=500, samples=1),
    ):
        np.testing.assert_allclose(band.middle, exact, atol=1e-12)
        np.testing.assert_array_equal(band.low, band.high)


@compiled
@pytest.mark.parametrize("how", [{"rate": 0.1}, {"rows": 400}])
@pytest.mark.parametrize("uniform", [False, True])
def test_exact_curve_lies_in_the_band(how: dict[str, float], uniform: bool) -> None:
    ids = np.random.default_rng(4).integers(0, 5000, 60_000) if uniform else skewed(60_000, 5000)
    exact = lru_curve(ids).miss_ratio(CAPACITIES)
    band = sampled_curve(ids, CAPACITIES, **how)  # type: ignore[arg-type]
    assert ((band.low - 1e-9 <= exact) & (exact <= band.high + 1e-9)).all()
    assert np.abs(band.middle - exact)[CAPACITIES >= 30].max() < 0.04
    assert (np.diff(band.middle) <= 1e-12).all()


@compiled
@pytest.mark.parametrize("how", [{"rate": 0.1}, {"rows": 100}])
def test_chunks_give_the_same_band(how: dict[str, float]) -> None:
    ids = skewed(200_000, 3000)
    stream = ShardsStream(**how)  # type: ignore[arg-type]
    for start in range(0, len(ids), 1 << 16):
        stream.feed(ids[start : start + (1 << 16)])
    assert same(stream.band(CAPACITIES), sampled_curve(ids, CAPACITIES, **how))  # type: ignore[arg-type]


def test_chunks_of_any_size_give_the_same_band_at_a_fixed_rate() -> None:
    ids = skewed(5000, 900)
    stream = ShardsStream(rate=0.125)
    for part in np.array_split(ids, 7):
        stream.feed(part)
    assert same(stream.band(CAPACITIES), sampled_curve(ids, CAPACITIES, rate=0.125))


@compiled
def test_sample_keeps_to_its_size() -> None:
    stream = ShardsStream(rows=50, samples=2)
    for chunk in range(5):
        stream.feed(np.arange(chunk * 40_000, (chunk + 1) * 40_000))
        assert all(sample.stack.distinct <= 50 for sample in stream._samples)
    np.testing.assert_allclose(stream.band([10, 10**7]).middle, 1.0, atol=0.05)


@compiled
def test_seeds_differ_and_repeat() -> None:
    ids = skewed(20_000, 3000)
    one, again, other = (sampled_curve(ids, CAPACITIES, rate=0.05, seed=seed) for seed in (1, 1, 2))
    assert same(one, again)
    assert not same(one, other)


@compiled
def test_ids_of_63_bits() -> None:
    ids = skewed(20_000, 2000)
    scattered = (ids.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(1)
    exact = lru_curve(ids).miss_ratio(CAPACITIES)
    band = sampled_curve(scattered, CAPACITIES, rate=0.125)
    assert np.abs(band.middle - exact)[CAPACITIES >= 30].max() < 0.06


def test_no_access_and_one() -> None:
    assert np.isnan(sampled_curve([], [0, 5], rate=0.1).middle).all()
    band = sampled_curve([7], [0, 1], rows=10)
    assert band.middle[0] == 1


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({}, "either a rate or a number"),
        ({"rate": 0.1, "rows": 5}, "either a rate or a number"),
        ({"rate": 0.2}, "at most 0.125"),
        ({"rate": 0.0}, "above 0"),
        ({"rows": 0}, "at least 1"),
        ({"rate": 0.1, "samples": 0}, "0 samples"),
    ],
)
def test_bad_settings_are_refused(how: dict[str, float], said: str) -> None:
    with pytest.raises(HotrowError, match=said):
        ShardsStream(**how)  # type: ignore[arg-type]
