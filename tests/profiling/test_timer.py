"""The timer: what it calls how often, its statistics, and the thread count it gives back."""

import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow import HotrowError
from hotrow.profiling.timer import Timing, bounds, measure, measurement_of, resampled_medians, threads_set, time_step


def test_a_step_is_warmed_up_and_repeated() -> None:
    calls = []

    def step() -> None:
        calls.append(1)
        end = time.perf_counter() + 2e-4
        while time.perf_counter() < end:
            pass

    timing = time_step(step, warm_up=2, seconds=0, least=5, most=9)
    assert len(timing.wall) == 5
    assert len(calls) == 2 + 5
    assert timing.wall.min() >= 2e-4
    assert len(time_step(step, seconds=60, least=3, most=4).wall) == 4


def test_short_steps_are_timed_several_at_once() -> None:
    calls = []
    timing = time_step(lambda: calls.append(1), seconds=0, least=3)
    assert len(calls) > 3 + 3
    assert timing.wall.max() < 1e-4


def test_repeats_without_their_processor_are_left_out() -> None:
    wall = np.array([1.0, 1.0, 1.0, 9.0])
    timing = Timing(wall, np.array([1.0, 0.99, 1.0, 1.0]), threads=1)
    assert timing.clean.tolist() == [True, True, True, False]
    measured = measurement_of("step", timing)
    assert (measured.value, measured.high, measured.n, measured.metadata["contended"]) == (1.0, 1.0, 3, False)

    crowded = Timing(wall, 0.5 * wall, threads=1)
    assert crowded.contended
    assert crowded.clean.all()
    assert measurement_of("step", crowded).metadata["contended"] is True
    assert Timing(wall, 0.5 * wall, threads=2).clean.all()
    assert not Timing(wall, 0.5 * wall, threads=2).contended


@given(st.lists(st.floats(0.1, 10), min_size=3, max_size=30), st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_the_interval_holds_the_median_and_comes_from_the_values(values: list[float], seed: int) -> None:
    array = np.array(values)
    median = float(np.median(array))
    low, high = bounds(resampled_medians(array, np.random.default_rng(seed)), median)
    assert array.min() <= low <= median <= high <= array.max()


def test_the_interval_covers_the_true_median_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(7)
    covered = 0
    for _ in range(200):
        sample = rng.exponential(1.0, 30)
        low, high = bounds(resampled_medians(sample, rng), float(np.median(sample)))
        covered += low <= np.log(2) <= high
    assert 0.88 <= covered / 200 <= 0.99


def test_threads_are_restored() -> None:
    before = torch.get_num_threads()
    with threads_set(before + 1) as used:
        assert used == torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
    with threads_set(None) as used:
        assert used == before
    with pytest.raises(HotrowError, match="0 threads"), threads_set(0):
        pass
    assert measure("nothing", lambda: None, threads=1, seconds=0).metadata["threads"] == 1
    assert torch.get_num_threads() == before


def test_what_the_timer_refuses() -> None:
    with pytest.raises(HotrowError, match="0 warm-up"):
        time_step(lambda: None, warm_up=0)
    with pytest.raises(HotrowError, match="5 to 4 repeats"):
        time_step(lambda: None, least=5, most=4)
