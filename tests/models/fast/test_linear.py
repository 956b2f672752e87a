"""Layers of large batches: the products and gradients that torch has."""

import copy

import pytest
import torch
from torch import nn

from hotrow.models.fast import linear


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch):
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr(linear, "LARGE_BATCH", 2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("samples", [3, 4, 9, 40, 131])  # the last more than a tile
@pytest.mark.parametrize("inputs", [1, 13, 32, 45])
def test_an_mlp_as_torch_has_it(samples: int, inputs: int) -> None:
    torch.manual_seed(samples)
    ours = nn.Sequential(
        nn.Linear(inputs, 64),
        nn.ReLU(),
        nn.Linear(64, 20),
        nn.ReLU(),
        nn.Linear(20, 32),
        nn.Sigmoid(),
        nn.Linear(32, 32),
    )
    theirs = copy.deepcopy(ours)
    x = torch.randn(samples, inputs)
    one, other = x.clone().requires_grad_(), x.clone().requires_grad_()
    got, expected = linear.in_place(ours, one), theirs(other)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)
    got.sin().sum().backward()
    expected.sin().sum().backward()
    torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-5)
    for (name, mine), peer in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, peer.grad, rtol=1e-3, atol=1e-5, msg=name)
