"""Coupling: levels by a dictionary, lookups that stay in their table and window, and joint misses brought back."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow.analysis.recommendation.log_fidelity import log_fidelity
from hotrow.tracegen.generate import generate
from hotrow.tracegen.packed import Packed
from hotrow.tracegen.profile import characterize
from hotrow.tracegen.samples.choice import choose_coupling
from hotrow.tracegen.samples.coupling import (
    WINDOW,
    Column,
    Coupling,
    column_of,
    couple,
    joint_counts,
    law_of,
    running_grades,
)
from hotrow.tracegen.samples.levels import above, grades, thresholds
from hotrow.tracegen.samples.made_logs import groceries
from hotrow.tracegen.samples.pairing import pair, runs, single
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
    places = pair(state, single(classes), rng.dirichlet(np.ones(4), 3), 16, 1.0, rng)
    assert np.array_equal(np.sort(places), np.arange(2000))
    assert np.abs(places - np.arange(2000)).max() <= 34  # units that are due at once wait for one another


def test_pairing_brings_classes_to_their_states() -> None:
    rng = np.random.default_rng(3)
    state, classes = rng.integers(0, 2, 20_000), rng.integers(0, 2, 20_000)
    joint = np.array([[9000, 1000], [1000, 9000]])
    found = [np.bincount(state), np.bincount(classes)]
    for noise, least in ((0.0, 0.88), (100.0, 0.85)):
        places = pair(state, single(classes), law_of(joint, noise, *found), 32, 1.0, rng)
        assert (classes[places] == state).mean() > least


def test_a_law_fits_what_there_is_and_trusts_no_noise() -> None:
    rng = np.random.default_rng(4)
    joint, states, classes = (
        np.array([[50, 0, 10], [0, 0, 0], [5, 30, 5]]),
        np.array([40, 10, 50]),
        np.array([60, 40, 0]),
    )
    law = law_of(joint, 0.0, states, classes)
    assert law.sum(1) == pytest.approx(np.ones(3))
    assert states @ law == pytest.approx(classes, abs=1e-3)
    assert law[0, 0] > law[2, 0]
    flat = law_of(np.round(rng.normal(0, 5000, (2, 2))).astype(np.int64), 5000.0, np.array([5, 5]), np.array([5, 5]))
    assert np.abs(flat - 0.5).max() < 0.45


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=60))
def test_runs_and_their_gaps_are_those_of_a_dictionary(rows: list[int]) -> None:
    numbers = np.array(rows)
    units = runs(numbers, numbers % 2, 6)
    last: dict[int, tuple[int, int]] = {}  # of every row: its last run, and the sample where that ended
    for u, (first, samples) in enumerate(zip(units.first.tolist(), units.samples.tolist(), strict=True)):
        row = rows[first]
        assert rows[first : first + samples] == [row] * samples
        assert units.classes[u] == row % 2
        if row in last:
            assert units.after[last[row][0]] == u
            assert units.gaps[u] == first - last[row][1]
        else:
            assert units.gaps[u] == 0
        last[row] = (u, first + samples - 1)
    assert all(units.after[u] == -1 for u, _ in last.values())
    assert int(units.samples.sum()) == len(rows)


def test_runs_stay_whole_and_come_again_about_as_soon() -> None:
    rng = np.random.default_rng(5)
    numbers = np.repeat(rng.permutation(np.arange(3000) % 700), rng.geometric(0.5, 3000))
    classes = np.where(np.concatenate(([True], numbers[1:] != numbers[:-1])), 1 + numbers % 2, 0)
    state = rng.permutation(classes)
    joint = np.bincount(classes * 3 + classes, minlength=9).reshape(3, 3)
    law = law_of(joint, 0.0, np.bincount(state), np.bincount(classes))
    units = runs(numbers, classes, 700)
    places = pair(state, units, law, 200, 2.0, rng)
    assert np.array_equal(np.sort(places), np.arange(len(numbers)))
    starts = np.flatnonzero(np.diff(places, prepend=-2) != 1)
    assert set(places[starts].tolist()) <= set(units.first.tolist())  # no run was torn
    assert np.array_equal(
        pair(state, units, law, 200, 2.0, np.random.default_rng(1)),
        pair(state, units, law, 200, 2.0, np.random.default_rng(1)),
    )
    at = np.empty(len(numbers), np.int64)
    at[places] = np.arange(len(numbers))
    again = at[units.first[units.after >= 0]]
    later = at[units.first[units.after[units.after >= 0]]]
    assert (later > again).all()  # of one row, in order
    assert (classes[places] == state).mean() > (classes == state).mean() + 0.2


def test_one_run_and_one_sample_are_paired_too() -> None:
    rng = np.random.default_rng(6)
    law = np.full((1, 2), 0.5)
    for numbers in (np.zeros(1, np.int64), np.zeros(5, np.int64)):
        classes = np.zeros_like(numbers)
        assert pair(classes, runs(numbers, classes, 1), law, 4, 2.0, rng).tolist() == list(range(len(numbers)))


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


def test_baskets_come_together_again_and_stay_whole() -> None:
    real = groceries(20_000, 4, households=500)
    profile = choose_coupling(characterize(real))
    assert profile.coupling is not None
    assert profile.coupling.used
    synthetic = [generate(p, seed=2) for p in (msgspec.structs.replace(profile, coupling=None), profile)]
    errors = [log_fidelity(real, s).miss_distance for s in synthetic]
    assert errors[1] < 0.4 * errors[0]
    repeats = [np.mean(np.diff(s.table("household").indices) == 0) for s in synthetic]
    assert repeats[1] == pytest.approx(repeats[0], abs=0.01)


def test_a_table_of_bags_of_at_most_one_row_has_no_runs() -> None:
    rng = np.random.default_rng(7)
    sizes = (rng.random(3000) < 0.7).astype(np.int64)
    columns = [column_of(np.repeat(np.arange(40), 60)[: sizes.sum()], sizes, 40, 1) for _ in range(2)]
    limits = np.array([[20], [20]])
    joints = joint_counts(columns, limits)
    coupling = Coupling((0, 1), Packed.of(limits), tuple(Packed.of(j) for j in joints), 0.0)
    moved = list(columns)
    couple(moved, coupling, rng)
    assert np.array_equal(np.bincount(moved[1].numbers), np.bincount(columns[1].numbers))
