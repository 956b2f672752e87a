"""Sampled curves against exact ones."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow import HotrowError
from hotrow.analysis.miss_ratio import lru_curve
from hotrow.analysis.sampling import CurveBand, ShardsStream, _Sample, sampled_curve

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
@pytest.mark.parametrize("step", [1 << 16, 9973])
@pytest.mark.parametrize("how", [{"rate": 0.1}, {"rows": 100}])
def test_chunks_give_the_same_band(how: dict[str, float], step: int) -> None:
    ids = skewed(200_000, 3000)
    stream = ShardsStream(**how)  # type: ignore[arg-type]
    for start in range(0, len(ids), step):
        stream.feed(ids[start : start + step])
    assert same(stream.band(CAPACITIES), sampled_curve(ids, CAPACITIES, **how))  # type: ignore[arg-type]


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.lists(st.integers(0, 400), max_size=5), st.integers(1, 3), st.integers(0, 5))
def test_chunks_of_any_size_give_the_same_band(rows: int, cuts: list[int], samples: int, seed: int) -> None:
    """Samples that must be made smaller, wherever the stream is cut; and a fixed rate."""
    ids = skewed(400, 200, seed)
    for how in ({"rows": rows}, {"rate": 1 / samples}):
        stream = ShardsStream(**how, samples=samples)  # type: ignore[arg-type]
        for part in np.split(ids, sorted(cuts)):
            stream.feed(part)
        assert same(stream.band(CAPACITIES), sampled_curve(ids, CAPACITIES, **how, samples=samples))  # type: ignore[arg-type]


@pytest.mark.parametrize("rows", [1, 2, 3, 50])
def test_sample_keeps_to_its_size_at_every_access(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    held: list[int] = []
    feed = _Sample.feed

    def watched(sample: _Sample, ids: np.ndarray) -> int:
        fed = feed(sample, ids)
        held.append(sample.stack.distinct)
        return fed

    monkeypatch.setattr(_Sample, "feed", watched)
    stream = ShardsStream(rows=rows, samples=2)
    stream.feed(np.arange(3000))
    assert max(held) == rows
    assert min(sample.stack.distinct for sample in stream._samples) > 0


@compiled
def test_distinct_rows_are_estimated_and_exact_while_all_are_in_a_sample() -> None:
    ids = skewed(60_000, 5000)
    touched = len(np.unique(ids))
    for how, error in (({"rows": 5000}, 0.0), ({"rows": 400}, 0.05), ({"rate": 0.1}, 0.02)):
        stream = ShardsStream(**how)  # type: ignore[arg-type]
        stream.feed(ids)
        assert abs(stream.distinct() / touched - 1) <= error


@compiled
def test_rows_that_never_come_again_are_missed() -> None:
    stream = ShardsStream(rows=1000, samples=2)
    stream.feed(np.arange(200_000))
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
        ({"rows": 2.5}, "2.5 rows of a sample"),
        ({"rate": float("nan")}, "rate nan"),
        ({"rate": 0.1, "samples": 0}, "0 samples"),
        ({"rate": 0.1, "samples": 2.5}, "2.5 samples"),
        ({"rate": 0.1, "seed": -1}, "-1 seed"),
    ],
)
def test_bad_settings_are_refused(how: dict[str, float], said: str) -> None:
    with pytest.raises(HotrowError, match=said):
        ShardsStream(**how)  # type: ignore[arg-type]
