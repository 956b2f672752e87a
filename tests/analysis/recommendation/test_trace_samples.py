"""Samples of a trace in parts against samples of the whole, and against exact curves."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow import HotrowError
from hotrow.analysis.miss_ratio import lru_curve
from hotrow.analysis.recommendation import trace_samples
from hotrow.analysis.recommendation.interleave import interleaved
from hotrow.analysis.recommendation.trace_samples import TraceSamples
from hotrow.analysis.sampling import ShardsStream
from hotrow.tracegen.trace import TableLookups, Trace

CAPACITIES = np.array([1, 10, 100, 700])


def made(samples: int, seed: int = 0, rows: int = 900) -> Trace:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(0, 4, samples)
    bags = (rows * rng.random(sizes.sum()) ** 2).astype(np.int64)
    one = (rows * rng.random(samples) ** 3).astype(np.int64)
    offsets = np.concatenate(([0], np.cumsum(sizes)))
    return Trace((TableLookups("one", rows, one), TableLookups("bags", rows, bags, offsets)), label=np.zeros(samples))


def bands(samples: TraceSamples) -> np.ndarray:
    streams = (*samples.tables, samples.shared)
    return np.array([[b.low, b.middle, b.high] for b in (stream.band(CAPACITIES) for stream in streams)])


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 60), max_size=4), st.integers(1, 30), st.integers(10, 200))
def test_parts_equal_the_whole(cuts: list[int], rows: int, piece: int) -> None:
    trace = made(60)
    whole, parted = TraceSamples(rows=rows, samples=2), TraceSamples(rows=rows, samples=2)
    whole.feed(trace)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trace_samples, "PIECE", piece)
        for start, stop in zip([0, *sorted(cuts)], [*sorted(cuts), 60], strict=True):
            parted.feed(trace.samples_between(start, stop))
    assert parted.names == ("one", "bags")
    np.testing.assert_array_equal(bands(parted), bands(whole))
    assert parted.shared.accesses == trace.accesses


def test_one_sample_of_everything_is_exact_for_every_table_and_for_all() -> None:
    """Rows of different tables do not meet in the shared cache, and stand there in the model's order."""
    trace = made(400)
    samples = TraceSamples(rate=1.0, samples=1)
    samples.feed(trace)
    streams = [*(table.indices for table in trace.tables), interleaved(trace)]
    exact = [lru_curve(ids).miss_ratio(CAPACITIES) for ids in streams]
    np.testing.assert_allclose(bands(samples)[:, 1], exact, atol=1e-12)
    assert samples.shared.distinct() == len(np.unique(interleaved(trace)))


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="minutes in the interpreter")
def test_exact_curves_lie_in_the_bands() -> None:
    trace = made(40_000, rows=5000)
    samples = TraceSamples(rows=300)
    samples.feed(trace)
    streams = [*(table.indices for table in trace.tables), interleaved(trace)]
    exact = np.array([lru_curve(ids).miss_ratio(CAPACITIES) for ids in streams])
    found = bands(samples)
    assert ((found[:, 0] - 1e-9 <= exact) & (exact <= found[:, 2] + 1e-9)).mean() > 0.9
    assert np.abs(found[:, 1] - exact).max() < 0.05


def test_one_table_is_sampled_once() -> None:
    samples, stream = TraceSamples(rows=5), ShardsStream(rows=5)
    ids = made(50).tables[0].indices
    samples.feed(Trace.from_ids(ids))
    stream.feed(ids)
    assert samples.shared is samples.tables[0]
    np.testing.assert_array_equal(samples.shared.band([3]).low, stream.band([3]).low)


def test_ids_of_63_bits() -> None:
    ids = np.array([2**63 - 1, 0, 2**63 - 1, 5], np.int64)
    samples = TraceSamples(rate=1.0, samples=1)
    samples.feed(Trace((TableLookups("a", 2**63, ids), TableLookups("b", 2**63, ids))))
    assert samples.shared.distinct() == 6
    assert samples.shared.band([3, 4]).middle.tolist() == [1, 6 / 8]


def test_other_tables_are_refused() -> None:
    samples = TraceSamples(rows=5)
    samples.feed(made(3))
    with pytest.raises(HotrowError, match="the same tables"):
        samples.feed(Trace.from_ids([1]))


def test_a_table_nobody_looks_up_and_no_sample() -> None:
    cold = TableLookups("cold", 9, np.zeros(0, np.int64), np.zeros(3, np.int64))
    samples = TraceSamples(rows=5)
    samples.feed(Trace((cold, TableLookups("hot", 9, np.array([3, 3])))))
    samples.feed(Trace((cold, TableLookups("hot", 9, np.array([4, 4])))).samples_between(0, 0))
    assert [stream.accesses for stream in samples.tables] == [0, 2]
    assert (samples.tables[0].distinct(), samples.shared.distinct()) == (0, 1)
