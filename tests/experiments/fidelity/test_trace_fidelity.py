"""Fitting and comparing, end to end on small traces."""

import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.experiments.fidelity.fitting import fit
from hotrow.experiments.fidelity.privacy_utility import figure, privacy_utility
from hotrow.experiments.fidelity.trace_fidelity import compare, figures, side_by_side
from hotrow.tracegen.generate import generate
from hotrow.tracegen.privacy import PrivacyBudget
from hotrow.tracegen.scenarios import sessions
from hotrow.tracegen.trace import TableLookups, Trace


@pytest.fixture(scope="module")
def trace() -> Trace:
    ids = sessions(12_000, 1, users=900)
    return Trace((TableLookups("user", 2000, ids), TableLookups("item", 64, ids % 50)), user=ids)


def test_fit_generate_compare(trace: Trace) -> None:
    fitted = fit(trace, PrivacyBudget(4.0))
    assert fitted.profile.is_private
    assert "noise took" in fitted.notes[0]
    result = compare(trace, generate(fitted.profile, seed=2))
    assert [row[0] for row in result.grid().rows] == ["user", "item"]
    assert {c.table for c in result.comparisons} == {"user", "item"}
    assert max(c.errors.lru for c in result.comparisons) < 0.1
    drawn = figures(result)
    assert set(drawn) == {"lru-user", "lru-item"}
    assert drawn["lru-item"].axes[0].get_title() == "LRU miss ratio, table item"
    assert len(fitted.grid().rows) == 2


def test_an_exact_profile_says_so(trace: Trace) -> None:
    fitted = fit(trace, None)
    assert not fitted.profile.is_private
    assert fitted.notes[0].startswith("NOT PRIVATE")
    assert "NOT PRIVATE" in fitted.profile.source


def test_side_by_side_shows_baselines_and_ours(trace: Trace) -> None:
    result = side_by_side(trace, (None,))
    by = {c.generator: c.errors for c in result.comparisons if c.table == "user"}
    assert set(by) == {"uniform", "zipf", "independent", "lru_stack", "markov", "hotrow, exact"}
    assert by["hotrow, exact"].lru < 0.5 * by["independent"].lru
    assert by["hotrow, exact"].popularity == 0 < by["lru_stack"].popularity


def test_different_tables_are_refused(trace: Trace) -> None:
    with pytest.raises(HotrowError, match="2 tables against 1"):
        compare(trace, Trace((trace.tables[0],)))


def test_privacy_utility_has_a_point_for_each_budget_and_says_what_was_refused(trace: Trace) -> None:
    one = Trace((trace.tables[0],), user=np.arange(trace.samples))
    result = privacy_utility(one, epsilons=(0.0001, 10.0))
    assert (result.points[0].unit, result.points[0].epsilon) == ("exact", None)
    assert len(result.points) == 1 + 3 * 2
    assert "noise" in result.points[1].refused
    assert [row[2] for row in result.grid().rows][:3] == ["exact", "0.0001", "10"]
    assert len(figure(result).axes) == 4
