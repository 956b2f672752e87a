"""LRU curves of a trace against caches that are run."""

import numpy as np
import pytest

from hotrow.analysis.knee import knee
from hotrow.analysis.miss_ratio import lru_curve
from hotrow.analysis.recommendation import perfect_hits
from hotrow.analysis.recommendation.interleave import interleaved
from hotrow.analysis.reuse_distance import stack_distances
from hotrow.experiments.lru_curves import lru_curves
from hotrow.experiments.sample_study import sample_study
from hotrow.tracegen.trace import TableLookups, Trace


@pytest.fixture(scope="module")
def trace() -> Trace:
    rng = np.random.default_rng(0)
    bags = TableLookups("bags", 60, rng.zipf(1.3, 900) % 60, np.arange(0, 901, 3))
    return Trace((TableLookups("one", 50, rng.integers(0, 50, 300)), bags))


def test_every_table_and_one_cache_for_all(trace: Trace) -> None:
    curves = lru_curves(trace)
    assert curves.names == ("one", "bags")
    streams = (*(table.indices for table in trace.tables), interleaved(trace))
    for curve, ids in zip((*curves.tables, curves.shared), streams, strict=True):
        expected = lru_curve(ids)
        np.testing.assert_array_equal(curve.histogram, expected.histogram)
        assert (curve.accesses, curve.distinct) == (expected.accesses, expected.distinct)
    for distances, table in zip(curves.distances, trace.tables, strict=True):
        assert distances.dtype == np.int32
        np.testing.assert_array_equal(distances, stack_distances(table.indices))


def test_the_seed_resamples_the_knees(trace: Trace) -> None:
    rng = np.random.default_rng(7)
    streams = (*(table.indices for table in trace.tables), interleaved(trace))
    expected = [knee(stack_distances(ids), rng) for ids in streams]
    curves = lru_curves(trace, 7)
    assert [*curves.knees, curves.shared_knee] == expected


def test_one_table_shares_with_itself() -> None:
    curves = lru_curves(Trace.from_ids([1, 2, 1]))
    assert curves.shared is curves.tables[0]
    assert curves.shared_knee == curves.knees[0]


def test_rows_looked_up_once_have_no_knee() -> None:
    curves = lru_curves(Trace.from_ids([1, 2, 3]))
    assert curves.knees == (None,)
    assert (curves.shared.distinct, len(curves.shared.histogram)) == (3, 0)


def test_no_lookups() -> None:
    cold = TableLookups("cold", 3, np.zeros(0, np.int64), np.zeros(3, np.int64))
    curves = lru_curves(Trace((cold,)))
    assert curves.shared.accesses == 0
    assert len(curves.distances[0]) == 0


def test_distances_are_not_measured_again(trace: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    curves = lru_curves(trace)
    expected = sample_study(trace, curves, 64, (5, 40)).shared
    monkeypatch.setattr(perfect_hits, "stack_distances", None)
    assert sample_study(trace, curves, 64, (5, 40)).shared == expected
