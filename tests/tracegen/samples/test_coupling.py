"""Coupling: levels by a dictionary, lookups that stay in their table and window, and joint misses brought back."""

import msgspec
import numpy as np
import pytest

from hotrow.analysis.recommendation.log_fidelity import log_fidelity
from hotrow.tracegen.generate import generate
from hotrow.tracegen.profile import characterize
from hotrow.tracegen.samples.choice import choose_coupling
from hotrow.tracegen.samples.coupling import WINDOW, Column, column_of, lift_of, running_grades
from hotrow.tracegen.samples.levels import above, grades, thresholds
from hotrow.tracegen.samples.pairing import pair
from hotrow.tracegen.scenarios import zipf
from hotrow.tracegen.trace import TableLookups, Trace


def test_levels_are_those_of_a_dictionary() -> None:
    rng = np.random.default_rng(1)
    numbers, limits = rng.integers(0, 15, 300), np.array([3, 20])
    slots = np.sort(rng.choice(900, 300, replace=False))
    last: dict[int, int] = {}
    for row, slot, passed in zip(numbers.tolist(), slots.tolist(), above(numbers, slots, 15, limits), strict=True):
        expected = 3 if row not in last else int((slot - last[row] > limits).sum())
        assert passed == expected
        last[row] = slot


@pytest.mark.parametrize(("levels", "most", "fine"), [(1, 1, False), (3, 7, True), (2, 40, True), (3, 9, False)])
def test_grades_number_falling_counts(levels: int, most: int, fine: bool) -> None:
    law = grades(levels, most, fine)
    rng = np.random.default_rng(0)
    counts = -np.sort(-rng.integers(0, most + 1, (levels, 500)), axis=0)
    numbers = law.of(counts)
    assert numbers.min() >= 0
    assert numbers.max() < law.cells
    assert (law.least()[:, numbers] <= counts).all()
    assert np.array_equal(law.of(law.least()), np.arange(law.cells))


def test_thresholds_rise_with_the_cache() -> None:
    edges = np.array([1, 2, 4, 8, 16, 32, 64])
    found = thresholds(np.array([5, 5, 10, 30, 20, 5]), 20, edges, (0.05, 0.3, 0.9))
    assert (np.diff(found) >= 0).all()
    assert found[0] >= 1


def test_pairing_keeps_every_unit_within_the_window() -> None:
    rng = np.random.default_rng(2)
    state, classes = rng.integers(0, 3, 2000), rng.integers(0, 4, 2000)
    lift = rng.random((3, 4)) * 5
    places = pair(state, classes, lift, 16, rng)
    assert np.array_equal(np.sort(places), np.arange(2000))
    assert np.abs(places - np.arange(2000)).max() <= 17


def test_pairing_brings_classes_to_their_states() -> None:
    rng = np.random.default_rng(3)
    state, classes = rng.integers(0, 2, 20_000), rng.integers(0, 2, 20_000)
    joint = np.array([[9000, 1000], [1000, 9000]])
    places = pair(state, classes, lift_of(joint, 0.0), 32, rng)
    assert (classes[places] == state).mean() == pytest.approx(0.9, abs=0.03)
    flat = lift_of(np.round(rng.normal(0, 5000, (2, 2))).astype(np.int64), 5000.0)
    assert np.abs(flat - 1).max() < 0.9


def test_moving_bags_moves_them_whole() -> None:
    sizes = np.array([2, 0, 1, 3])
    column = column_of(np.array([1, 2, 3, 4, 5, 6]), sizes, 9, 3)
    moved = column.moved(np.array([3, 0, 2, 1]))
    assert moved.numbers.tolist() == [4, 5, 6, 1, 2, 3]
    assert moved.sizes().tolist() == [3, 2, 1, 0]
    assert isinstance(moved, Column)


def test_running_states_count_what_came_before() -> None:
    every = running_grades([1, 1, 8], 2)
    assert [state.edges[-1] for state, _ in every] == [1, 2]
    assert [own.edges[-1] for _, own in every] == [1, 8]
    assert WINDOW < 64  # lookups stay near their place


def test_a_log_that_misses_together_does_so_again() -> None:
    users = zipf(20_000, 1, 8_000, 0.6)
    other = np.random.default_rng(0).permutation(users.max() + 1)[users]
    real = Trace((TableLookups("user", 8000, users), TableLookups("twin", 8000, other)))
    profile = choose_coupling(characterize(real))
    assert profile.coupling is not None
    assert profile.coupling.claims is not None
    assert profile.coupling.used
    off = msgspec.structs.replace(profile, coupling=None)
    errors = [log_fidelity(real, generate(p, seed=2)).miss_distance for p in (off, profile)]
    assert errors[1] < 0.7 * errors[0]
