"""What a synthetic trace's profile says of its error, and what that does to conclusions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow import HotrowError
from hotrow.analysis.miss_ratio import lru_curve
from hotrow.analysis.prediction.traffic import traffic_of
from hotrow.experiments.codesign.certified import Certified, capacities, certified, shifted
from hotrow.models.config import load_preset
from hotrow.models.inputs import uniform_trace
from hotrow.tracegen.generate import generate
from hotrow.tracegen.published import load_profile
from hotrow.tracegen.trace import TableLookups, Trace


def test_error_is_the_mean_by_lookups_of_tables_that_are_looked_up() -> None:
    known = Certified("p", "private", (("a", 300, 0.01), ("b", 100, 0.03), ("c", 0, None)))
    assert known.error == pytest.approx(0.015)
    assert known.unvouched == ()


def test_one_table_without_estimate_leaves_all_without() -> None:
    known = Certified("p", "private", (("a", 300, 0.01), ("b", 1, None)))
    assert known.error is None
    assert known.unvouched == ("b",)


def test_a_released_profile_is_certified_by_its_own_certificates() -> None:
    profile = load_profile("c2k_orm_busy")
    known = certified(profile)
    certificate = profile.tables[0].certificate
    assert certificate is not None
    assert known.error == (certificate.estimate if certificate.vouches else None)
    assert known.origin == "private"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=80), st.floats(0, 0.3), st.floats(0, 1))
def test_capacities_are_those_where_curves_within_the_error_reach_the_goal(
    ids: list[int], error: float, missed: float
) -> None:
    curve = lru_curve(np.array(ids))
    low, high = capacities(curve, missed, error)
    ratios = [float(curve.miss_ratio([size])[0]) for size in range(len(curve.histogram) + 1)]
    for found, goal in ((low, missed + error), (high, missed - error)):
        reached = [size for size, ratio in enumerate(ratios) if ratio <= goal + 1e-12]
        assert found == (reached[0] if reached else None)


def test_shifted_traffic_misses_more_by_the_error_where_there_is_room() -> None:
    config = load_preset("rm1").scaled(0.001)
    traffic = traffic_of(uniform_trace(config, 400, 1), config, 4)
    before, more, less = traffic, shifted(traffic, 0.05), shifted(traffic, -0.05)
    for k in range(1, len(before.rows.times)):
        assert more.rows.outlasting[k] == pytest.approx(min(1, before.rows.outlasting[k] + 0.05))
        assert less.rows.outlasting[k] == pytest.approx(max(0, before.rows.outlasting[k] - 0.05))
    assert more.rows.outlasting[0] == before.rows.outlasting[0]
    assert more.tables != before.tables


def test_a_trace_that_cannot_come_from_the_profile_is_refused() -> None:
    profile = load_profile("c2k_web07")
    own = generate(profile, 500, 1)
    known = certified(profile, own)
    assert known.told
    assert known.tables == certified(profile).tables
    table = own.tables[0]
    beyond = np.append(table.indices, profile.tables[0].rows)
    for other, words in (
        (Trace((TableLookups("another", table.rows, table.indices),)), "of tables"),
        (Trace((TableLookups(table.name, profile.tables[0].rows + 1, beyond),)), "rows beyond"),
        (Trace((TableLookups(table.name, table.rows, table.indices, np.arange(501)),)), "bags in"),
    ):
        with pytest.raises(HotrowError, match=words):
            certified(profile, other)
