"""Random lookups: the right distribution, bags of the size that was asked for, and nothing depends on the batch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow import HotrowError
from hotrow.models.config import ModelConfig, TableConfig
from hotrow.models.data.distributions import (
    Gaussian,
    Law,
    Pooling,
    Uniform,
    Zipf,
    bag_sizes,
    fill_rows,
    stream_key,
    uniform_floats,
)
from hotrow.models.data.random_source import RandomSource


def draw(distribution: object, rows: int, n: int, key: int = 3) -> np.ndarray:
    out = np.empty(n, np.int32)
    fill_rows(out, Law.of(distribution, rows, "t"), key, 0, np.ones(n, np.int64))  # type: ignore[arg-type]
    return out


def furthest(ids: np.ndarray, expected: np.ndarray) -> float:
    """Largest deviation of a count from its expectation, in standard deviations."""
    counts = np.bincount(ids, minlength=len(expected))
    deviations = np.sqrt(len(ids) * expected * (1 - expected)) + 1e-9
    return float((np.abs(counts - len(ids) * expected) / deviations).max())


def test_uniform_rows_have_the_same_chance_the_first_and_the_last_too() -> None:
    assert furthest(draw(Uniform(), 7, 20_000), np.full(7, 1 / 7)) < 4
    ids = draw(Uniform(3, 5), 9, 3000)
    assert set(ids.tolist()) == {3, 4, 5}


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, 1.05, 2.5])
def test_zipf(exponent: float) -> None:
    rows = 12
    law = Law.of(Zipf(exponent), rows, "t")
    chances = np.arange(1, rows + 1.0) ** -exponent
    place = np.arange(rows) * law.stride % rows
    assert sorted(place) == list(range(rows))
    expected = np.empty(rows)
    expected[place] = chances / chances.sum()
    assert furthest(draw(Zipf(exponent), rows, 20_000), expected) < 4.5


def test_gaussian() -> None:
    ids = draw(Gaussian(), 1000, 20_000)
    assert abs(ids.mean() - 499.5) < 5
    assert abs(ids.std() - 999 / 6) < 3
    given_mean = draw(Gaussian(30, 4, 0, 99), 100, 20_000)
    assert abs(given_mean.mean() - 30) < 0.15
    assert abs(given_mean.std() - 4) < 0.1
    outside = draw(Gaussian(200, 1, 5, 9), 100, 10)
    assert set(outside.tolist()) == {9}


def test_floats_are_uniform_and_below_one() -> None:
    floats = uniform_floats(stream_key(1), np.arange(5000), 4)
    assert floats.dtype == np.float32
    assert 0 <= floats.min() < floats.max() < 1
    counts = np.histogram(floats, 10, (0, 1))[0]
    assert np.abs(counts - 2000).max() < 4.5 * np.sqrt(2000 * 0.9)
    assert abs(np.corrcoef(floats.T)[0, 1]) < 0.07


def test_fixed_pooling_is_fixed_and_varying_pooling_is_uniform() -> None:
    assert set(bag_sizes(1, 0, 500, Pooling(9)).tolist()) == {9}
    sizes = bag_sizes(1, 0, 20_000, Pooling(5, True))
    assert furthest(sizes, np.array([0, 0.2, 0.2, 0.2, 0.2, 0.2])) < 4
    assert Pooling(5, True).mean == 3


CONFIG = ModelConfig(
    "m", 3, (4,), (1,), "dot", (TableConfig("a", 7, 4), TableConfig("b", 40, 4), TableConfig("c", 1, 4))
)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 25), st.integers(1, 30), st.sampled_from([Uniform(), Gaussian(), Zipf(1.2)]), st.booleans())
def test_a_sample_does_not_depend_on_its_batch(samples: int, size: int, law: object, varies: bool) -> None:
    poolings = (Pooling(), Pooling(6, varies), Pooling(2))
    cut = RandomSource(CONFIG, samples, size, 5, poolings, law)  # type: ignore[arg-type]
    whole = RandomSource(CONFIG, samples, samples, 5, poolings, law).batch(3, 0)  # type: ignore[arg-type]
    parts = [cut.batch(0, k) for k in range(-(-samples // size))]
    np.testing.assert_array_equal(np.concatenate([b.dense for b in parts]), whole.dense)
    np.testing.assert_array_equal(np.concatenate([b.label for b in parts]), whole.label)
    for t in range(3):
        assert whole.indices[t].dtype == whole.offsets[t].dtype
        np.testing.assert_array_equal(np.concatenate([b.indices[t] for b in parts]), whole.indices[t])
        sizes = np.concatenate([np.diff(b.offsets[t]) for b in parts])
        np.testing.assert_array_equal(sizes, np.diff(whole.offsets[t]))
        assert int(whole.offsets[t][-1]) == len(whole.indices[t])
    trace = cut.trace()
    assert trace.samples == samples
    np.testing.assert_array_equal(trace.tables[1].indices, whole.indices[1])


def test_seeds_and_tables_differ() -> None:
    wide = ModelConfig("m", 3, (4,), (1,), "dot", (TableConfig("a", 10**6, 4), TableConfig("b", 10**6, 4)))
    one, other = (RandomSource(wide, 50, 50, seed, (Pooling(), Pooling())).batch(0, 0) for seed in (1, 2))
    assert not set(one.indices[0].tolist()) & set(one.indices[1].tolist())
    assert not set(one.indices[0].tolist()) & set(other.indices[0].tolist())
    assert one.indices[0].dtype.itemsize == 4


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: Law.of(Uniform(5, 2), 9, "t"), "table 't': rows from 5 to 2"),
        (lambda: Law.of(Uniform(12), 9, "t"), "it has 9 rows"),
        (lambda: Law.of(Zipf(-1), 9, "t"), "Zipf exponent -1"),
        (lambda: Law.of(Gaussian(deviation=-1), 9, "t"), "deviation -1"),
        (lambda: Pooling(0), "0 lookups per bag"),
        (lambda: RandomSource(CONFIG, 0, 1, 0, (Pooling(),) * 3), "samples 0"),
        (lambda: RandomSource(CONFIG, 1, 1, 0, (Pooling(),)), "bag sizes of 1 tables"),
    ],
)
def test_what_is_refused(make: object, rule: str) -> None:
    assert callable(make)
    with pytest.raises(HotrowError, match=rule):
        make()


def test_no_batch_beyond_the_last() -> None:
    with pytest.raises(IndexError, match="batch 3 of 3"):
        RandomSource(CONFIG, 5, 2, 0, (Pooling(),) * 3).batch(0, 3)
