"""What a unit moves of a table that several features share: sensitivities, the budget, and an audit."""

import dataclasses

import numpy as np
import pytest

from hotrow.tests.tracegen.auditing import proven_epsilon
from hotrow.tracegen import release as release_module
from hotrow.tracegen.bounds import Bounds
from hotrow.tracegen.clock import Clock, Feature, Placed
from hotrow.tracegen.measure import OF_CONTENTS, OF_SHARING, Asked, Measuring, Second
from hotrow.tracegen.privacy import Ledger, PrivacyBudget
from hotrow.tracegen.release import STATISTICS, Statistic, add_noise, release, sensitivity, table_bounds
from hotrow.tracegen.scale.log import Log
from hotrow.tracegen.trace import TableLookups, Trace

FEATURES = (Feature("a", 1, True, 0), Feature("b", 2, False, 1), Feature("c", 3, False, 2))
SLOTS = 6
SHARED = [s for s in STATISTICS if s.name not in OF_CONTENTS]
BUDGETS = {
    "access": PrivacyBudget(1.0, "access"),
    "sample": PrivacyBudget(1.0, "sample"),
    "user": PrivacyBudget(1.0, "user", samples_per_user=2),
}


def shared_clock(samples: int) -> Clock:
    return Clock("a+b+c", samples, SLOTS, False, FEATURES)


def statistics(rows: np.ndarray, hot: np.ndarray) -> dict[str, np.ndarray]:
    """Every statistic of slots [samples, SLOTS], −1 empty; hot buckets are judged by what was released before."""
    slots = np.flatnonzero(rows.ravel() >= 0)
    placed = Placed(rows.ravel()[slots], slots, 0, len(rows), 60)
    reading = Measuring(shared_clock(len(rows)), 5)
    reading.add(placed)
    seen = reading.measured()
    again = Second(seen, Asked(hot, 4, np.zeros(0, np.int64)))
    again.add(placed)
    return {**seen.values, **again.values()}


def some_slots(rng: np.random.Generator, trial: int) -> np.ndarray:
    samples = int(rng.integers(2, 60 if trial % 5 == 0 else 14))
    ids = rng.geometric(0.5 if trial % 2 else 0.1, (samples, SLOTS)) - 1
    if trial % 3 == 0:
        ids = rng.integers(0, 4, (samples, SLOTS))
    return np.where(rng.random((samples, SLOTS)) < rng.choice([0.1, 0.5]), -1, np.minimum(ids, 59))


def emptied(rng: np.random.Generator, rows: np.ndarray, unit: str) -> np.ndarray:
    other = rows.copy()
    if unit == "access":
        other.ravel()[rng.choice(np.flatnonzero(rows.ravel() >= 0), 1)] = -1
    else:
        other[rng.choice(len(rows), 1 if unit == "sample" else 2, replace=False)] = -1
    return other


@pytest.mark.parametrize("unit", ["access", "sample", "user"])
def test_a_unit_moves_no_statistic_of_a_shared_table_further_than_declared(unit: str) -> None:
    rng = np.random.default_rng(5)
    worst = {s.name: [0.0, 0.0] for s in SHARED}
    for trial in range(1000):
        rows = some_slots(rng, trial)
        if not (rows >= 0).any():
            continue
        hot = rng.choice(60, 10, replace=False)
        a, b = (statistics(x, hot) for x in (rows, emptied(rng, rows, unit)))
        assert set(a) == {s.name for s in SHARED}
        for name, reach in worst.items():
            change = (a[name] - b[name]).astype(np.float64).ravel()
            reach[0], reach[1] = max(reach[0], np.abs(change).sum()), max(reach[1], (change**2).sum())
    bounds = table_bounds([shared_clock(9)], BUDGETS[unit], 1.0)[0]
    for statistic in SHARED:
        declared = sensitivity(statistic, bounds)
        assert worst[statistic.name][0] <= declared[0], statistic.name
        assert worst[statistic.name][1] <= declared[1], statistic.name
        if unit == "access" or statistic.of_samples:  # the bounds are met, so that a smaller one would be seen as wrong
            assert worst[statistic.name][0] == declared[0], statistic.name


def test_a_units_bounds_are_the_sums_of_its_features() -> None:
    clocks = [Clock("t", 9, 1, True), shared_clock(9)]
    sample = table_bounds(clocks, PrivacyBudget(1.0, "sample"), 1.0)
    assert (sample[1].accesses, sample[1].samples, sample[1].bags) == (6, 1, 2)
    assert [b.limit for b in sample] == [0.25, 0.75]  # the others have what they would have without sharing
    user = table_bounds(clocks, PrivacyBudget(1.0, "user", samples_per_user=7), 1.0)[1]
    assert (user.accesses, user.samples, user.bags) == (42, 7, 2)
    access = table_bounds(clocks, PrivacyBudget(1.0, "access"), 1.0)[1]
    assert (access.accesses, access.samples, access.bags, access.limit) == (1, 1, 1, 1.0)


def log(samples: int = 2000) -> Trace:
    rng = np.random.default_rng(2)
    sizes = rng.integers(0, 4, samples)
    bags = TableLookups("bags", 500, rng.geometric(0.05, sizes.sum()) - 1, np.concatenate(([0], np.cumsum(sizes))))
    one = TableLookups("one", 500, rng.geometric(0.02, samples) - 1 & 255)
    other = TableLookups("other", 90, rng.integers(0, 90, samples))
    return Trace((one, other, bags), user=rng.integers(0, 900, samples))


@pytest.mark.parametrize("unit", ["access", "sample", "user"])
@pytest.mark.parametrize("mechanism", ["laplace", "gaussian"])
def test_a_release_charges_every_statistic_for_all_slots_and_spends_its_budget(unit: str, mechanism: str) -> None:
    delta = 1e-6 if mechanism == "gaussian" else 0.0
    budget = PrivacyBudget(9.0, unit, delta, mechanism, samples_per_user=2, lookups_per_sample=3)  # type: ignore[arg-type]
    header = release(Log.of(log()).sharing([("one", "bags")]), budget).privacy
    assert header is not None
    assert 0.9 * 9.0 <= header.epsilon_spent <= 9.0
    accesses, samples = {"access": (1, 1), "sample": (4, 1), "user": (8, 2)}[unit]
    declared = {s.name: s for s in SHARED}
    charges = {c.statistic: c for c in header.spent if c.table == "one+bags"}
    assert set(charges) == set(declared)
    for name, charge in charges.items():
        group = samples if declared[name].of_samples else accesses
        assert charge.l1 == declared[name].l1 * group, name
        assert charge.l2_squared == declared[name].l2_squared * group**2, name


# ---------------------------------------------------------------- audit


EPSILON = 1.0
AT_ONCE = 100


def canaries() -> list[np.ndarray]:
    """Those passes of two neighbours that differ: a row's lookups by a, b and c lose the middle one."""
    rows = np.full((30, SLOTS), -1)
    rows[:, 0] = np.arange(30) % 5
    rows[[4, 5, 9], [0, 1, 3]] = 40
    other = rows.copy()
    other[5, 1] = -1
    a, b = (statistics(x, np.arange(10))["passes"] for x in (rows, other))
    return [a[a != b], b[a != b]]


def audited_epsilon(trials: int, times: int = 1) -> float:
    """A lower bound of what `times` releases of the passes, each worth ε = 1, really spend."""
    values = canaries()
    assert np.abs(values[0] - values[1]).sum() == 3  # all that is declared
    scores = []
    for exact in values:
        beside = {"passes": np.tile(exact, (AT_ONCE, 1))}
        releases = [
            add_noise(shared_clock(30), beside, Bounds(1, 1, EPSILON), Ledger("laplace", EPSILON))["passes"]
            for _ in range(trials * times // AT_ONCE)
        ]
        seen = np.concatenate(releases).reshape(trials, -1, len(exact))
        far = [np.abs(seen - x).sum((1, 2)) for x in values]
        scores.append(far[0] - far[1])
    return proven_epsilon(scores, trials)


@pytest.fixture
def all_on_passes(monkeypatch: pytest.MonkeyPatch) -> tuple[Statistic, ...]:
    """The whole budget on one statistic, so that a few thousand draws have power."""
    alone = tuple(dataclasses.replace(s, share=1.0 if s.name == "passes" else 0.0) for s in STATISTICS)
    monkeypatch.setattr(release_module, "STATISTICS", alone)
    return alone


@pytest.mark.usefixtures("all_on_passes")
def test_the_audit_finds_no_more_than_is_declared_and_has_power() -> None:
    assert 0.7 * EPSILON <= audited_epsilon(60_000) <= EPSILON


def test_the_audit_fails_where_a_sensitivity_is_halved(
    all_on_passes: tuple[Statistic, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    halved = tuple(dataclasses.replace(s, l1=max(1, s.l1 // 2)) for s in all_on_passes)
    monkeypatch.setattr(release_module, "STATISTICS", halved)
    assert audited_epsilon(10_000) > EPSILON


@pytest.mark.usefixtures("all_on_passes")
def test_the_audit_fails_where_a_statistic_is_released_twice() -> None:
    assert audited_epsilon(20_000, times=2) > EPSILON


def test_no_statistic_of_sharing_is_taken_of_a_table_of_one_feature() -> None:
    header = release(log(), PrivacyBudget(9.0)).privacy
    assert header is not None
    assert not {c.statistic for c in header.spent} & set(OF_SHARING)
