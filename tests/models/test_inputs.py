"""Batches of tensors from a Trace."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow import HotrowError
from hotrow.models.config import ModelConfig, TableConfig, for_trace
from hotrow.models.inputs import Batches, uniform_trace
from hotrow.tracegen.trace import TableLookups, Trace

MODEL = ModelConfig("m", 2, (2,), (1,), "cat", (TableConfig("a", 10, 2), TableConfig("b", 5, 2, 2.5)))


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_batches_hold_the_samples_in_order(samples: int, size: int, seed: int) -> None:
    trace = uniform_trace(MODEL, samples, seed)
    if size > samples:
        with pytest.raises(HotrowError, match=f"choose --batch 1 to {samples}"):
            Batches(MODEL, trace, size)
        return
    batches = list(Batches(MODEL, trace, size, seed))
    assert len(batches) == samples // size
    for k, batch in enumerate(batches):
        assert (batch.samples, batch.dense.shape, batch.label.shape) == (size, (size, 2), (size,))
        for table, indices, offsets in zip(trace.tables, batch.indices, batch.offsets, strict=True):
            assert indices.dtype == offsets.dtype == torch.int32
            for s in range(size):
                own = indices[offsets[s] : offsets[s + 1]]
                assert own.tolist() == table.samples_between(k * size + s, k * size + s + 1).indices.tolist()


def test_what_the_trace_lacks_is_drawn_from_the_seed_and_said() -> None:
    trace = uniform_trace(MODEL, 8)
    one, same, other = (Batches(MODEL, trace, 4, seed) for seed in (1, 1, 2))
    assert torch.equal(one[1].dense, same[1].dense)
    assert not torch.equal(one[1].dense, other[1].dense)
    assert not torch.equal(one[0].dense, one[1].dense)
    assert set(one[0].label.tolist()) <= {0.0, 1.0}
    assert [note.split(":")[0] for note in one.notes] == ["the trace has no dense features", "the trace has no labels"]


def test_what_the_trace_has_is_used_untouched() -> None:
    dense = np.arange(8, dtype=np.float32).reshape(4, 2)
    dense.flags.writeable = False
    trace = Trace((TableLookups("a", 3, np.array([0, 1, 2, 0])),), dense=dense, label=np.ones(4, np.float32))
    batches = Batches(for_trace(MODEL, trace), trace, 2)
    assert batches.notes == ()
    assert batches[1].dense.tolist() == [[4, 5], [6, 7]]
    assert batches[1].label.tolist() == [1, 1]
    with pytest.raises(IndexError):
        batches[2]


def test_a_smaller_model_takes_ids_modulo_its_rows() -> None:
    trace = Trace((TableLookups("a", 2**40, np.array([2**40 - 1, 5, 12])),))
    config = for_trace(MODEL, trace).scaled(10 / 2**40)
    batches = Batches(config, trace, 3)
    assert batches[0].indices[0].tolist() == [(2**40 - 1) % 10, 5, 2]
    assert batches[0].indices[0].dtype == torch.int32
    assert "modulo the model's rows in 1 of 1 tables" in batches.notes[-1]


def test_a_model_that_does_not_fit_the_trace() -> None:
    trace = uniform_trace(MODEL, 4)
    with pytest.raises(HotrowError, match="'m' has 2 tables but the trace has 1"):
        Batches(MODEL, Trace(trace.tables[:1]), 2)
    with pytest.raises(HotrowError, match="takes 2 dense features but the trace has 3"):
        Batches(MODEL, Trace(trace.tables, dense=np.zeros((4, 3), np.float32)), 2)


def test_uniform_bags_have_the_tables_pooling() -> None:
    trace = uniform_trace(MODEL, 4000, seed=3)
    assert trace.tables[0].offsets is None
    assert set(trace.tables[1].bag_sizes().tolist()) == {2, 3}
    assert trace.tables[1].pooling == pytest.approx(2.5, abs=0.05)
    counts = np.bincount(trace.tables[0].indices, minlength=10)
    assert counts.min() > 300
    assert counts.max() < 500
    assert uniform_trace(MODEL, 5, 1).equals(uniform_trace(MODEL, 5, 1))
    with pytest.raises(HotrowError, match="0 samples"):
        uniform_trace(MODEL, 0)
