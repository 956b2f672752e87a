"""Repeating: brought near what is asked in either direction, and nothing lost or made; an audit of what is released."""

import dataclasses

import numpy as np
import pytest

from hotrow.tests.tracegen.auditing import proven_epsilon
from hotrow.tracegen import release
from hotrow.tracegen.clock import Clock, place
from hotrow.tracegen.measure import Measuring
from hotrow.tracegen.privacy import Ledger, PrivacyBudget
from hotrow.tracegen.samples.kin import repeat_table, repeats
from hotrow.tracegen.samples.repeating import repeats_asked, with_repeats
from hotrow.tracegen.trace import TableLookups


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


# ---------------------------------------------------------------- audit


EPSILON = 1.0
AT_ONCE = 100
CLOCK = Clock("t", 40, 4, False)
USER = (7, 20)  # two samples that look up one row each, four times


def neighbours(unit: str) -> list[np.ndarray]:
    """Samples by repeats of two logs that differ in a lookup, a sample, or all of a user: the cells that differ."""
    rows = np.arange(160).reshape(40, 4)
    rows[list(USER)] = 0
    gone = {"access": [7 * 4 + 1], "sample": 7 * 4 + np.arange(4), "user": np.add.outer(USER, np.zeros(4, int)) * 4}
    gone["user"] = gone["user"] + np.arange(4)
    stays = ~np.isin(np.arange(160), gone[unit])
    found = []
    for kept in (np.ones(160, bool), stays):
        offsets = np.concatenate(([0], np.cumsum(kept.reshape(40, 4).sum(1))))
        reading = Measuring(CLOCK, 1)
        reading.add(place(TableLookups("t", 160, rows.ravel()[kept], offsets), CLOCK.per_sample))
        found.append(reading.measured().values["repeats"])
    moved = found[0] != found[1]
    return [table[moved] for table in found]


def audited(unit: str, trials: int, times: int = 1) -> float:
    """A lower bound of what `times` releases of the statistic, each worth ε = 1, really spend on a unit.

    Cells get their noise one by one, so a release of the same counts side by side is as many draws.
    """
    budget = PrivacyBudget(EPSILON, unit, samples_per_user=len(USER), lookups_per_sample=CLOCK.per_sample)
    (bounds,) = release.table_bounds([CLOCK], budget, EPSILON)
    both = neighbours(unit)
    scores = []
    for exact in both:
        beside = {"repeats": np.tile(exact, (AT_ONCE, 1))}
        releases = [
            release.add_noise(CLOCK, beside, bounds, Ledger("laplace", EPSILON))["repeats"]
            for _ in range(trials * times // AT_ONCE)
        ]
        seen = np.concatenate(releases).reshape(trials, -1, len(exact))
        far = [np.abs(seen - counts).sum((1, 2)) for counts in both]
        scores.append(far[0] - far[1])
    return proven_epsilon(scores, trials)


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> release.Statistic:
    """The whole budget on repeats, so that a few thousand draws have power."""
    every = tuple(dataclasses.replace(s, share=float(s.name == "repeats")) for s in release.STATISTICS)
    monkeypatch.setattr(release, "STATISTICS", every)
    return next(s for s in every if s.name == "repeats")


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("unit", ["access", "sample", "user"])
def test_the_audit_finds_no_more_than_is_declared_and_has_power(unit: str) -> None:
    moved = np.abs(np.subtract(*neighbours(unit))).sum()
    assert moved == (4 if unit == "user" else 2)  # all that is declared
    spent = audited(unit, trials=20_000)
    assert spent <= EPSILON
    assert spent >= 0.7 * EPSILON  # less would mean that the test could not see a fault


def test_the_audit_fails_where_the_sensitivity_is_halved(
    alone: release.Statistic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release, "STATISTICS", (dataclasses.replace(alone, l1=alone.l1 // 2),))
    assert audited("sample", trials=10_000) > EPSILON


@pytest.mark.usefixtures("alone")
def test_the_audit_fails_where_a_users_samples_count_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    right = release.sensitivity
    monkeypatch.setattr(release, "sensitivity", lambda s, bounds: right(s, dataclasses.replace(bounds, samples=1)))
    assert audited("user", trials=10_000) > EPSILON


@pytest.mark.usefixtures("alone")
def test_the_audit_fails_where_noise_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ledger, "noisy", lambda self, values, *rest: values)
    assert audited("sample", trials=1000) > EPSILON


@pytest.mark.usefixtures("alone")
def test_the_audit_fails_where_repeats_are_released_twice() -> None:
    assert audited("sample", trials=10_000, times=2) > EPSILON  # by ledgers that do not know of each other
