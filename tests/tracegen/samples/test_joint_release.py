"""An audit of the joint counts: two neighbours told apart by thousands of draws of the release's own step."""

import dataclasses

import numpy as np
import pytest

from hotrow.tests.tracegen.auditing import proven_epsilon
from hotrow.tracegen.clock import Clock
from hotrow.tracegen.fit import fit_table
from hotrow.tracegen.measure import Measuring, read_first, released
from hotrow.tracegen.privacy import Ledger, PrivacyBudget
from hotrow.tracegen.profile import TableProfile
from hotrow.tracegen.samples import joint_release
from hotrow.tracegen.samples.coupling import Column, joint_counts
from hotrow.tracegen.samples.joint_release import joint_plan, noisy_coupling
from hotrow.tracegen.scale.log import Log
from hotrow.tracegen.trace import TableLookups, Trace

EPSILON = 1.0
SAMPLES, MOST = 60, 30  # MOST: lookups per sample of the table of bags
CANARY = 20  # the sample that one neighbour lacks
MOVED = 1 + 1 + MOST  # samples that it may move: itself, and the next of each row it looked up
AT_ONCE = 100
LIMITS = [np.array([60]), np.array([2000])]
CLOCKS = (Clock("one", SAMPLES, 1, True), Clock("bags", SAMPLES, MOST, False))


def canary() -> list[Column]:
    """A one-hot table and one of bags. The canary's 30 rows are looked up once more each, in 30 samples that differ in
    nothing else: without the canary all of them leave one cell, and all enter another."""
    one = np.zeros(SAMPLES, np.int64)
    one[[CANARY, CANARY + MOST + 1]] = 1
    bag = CANARY * MOST + np.arange(MOST)
    later = (CANARY + 1 + np.arange(MOST)) * MOST
    rows = np.tile(np.arange(MOST), 2)
    return [
        Column(one, np.arange(SAMPLES), 2, SAMPLES, 1),
        Column(rows, np.concatenate((bag, later)), MOST, SAMPLES, MOST),
    ]


def without(column: Column) -> Column:
    stays = column.slots // column.most != CANARY
    return dataclasses.replace(column, numbers=column.numbers[stays], slots=column.slots[stays])


@pytest.fixture(scope="module")
def neighbours() -> list[np.ndarray]:
    """Joint counts of the two logs: the two cells that differ most."""
    whole = canary()
    a, b = (joint_counts(x, LIMITS)[0].ravel() for x in (whole, [without(column) for column in whole]))
    assert 2 * MOVED - 2 <= np.abs(a - b).sum() <= 2 * MOVED  # nearly all that is declared
    moved = np.flatnonzero(np.abs(a - b) == MOST)
    return [a[moved], b[moved]]


@pytest.fixture(scope="module")
def tables() -> list[TableProfile]:
    """The released tables by which the release plans its joint counts."""
    one, bags = canary()
    offsets = np.concatenate(([0], np.cumsum(bags.sizes())))
    log = Log.of(Trace((TableLookups("one", 2, one.numbers), TableLookups("bags", MOST, bags.numbers, offsets))))
    reading = [Measuring(clock, 1) for clock in CLOCKS]
    read_first(log, reading)
    found = [table.measured() for table in reading]
    return [fit_table(released(m, m.values, dict.fromkeys(m.values, 0.0)), SAMPLES) for m in found]


def audited(tables: list[TableProfile], neighbours: list[np.ndarray], trials: int, times: int = 1) -> float:
    """A lower bound of what `times` releases of the joint counts, each worth ε = 1, really spend.

    Cells get their noise one by one, so a release of the same counts side by side is as many draws.
    """
    budget = PrivacyBudget(EPSILON, lookups_per_sample=MOST)
    plan = joint_plan(CLOCKS, tables, budget, EPSILON)
    scores = []
    for counts in neighbours:
        beside = np.tile(counts, (AT_ONCE, 1))
        releases = [
            noisy_coupling(plan, [beside], ["one", "bags"], Ledger("laplace", EPSILON)).joints[0].array()
            for _ in range(trials * times // AT_ONCE)
        ]
        seen = np.concatenate(releases).reshape(trials, -1, len(counts))
        far = [np.abs(seen - exact).sum((1, 2)) for exact in neighbours]
        scores.append(far[0] - far[1])
    return proven_epsilon(scores, trials)


def test_the_audit_finds_no_more_than_is_declared_and_has_power(
    tables: list[TableProfile], neighbours: list[np.ndarray]
) -> None:
    spent = audited(tables, neighbours, trials=40_000)
    assert spent <= EPSILON
    assert spent >= 0.7 * EPSILON  # less would mean that the test could not see a fault


@pytest.mark.parametrize("fault", ["joint_sensitivity", "samples_moved"])
def test_the_audit_fails_where_a_sensitivity_is_halved(
    fault: str, tables: list[TableProfile], neighbours: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = getattr(joint_release, fault)
    monkeypatch.setattr(joint_release, fault, lambda *given: type(right(*given))(x // 2 for x in right(*given)))
    assert audited(tables, neighbours, trials=10_000) > EPSILON


def test_the_audit_fails_where_noise_is_missing(
    tables: list[TableProfile], neighbours: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ledger, "noisy", lambda self, values, *rest: values)
    assert audited(tables, neighbours, trials=1000) > EPSILON


def test_the_audit_fails_where_the_counts_are_released_twice(
    tables: list[TableProfile], neighbours: list[np.ndarray]
) -> None:
    assert audited(tables, neighbours, trials=20_000, times=2) > EPSILON  # by ledgers that do not know of each other
