"""Repeating: brought near what is asked in either direction, and nothing lost or made."""

import numpy as np
import pytest

from hotrow.tracegen.samples.kin import repeat_table, repeats
from hotrow.tracegen.samples.repeating import repeats_asked, with_repeats


def bags_of(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, sizes, and the bag of every lookup."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(0, 8, 2000)
    numbers = np.minimum(rng.geometric(0.03, int(sizes.sum())) - 1, 199)
    return numbers, sizes, np.repeat(np.arange(2000), sizes)


@pytest.mark.parametrize("factor", [0.0, 0.4, 1.6])
def test_repeats_come_near_what_is_asked_and_nothing_is_lost(factor: float) -> None:
    numbers, sizes, bags = bags_of(1)
    now = repeats(numbers, bags, 200).sum()
    hot = np.zeros(len(numbers), np.uint8)
    made = with_repeats(numbers, sizes, 200, hot, factor * now, np.random.default_rng(2))
    assert np.array_equal(np.sort(made), np.sort(numbers))
    assert abs(repeats(made, bags, 200).sum() - factor * now) < 0.15 * now


def test_first_lookups_stay_where_they_are() -> None:
    numbers, sizes, _ = bags_of(3)
    passed = np.random.default_rng(1).integers(0, 3, len(numbers)).astype(np.uint8)
    for asked in (0.0, 1e9):
        made = with_repeats(numbers, sizes, 200, passed, asked, np.random.default_rng(2))
        assert np.array_equal(made[passed == 2], numbers[passed == 2])


def test_what_is_asked_is_the_released_total_unless_noise_drowns_it() -> None:
    numbers, sizes, bags = bags_of(4)
    slots = np.concatenate([s * 8 + np.arange(n) for s, n in enumerate(sizes)]).astype(np.int64)
    table = repeat_table(numbers, slots, 2000, 8, 200)
    assert repeats_asked(table, 0.0, 2000, 8) == pytest.approx(repeats(numbers, bags, 200).sum())
    assert repeats_asked(table, 5000.0, 2000, 8) is None


def test_no_lookups_no_exchange() -> None:
    none = np.zeros(0, np.int64)
    assert len(with_repeats(none, none, 0, none.astype(np.uint8), 3.0, np.random.default_rng(0))) == 0
