"""Bags: counted as by hand, rearranged without losing a lookup, and nearer to what was counted."""

import numpy as np
import pytest

from hotrow.tracegen.samples.bags import bag_contents, composed, in_succession, size_steps
from hotrow.tracegen.samples.coupling import Column
from hotrow.tracegen.samples.levels import grades


def cold_and_first(numbers: np.ndarray, sizes: np.ndarray, most: int, limit: int) -> np.ndarray:
    """Per bag: lookups after more than `limit` slots or never before, and those never before; by a dictionary."""
    last: dict[int, int] = {}
    out = np.zeros((2, len(sizes)), np.int64)
    at = 0
    for s, size in enumerate(sizes):
        for place in range(size):
            slot, row = s * most + place, int(numbers[at])
            if row not in last or slot - last[row] > limit:
                out[0, s] += 1
                out[1, s] += row not in last
            last[row] = slot
            at += 1
    return out


@pytest.mark.parametrize("seed", [1, 2])
def test_contents_are_those_of_a_dictionary(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(0, 6, 200)
    numbers = rng.integers(0, 40, sizes.sum())
    slots = np.concatenate([s * 5 + np.arange(n) for s, n in enumerate(sizes)])
    found = bag_contents(Column(numbers, slots, 40, 200, 5), 25)
    law = grades(3, 5, True)
    expected = np.bincount(law.of(np.vstack((sizes, cold_and_first(numbers, sizes, 5, 25)))), minlength=law.cells)
    assert np.array_equal(found, expected)


def test_sizes_follow_each_other_as_counted_and_none_is_lost() -> None:
    rng = np.random.default_rng(3)
    sizes = np.repeat(rng.integers(0, 9, 400), 5)  # runs of five
    steps = size_steps(sizes, 8)
    assert steps.sum() == len(sizes) - 1
    made = in_succession(sizes, steps, 0.0, 8, rng)
    assert np.array_equal(np.sort(made), np.sort(sizes))
    real = np.corrcoef(sizes[1:], sizes[:-1])[0, 1]
    assert abs(np.corrcoef(made[1:], made[:-1])[0, 1] - real) < 0.15


def test_cold_lookups_stand_together_where_they_did() -> None:
    rng = np.random.default_rng(4)
    samples, size, most = 3000, 6, 6
    cold = rng.random(samples) < 0.4  # bags all of new rows, or all of old ones
    new = np.cumsum(np.repeat(cold, size)) + 100
    real = np.where(np.repeat(cold, size), new, rng.integers(0, 20, samples * size))
    slots = np.arange(samples * size)
    rows = int(real.max()) + 1
    limit = 200
    counted = bag_contents(Column(real, slots, rows, samples, most), limit)
    shuffled = np.concatenate([rng.permutation(part) for part in np.split(real, 60)])
    sizes = np.full(samples, size)
    made = composed(shuffled, sizes, rows, most, limit, counted, 0.0, rng)
    assert np.array_equal(np.sort(made), np.sort(real))
    whole, before, after = (
        np.isin(cold_and_first(x, sizes, most, limit)[0], (0, size)).mean() for x in (real, shuffled, made)
    )
    assert whole > 0.95
    assert before < 0.2
    assert after > 0.7


def test_noise_that_drowns_everything_changes_nothing() -> None:
    rng = np.random.default_rng(5)
    sizes = np.full(50, 3)
    numbers = rng.integers(0, 9, 150)
    noisy = np.round(rng.normal(0, 1000, grades(3, 3, True).cells)).astype(np.int64)
    assert np.array_equal(composed(numbers, sizes, 9, 3, 10, noisy, 1000.0, rng), numbers)
