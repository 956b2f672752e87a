"""Policies, processor caches and samples together, against what is known of small traces."""

import json

import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.analysis.cache import simulate
from hotrow.experiments import cache_study
from hotrow.experiments.cache_study import Request
from hotrow.experiments.lru_curves import lru_curves
from hotrow.experiments.policies_compared import FAST, compare_policies, default_capacities
from hotrow.experiments.sample_study import sample_study
from hotrow.tracegen.trace import TableLookups, Trace


@pytest.fixture(scope="module")
def trace() -> Trace:
    rng = np.random.default_rng(0)
    bags = TableLookups("bags", 300, rng.zipf(1.3, 6000) % 300, np.arange(0, 6001, 3))
    return Trace((TableLookups("one", 500, rng.integers(0, 500, 2000)), bags))


def test_one_table_agrees_with_simulate_and_with_the_exact_curve() -> None:
    ids = np.random.default_rng(1).zipf(1.2, 5000) % 400
    found = compare_policies(Trace.from_ids(ids), ("LRU", "FIFO"), (10, 100))
    for policy in ("LRU", "FIFO"):
        assert found.hit_ratio[policy] == pytest.approx([simulate(ids, policy, c).hits / 5000 for c in (10, 100)])
    curve = lru_curves(Trace.from_ids(ids)).shared
    assert found.hit_ratio["LRU"] == pytest.approx([curve.hits(c) / 5000 for c in (10, 100)])


def test_a_policy_below_its_smallest_size_is_a_dash(trace: Trace) -> None:
    found = compare_policies(trace, ("S3-FIFO", "LRU"), (5, 50))
    assert found.hit_ratio["S3-FIFO"][0] is None
    assert found.grid().rows[0][1] == "–"
    assert None not in found.hit_ratio["LRU"]


@pytest.mark.parametrize("touched", [0, 1, 7, 100, 10**6])
def test_default_capacities_rise_and_are_few(touched: int) -> None:
    sizes = default_capacities(touched)
    assert 1 <= len(sizes) <= 8
    assert sizes == tuple(sorted(set(sizes)))
    assert sizes[0] >= 1


def test_pages_hit_where_neighbours_were_looked_up() -> None:
    trace = Trace.from_ids(np.arange(640))
    study = sample_study(trace, lru_curves(trace), 64, (64,))
    assert study.shared[0].splits[2].hit_ratio == 0
    assert study.shared[0].pages == pytest.approx(1 - 10 / 640)


def test_the_study_as_json_grids_and_figures(trace: Trace) -> None:
    request = Request(128, policies="LRU,SIEVE", levels="4K/4")
    calls: list[int] = []
    study = cache_study.cache_study(trace, request, calls.append)
    assert len(calls) == cache_study.steps(request)
    plain = json.loads(json.dumps(cache_study.plain(study), allow_nan=False))
    assert set(plain["policies"]["hit_ratio"]) == {"LRU", "SIEVE"}
    assert set(plain["lru"]) == {"one", "bags"}
    assert len(cache_study.grids(study)) == 7
    assert set(cache_study.figures(study)) == {"lru-shared", "lru-tables", "policies", "drift", "levels"}


@pytest.mark.parametrize(
    ("request_", "what"),
    [
        (Request(128, policies="LRUU"), "did you mean LRU"),
        (Request(128, policies=""), "fast, all or none"),
        (Request(128, policies="LRU,,FIFO"), "fast, all or none"),
        (Request(128, capacities=(0,)), "capacity 0"),
        (Request(128, capacities=(10**20,)), "capacity 1"),
        (Request(128, levels="x"), "size/ways"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(trace: Trace, request_: Request, what: str) -> None:
    with pytest.raises(HotrowError, match=what):
        cache_study.cache_study(trace, request_)


def test_a_capacity_that_is_none_is_refused_before_anything_is_simulated(
    trace: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_study, "lru_curves", None)
    with pytest.raises(HotrowError, match="capacity 1"):
        cache_study.cache_study(trace, Request(128, capacities=(5, 10**20)))


def test_without_policies_there_is_no_table_and_no_figure_of_them(trace: Trace) -> None:
    study = cache_study.cache_study(trace, Request(128, policies="None", levels="none"))
    assert len(cache_study.grids(study)) == 5
    assert "policies" not in cache_study.figures(study)
    assert Request(128, policies="FAST").policy_names == FAST


def test_a_table_nobody_looks_up_and_one_sample() -> None:
    cold = TableLookups("cold", 9, np.zeros(0, np.int64), np.zeros(2, np.int64))
    study = cache_study.cache_study(Trace((cold, TableLookups("hot", 9, np.array([3])))), Request(64))
    assert study.sizing[0].knee is None
    assert cache_study.plain(study)["sizing"][0]["reachable"] == 0
    assert set(study.policies.hit_ratio) == set(FAST)
    assert cache_study.figures(study)


def test_touched_rows_are_those_looked_up_not_those_declared() -> None:
    found = compare_policies(Trace.from_ids([5, 900, 5], rows=1000), ("LRU",))
    assert found.touched_rows == 2
    assert found.capacities == default_capacities(2)
