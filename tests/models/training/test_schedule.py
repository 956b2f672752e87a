"""Learning rates: the published policy where it is sound, and no jump anywhere."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow import HotrowError
from hotrow.models.training.schedule import FLOOR, FRESH, Plateau, Schedule


def test_by_hand() -> None:
    schedule = Schedule(1.0, warmup_steps=3, decay_start=6, decay_steps=4)
    rates = [schedule.rate(step) for step in range(12)]
    assert rates == pytest.approx([1 / 3, 2 / 3, 1, 1, 1, 1, 0.5625, 0.25, 0.0625, FLOOR, FLOOR, FLOOR])


def test_the_benchmarks_rates_where_it_does_not_freeze(shared: Path) -> None:
    cases = json.loads((shared / "golden" / "dlrm" / "lr_policy.json").read_text())
    compared = 0
    for case in cases:
        schedule = Schedule(case["base_lr"], case["warmup"], case["decay_start"], case["decay_steps"])
        decay_end = case["decay_start"] + case["decay_steps"]
        for step, rate in enumerate(case.get("lr_used_at_iteration_0_to_16", [])):
            frozen_middle = case["decay_steps"] and case["warmup"] <= step + 1 <= case["decay_start"]
            frozen_end = case["decay_steps"] and step + 1 >= decay_end
            if not frozen_middle and not frozen_end:
                assert schedule.rate(step) == pytest.approx(rate)
                compared += 1
    assert compared > 45


@settings(max_examples=60, deadline=None)
@given(st.floats(1e-3, 10), st.integers(0, 20), st.integers(0, 20), st.integers(0, 20))
def test_up_then_level_then_down_without_a_jump(base: float, warmup: int, level: int, decay: int) -> None:
    schedule = Schedule(base, warmup, warmup + level, decay)
    rates = [schedule.rate(step) for step in range(warmup + level + decay + 5)]
    assert max(rates) <= base * (1 + 1e-12)
    assert rates[:warmup] == sorted(rates[:warmup])
    assert rates[warmup:] == sorted(rates[warmup:], reverse=True)
    largest = max(2 * base / n for n in (warmup or 1, decay or 1))
    assert all(abs(a - b) <= largest for a, b in pairwise(rates))


def test_a_plateau_lowers_the_rate_once_per_patience() -> None:
    plateau, state, scales = Plateau(0.5, patience=1), FRESH, []
    for loss in (1.0, 0.9, 0.95, 0.92, 0.95, 0.93, 0.8):
        state = state.after(loss, plateau)
        scales.append(state.scale)
    assert scales == [1, 1, 1, 0.5, 0.5, 0.25, 0.25]
    assert state.lowest == 0.8


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: Schedule(0.0), "learning rate 0.0"),
        (lambda: Schedule(float("nan")), "learning rate nan"),
        (lambda: Schedule(1.0, -1), "warmup_steps"),
        (lambda: Schedule(1.0, 5, 3, 2), "decays from step 3"),
        (lambda: Plateau(1.0), "factor"),
        (lambda: Plateau(0.5, -1), "patience"),
    ],
)
def test_what_is_refused(make: object, rule: str) -> None:
    assert callable(make)
    with pytest.raises(HotrowError, match=rule):
        make()
