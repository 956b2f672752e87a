"""Conversions: round trips through every library, and what torch itself makes of our tensors."""

import sys
import types
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from hotrow import HotrowError
from hotrow.tests.tracegen.strategies import traces
from hotrow.tracegen import conversions as to
from hotrow.tracegen.trace import TableLookups, Trace


def declared(trace: Trace) -> dict[str, int]:
    return {table.name: table.rows for table in trace.tables}


def with_offsets(trace: Trace) -> Trace:
    """The trace with one-hot tables as bags of one."""
    tables = [
        TableLookups(t.name, t.rows, t.indices, np.arange(t.samples + 1) if t.offsets is None else t.offsets)
        for t in trace.tables
    ]
    return Trace(tuple(tables))


@settings(max_examples=40, deadline=None)
@given(traces(values=False, least=1))
def test_torch_round_trip(trace: Trace) -> None:
    bags = to.to_torch(trace)
    for name, (_, offsets) in bags.items():
        assert len(offsets) == trace.samples
        assert trace.table(name).accesses == len(bags[name][0])
    ends = {name: (ids, torch.cat([offsets, torch.tensor([len(ids)])])) for name, (ids, offsets) in bags.items()}
    assert to.from_torch(ends, declared(trace)).equals(with_offsets(trace))
    one_hot = {t.name: (bags[t.name][0], None if t.offsets is None else bags[t.name][1]) for t in trace.tables}
    if any(table.offsets is None for table in trace.tables):
        assert to.from_torch(one_hot, declared(trace)).equals(trace)


def test_embedding_bag_takes_our_tensors() -> None:
    trace = Trace.from_ids([1, 2, 3, 0], rows=4, offsets=[0, 0, 3, 4])
    bag = torch.nn.EmbeddingBag(4, 2, mode="sum", include_last_offset=False)
    pooled = bag(*to.to_torch(trace)["f0"])
    weight = bag.weight.detach()
    assert torch.allclose(pooled.detach(), torch.stack([torch.zeros(2), weight[1:].sum(0), weight[0]]))


def test_offsets_without_their_end_are_seen() -> None:
    ids = np.array([1, 2, 3])
    assert to.from_torch({"a": (ids, [0, 1])}).tables[0].bag_sizes().tolist() == [1, 2]
    assert to.from_torch({"a": (ids, [0, 1, 3])}).tables[0].bag_sizes().tolist() == [1, 2]
    with pytest.raises(HotrowError, match="tables differ in their samples"):
        to.from_torch({"a": (ids, [0, 1]), "b": (ids, [0, 1, 3])})


@settings(max_examples=40, deadline=None)
@given(traces())
def test_arrow_round_trip(trace: Trace) -> None:
    back = to.from_arrow(to.to_arrow(trace), declared(trace))
    assert back.equals(trace)


@settings(max_examples=30, deadline=None)
@given(traces(least=1))
def test_pandas_round_trip(trace: Trace) -> None:
    pytest.importorskip("pandas")
    if any(table.offsets is not None and not table.accesses for table in trace.tables):
        return  # nothing in a column of empty lists says that they would hold integers
    assert to.from_pandas(to.to_pandas(trace), declared(trace)).equals(trace)


class Jagged:
    """What of a KeyedJaggedTensor is used here."""

    def __init__(self, keys: list[str], values: Any, lengths: Any) -> None:
        self.given = keys, values, lengths

    def keys(self) -> list[str]:
        return self.given[0]

    def values(self) -> Any:
        return self.given[1]

    def lengths(self) -> Any:
        return self.given[2]


@settings(max_examples=30, deadline=None)
@given(traces(values=False, least=1))
def test_keyed_jagged_round_trip(trace: Trace) -> None:
    lengths = np.concatenate([table.bag_sizes() for table in trace.tables])
    values = np.concatenate([table.indices.astype(np.int64) for table in trace.tables])
    jagged = Jagged([t.name for t in trace.tables], torch.from_numpy(values), torch.from_numpy(lengths))
    assert to.from_keyed_jagged(jagged, declared(trace)).equals(with_offsets(trace))


def test_a_keyed_jagged_tensor_is_made_the_way_torchrec_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("torchrec.sparse.jagged_tensor")
    module.KeyedJaggedTensor = Jagged  # type: ignore[attr-defined]
    for name in ("torchrec", "torchrec.sparse"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    trace = Trace((TableLookups("a", 9, np.array([1, 2])), TableLookups("b", 9, np.array([3]), np.array([0, 0, 1]))))
    jagged = to.to_keyed_jagged(trace)
    assert jagged.keys() == ["a", "b"]
    assert jagged.values().tolist() == [1, 2, 3]
    assert jagged.lengths().tolist() == [1, 1, 0, 1]
    assert to.from_keyed_jagged(jagged, {"a": 9, "b": 9}).equals(with_offsets(trace))


def test_torchrec_itself_agrees_where_it_is_installed() -> None:
    pytest.importorskip("torchrec")
    trace = Trace.from_ids([4, 5, 6], offsets=[0, 0, 2, 3], rows=9)
    assert to.from_keyed_jagged(to.to_keyed_jagged(trace), {"f0": 9}).equals(trace)


def test_what_is_wrong_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchrec", None)
    with pytest.raises(HotrowError, match="TorchRec is not installed"):
        to.to_keyed_jagged(Trace.from_ids([1]))
    with pytest.raises(HotrowError, match="3 lengths for 2 keys"):
        to.from_keyed_jagged(Jagged(["a", "b"], np.zeros(3, int), np.ones(3, int)))
    with pytest.raises(HotrowError, match="lengths sum to 2 but there are 3 values"):
        to.from_keyed_jagged(Jagged(["a", "b"], np.zeros(3, int), np.ones(2, int)))
