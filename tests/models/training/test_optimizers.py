"""Optimizers: torch's own where it has one, a plain reading of the formula where it has none."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from hotrow import HotrowError
from hotrow.models import memory
from hotrow.models.config import ModelConfig, TableConfig
from hotrow.models.data.distributions import Pooling
from hotrow.models.data.random_source import RandomSource
from hotrow.models.dlrm import DLRM
from hotrow.models.loss import click_loss
from hotrow.models.tables import QuotientRemainder
from hotrow.models.training.optimizers import Adagrad, make_optimizer

CONFIG = ModelConfig(
    "m",
    3,
    (5, 4),
    (6, 1),
    "dot",
    (
        TableConfig("a", 9, 4, weights="learned"),
        TableConfig("b", 30, 2),
        TableConfig("c", 20, 4, storage=QuotientRemainder(3, "add")),
    ),
)


def batch(seed: int):
    return RandomSource(CONFIG, 8, 8, seed, (Pooling(4, True),) * 3).batch(0, 0)


def backward(model: DLRM, seed: int) -> None:
    b = batch(seed)
    click_loss(model(b.dense, b.indices, b.offsets), b.label, "mse").backward()


def clone(model: DLRM, dtype: torch.dtype = torch.float32) -> DLRM:
    other = DLRM(CONFIG, 1, dtype)
    other.load_state_dict(model.state_dict())
    return other


@settings(max_examples=10, deadline=None)
@given(st.sampled_from(["sgd", "adagrad"]), st.integers(0, 1000), st.floats(0.01, 1))
def test_torchs_own(kind: str, seed: int, rate: float) -> None:
    ours = DLRM(CONFIG, seed)
    theirs = clone(ours)
    mine = make_optimizer(kind, ours)  # type: ignore[arg-type]
    peer = (torch.optim.SGD if kind == "sgd" else torch.optim.Adagrad)(theirs.parameters(), lr=rate)
    for step in range(3):
        backward(ours, step)
        mine.step(rate)
        backward(theirs, step)
        peer.step()
        peer.zero_grad()
    for (name, a), b in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(a.detach(), b.detach(), rtol=2e-4, atol=2e-5, err_msg=name)
        assert a.grad is None


def test_row_wise_adagrad_by_its_formula() -> None:
    model = DLRM(CONFIG, 5)
    reference = {name: value.double().clone() for name, value in model.state_dict().items()}
    sums = {name: torch.zeros(1, dtype=torch.float64) for name in reference}
    optimizer = Adagrad(model, row_wise=True)
    for step in range(3):
        backward(model, step)
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None
            g = parameter.grad.to_dense().double()
            by_row = name.startswith("tables.") and not name.endswith("projection")
            sums[name] = sums[name] + (g.square().mean(1, keepdim=True) if by_row else g.square())
            reference[name] -= 0.1 * g / (sums[name].sqrt() + 1e-10)
        optimizer.step(0.1)
    for name, parameter in model.named_parameters():
        np.testing.assert_allclose(parameter.detach(), reference[name], rtol=1e-4, atol=1e-5, err_msg=name)
    state = optimizer.state()
    assert state["tables.1.weight"].shape == (30,)
    assert state["tables.1.projection"].shape == (4, 2)
    assert state["bottom.0.weight"].shape == (5, 3)


@pytest.mark.parametrize("kind", ["sgd", "adagrad", "rwsadagrad"])
def test_kernels_equal_torchs_operations(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = DLRM(CONFIG, 2)
    slow = clone(fast)
    for model in (fast, slow):
        if model is slow:
            monkeypatch.setattr("hotrow.models.training.optimizers._numpy_can", lambda weight: False)
        optimizer = make_optimizer(kind, model)  # type: ignore[arg-type]
        for step in range(2):
            backward(model, step)
            optimizer.step(0.1)
    for (name, a), b in zip(fast.named_parameters(), slow.parameters(), strict=True):
        np.testing.assert_allclose(a.detach(), b.detach(), rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("kind", ["sgd", "adagrad", "rwsadagrad"])
def test_bfloat16(kind: str) -> None:
    model = DLRM(CONFIG, 2, torch.bfloat16)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = make_optimizer(kind, model)  # type: ignore[arg-type]
    backward(model, 0)
    optimizer.step(0.5)
    assert any(not torch.equal(p, before[name]) for name, p in model.named_parameters())
    assert all(p.dtype == torch.bfloat16 and p.isfinite().all() for p in model.parameters())


def test_only_looked_up_rows_change() -> None:
    model = DLRM(CONFIG, 2)
    before = model.get_parameter("tables.1.weight").detach().clone()
    optimizer = make_optimizer("adagrad", model)
    backward(model, 0)
    optimizer.step(0.1)
    changed = (model.get_parameter("tables.1.weight") != before).any(1).nonzero().flatten().tolist()
    assert set(changed) <= set(batch(0).indices[1].tolist())
    assert changed


def test_state_goes_on() -> None:
    one = DLRM(CONFIG, 3)
    first = make_optimizer("rwsadagrad", one)
    backward(one, 0)
    first.step(0.1)
    two = clone(one)
    second = make_optimizer("rwsadagrad", two)
    second.load({name: value.clone() for name, value in first.state().items()})
    for model, optimizer in ((one, first), (two, second)):
        backward(model, 1)
        optimizer.step(0.1)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    with pytest.raises(HotrowError, match="does not fit this model"):
        make_optimizer("adagrad", two).load(first.state())
    with pytest.raises(HotrowError, match=r"does not fit this model: bottom\.0\.bias"):
        make_optimizer("sgd", two).load(first.state())


def test_an_unknown_name() -> None:
    with pytest.raises(HotrowError, match="unknown optimizer 'adam'; known are sgd, adagrad, rwsadagrad"):
        make_optimizer("adam", DLRM(CONFIG))  # type: ignore[arg-type]


def test_memory_for_sums_is_foreseen(monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.Linear(1000, 10)
    monkeypatch.setattr(memory, "available_bytes", lambda: 4 * 10_000)
    with pytest.raises(HotrowError, match=r"Adagrad needs 0\.0 GiB and 0\.0 GiB of memory are free; --scale"):
        make_optimizer("adagrad", model)
    make_optimizer("sgd", model)


@pytest.mark.parametrize("kind", ["sgd", "adagrad", "rwsadagrad"])
def test_a_batch_without_lookups_changes_no_row(kind: str) -> None:
    config = ModelConfig("m", 3, (4,), (6, 1), "dot", (TableConfig("a", 9, 4),))
    model = DLRM(config)
    before = model.tables[0].weight.detach().clone()
    optimizer = make_optimizer(kind, model)
    empty = torch.zeros(0, dtype=torch.int64)
    logits = model(torch.ones(2, 3), (empty,), (torch.zeros(3, dtype=torch.int64),))
    click_loss(logits, torch.ones(2), "mse").backward()
    optimizer.step(0.1)
    assert torch.equal(model.tables[0].weight.detach(), before)
