"""Twins: the same trace agrees with itself in everything, another one does not, and the table says so."""

import numpy as np
import pytest

from hotrow.analysis import sharding
from hotrow.experiments import twins
from hotrow.tracegen.privacy import PrivacyBudget
from hotrow.tracegen.trace import TableLookups, Trace


def trace(seed: int, exponent: float, rows: int = 900) -> Trace:
    rng = np.random.default_rng(seed)
    skewed = TableLookups("skewed", rows, rng.zipf(exponent, 3000) % rows)
    loop = TableLookups("loop", 50, np.arange(3000) % 50)
    return Trace((skewed, loop))


def test_a_trace_agrees_with_itself_and_not_with_another(monkeypatch: pytest.MonkeyPatch) -> None:
    own, other = trace(1, 1.5), trace(2, 1.01)
    budget = PrivacyBudget(1.0, "access")
    for twin, same in ((own, True), (other, False)):
        monkeypatch.setattr(twins, "generate", lambda *_, twin=twin: twin)
        found = twins.agreement(own, "a", budget)
        assert (found.real == found.twin) is same
        assert found.knees is not None
        assert (found.knees == 0) is same
        row = twins.grid([found]).rows[0]
        assert row[:2] == ("a", "access")
        assert (row[5:].count("no") == 0) is same


def test_a_private_twin_is_drawn_from_the_released_profile() -> None:
    found = twins.agreement(trace(3, 1.3), "a", PrivacyBudget(20.0, "access"), seed=1)
    assert found.real.knee is not None
    assert found.twin.knee is not None
    assert found.knees == pytest.approx(abs(found.twin.knee / found.real.knee - 1))
    assert set(found.twin.order) == {"skewed", "loop"}


def test_plans_are_ordered_by_balance_and_ties_are_said() -> None:
    def made(rule: sharding.Rule, busiest: float) -> sharding.Plan:
        return sharding.Plan(rule, ((0,), (1,)), (busiest, 2 - busiest), (1.0, 1.0))

    plans = [made("lookups", 1.005), made("bytes", 1.5), made("round-robin", 1.0)]
    assert twins._ordered(plans) == "round-robin = lookups, bytes"
