"""Traffic: one curve answers for any cache, and agrees with caches that are simulated."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow import HotrowError
from hotrow.analysis.miss_ratio import lru_curve
from hotrow.analysis.prediction.traffic import by_batch, reuse_curve, simulated, traffic_of
from hotrow.models.config import for_trace, load_preset
from hotrow.profiling.machine_files import load_machine
from hotrow.tracegen.trace import TableLookups, Trace

RNG = np.random.default_rng(7)
compiled = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="minutes in the interpreter")


def zipf_trace(samples: int = 2000, tables: int = 3) -> Trace:
    made = []
    for k in range(tables):
        rows = 4000 * (k + 1)
        ids = np.minimum((rows ** RNG.random(samples * 4)).astype(np.int64), rows - 1)
        made.append(TableLookups(f"t{k}", rows, ids, np.arange(samples + 1) * 4))
    return Trace(tuple(made))


@compiled
def test_the_curve_agrees_with_exact_lru_at_every_capacity() -> None:
    ids = np.minimum((50_000 ** RNG.random(40_000)).astype(np.int64), 49_999)
    curve, exact = reuse_curve(ids), lru_curve(ids)
    for rows in (1, 10, 100, 1000, 8000):
        assert curve.misses(rows * 64, 64) == pytest.approx(float(exact.miss_ratio(rows)), abs=0.02)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=2, max_size=200), st.integers(1, 40))
def test_misses_fall_with_capacity_and_rise_with_neighbours_and_streams(ids: list[int], rows: int) -> None:
    curve = reuse_curve(ids)
    here = curve.misses(rows * 64, 64)
    assert 0 <= curve.misses(2 * rows * 64, 64) <= here <= 1
    assert curve.misses(rows * 64, 64, neighbours=2) >= here
    assert curve.misses(rows * 64, 64, stream_bytes=64) >= here


def test_a_periodic_stream_knows_no_first_accesses() -> None:
    ids = np.arange(100)
    assert reuse_curve(ids).misses(1e9, 64) == 1
    assert reuse_curve(ids, periodic=True).misses(1e9, 64) == 0
    assert reuse_curve(ids, periodic=True).misses(64 * 50, 64) == 1  # a loop larger than the cache


@compiled
@pytest.mark.parametrize("batch", [1, 32])
def test_it_agrees_with_the_simulated_hierarchy(batch: int) -> None:
    trace, machine = zipf_trace(), load_machine("skylake")
    config = for_trace(load_preset("rm2"), trace)
    traffic = traffic_of(trace, config, batch)
    stats = simulated(trace, config, batch, machine)
    for level, cache in zip(stats, machine.caches.values(), strict=True):
        assert traffic.rows.misses(cache.size.base, traffic.unit_bytes) == pytest.approx(
            level.misses / stats[0].accesses, abs=0.03
        )


@compiled
def test_tables_apart_average_to_all_together() -> None:
    trace = zipf_trace()
    config = for_trace(load_preset("rm1"), trace)
    traffic = traffic_of(trace, config, 8)
    weights = np.array(traffic.per_table) / traffic.lookups
    together = (np.array(traffic.tables) * weights[:, None]).sum(axis=0)
    assert np.allclose(together, traffic.rows.outlasting, atol=1e-9)


def test_batches_keep_every_lookup_of_whole_batches() -> None:
    trace = zipf_trace(samples=10)
    batched = by_batch(trace, 4)
    assert batched.samples == 2
    assert all(table.accesses == 8 * 4 for table in batched.tables)
    with pytest.raises(HotrowError, match="a batch of 11 samples; the trace has 10"):
        by_batch(trace, 11)


def test_a_trace_that_does_not_fit_is_refused() -> None:
    trace = zipf_trace()
    with pytest.raises(HotrowError, match="8 tables but the trace has 3"):
        traffic_of(trace, load_preset("rm1"), 1)
    empty = Trace((TableLookups("t", 5, np.zeros(0, np.int64), np.zeros(3, np.int64)),))
    with pytest.raises(HotrowError, match="no lookups"):
        traffic_of(empty, for_trace(load_preset("rm1"), empty), 1)
