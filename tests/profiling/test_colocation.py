"""Co-location: placement, arrivals, search and the spinning trap; and two real processes at once."""

import time

import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.profiling.colocation import Served, Together, bounded_throughput, merged, placed, spinning_trap, together
from hotrow.profiling.processes.configuration import Configuration, allowed_cpus
from hotrow.profiling.processes.serve import arrivals, closed_loop, open_loop

RELU = Configuration("relu", "hotrow.profiling.operators:elementwise", {"numbers": 1000})


def ran(latency: float, rate: float | None = None, models: int = 1) -> Together:
    times = np.full(100, latency)
    return Together(tuple(Served(times, times) for _ in range(models)), 2.0, rate, True, None)


def test_two_models_at_once() -> None:
    both = together(RELU, 2, seconds=0.2)
    assert len(both.models) == 2
    assert both.throughput > 0
    assert 0 < both.percentile(50) <= both.percentile(99)
    one = together(RELU, 1, pinned=False, seconds=0.2, rate=100.0, step="sigmoid")
    assert one.rate == 100
    assert (one.models[0].latency >= one.models[0].service).all()


def test_a_model_that_fails_says_why() -> None:
    with pytest.raises(HotrowError, match=r"model 0 ended with code 1: .*no_such_module"):
        together(Configuration("missing", "no_such_module:f"), 1)


def test_arrivals_are_a_poisson_process() -> None:
    moments = arrivals(1000.0, 10.0, np.random.default_rng(3))
    gaps = np.diff(moments)
    assert len(moments) == pytest.approx(10_000, rel=0.05)
    assert gaps.min() >= 0
    assert gaps.std() / gaps.mean() == pytest.approx(1, abs=0.05)  # of an exponential distribution
    assert len(arrivals(1e-9, 1.0, np.random.default_rng(0))) == 1


def test_latency_counts_from_the_arrival() -> None:
    began = time.monotonic()
    served = open_loop(lambda: time.sleep(0.02), began + np.array([0.0, 0.001]))
    waited = served[1][2] - served[1][0]
    assert waited >= 0.035
    assert served[1][1] >= served[0][2]
    assert [a for a, _, _ in closed_loop(lambda: None, time.monotonic() + 0.001)]


def test_the_search_finds_the_largest_rate() -> None:
    found = bounded_throughput(lambda rate: ran(1 / (100 - rate) if rate < 100 else 9.0), 0.05, 200.0, steps=12)
    assert found.rate == pytest.approx(80, rel=0.05)
    assert all(p99 > 0.05 for rate, _, p99 in found.tried if rate > 81)
    assert found.broke is not None
    assert found.rate < found.broke < 1.1 * found.rate
    assert bounded_throughput(lambda rate: ran(0.1), 0.5, 10.0).broke is None
    assert bounded_throughput(lambda rate: ran(1.0), 0.5, 10.0).rate == 0
    assert len(bounded_throughput(lambda rate: ran(1.0), 0.5, 10.0).tried) == 1
    assert bounded_throughput(lambda rate: ran(0.1), 0.5, 10.0, steps=20).rate == pytest.approx(10, rel=0.01)
    with pytest.raises(HotrowError, match="must be above 0"):
        bounded_throughput(lambda rate: ran(1.0), 0, 10.0)


def test_the_trap_is_named() -> None:
    assert "PASSIVE" in str(spinning_trap(ran(0.2), ran(0.005)))
    assert spinning_trap(ran(0.006), ran(0.005)) is None


def test_placement() -> None:
    allowed = allowed_cpus()
    made = placed(RELU, len(allowed) + 1, pinned=True)
    assert [c.cpus for c in made] == [(cpu,) for cpu in (*allowed, allowed[0])]
    assert {c.cpus for c in placed(RELU, 2, pinned=False)} == {()}
    with pytest.raises(HotrowError, match="0 models"):
        placed(RELU, 0, pinned=True)
    with pytest.raises(HotrowError, match="above 0 and finite"):
        together(RELU, 1, rate=-1.0)


def test_repeats_are_merged() -> None:
    both = merged([ran(1.0, models=2), ran(2.0, models=2)])
    assert both.seconds == 4
    assert both.throughput == 100
    assert len(both.models[1].latency) == 200
