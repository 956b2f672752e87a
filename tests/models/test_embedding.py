"""Tables: every way of storing and pooling against a sum written out, and gradients against differences."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow.models.config import ModelConfig, TableConfig
from hotrow.models.dlrm import DLRM
from hotrow.models.embedding import Table, make_table
from hotrow.models.tables import Hashed, Plain, QuotientRemainder

STORAGES = st.one_of(
    st.just(Plain()),
    st.builds(Hashed, st.integers(1, 7)),
    st.builds(QuotientRemainder, st.integers(1, 5), st.sampled_from(["mult", "add", "concat"])),
)
CONFIGS = st.builds(
    TableConfig,
    name=st.just("t"),
    rows=st.integers(1, 20),
    dim=st.integers(1, 4),
    storage=STORAGES,
    weights=st.sampled_from(["none", "fixed", "learned"]),
)


def made(config: TableConfig, dim: int, rng: np.random.Generator) -> Table:
    """A table in float64 with nothing left at its initial value."""
    table = make_table(config, dim, torch.float64)
    table.initialize(rng)
    with torch.no_grad():
        for parameter in table.parameters():
            parameter += torch.from_numpy(rng.normal(size=parameter.shape))
    return table


def expected(config: TableConfig, table: Table, bags: list[Any]) -> np.ndarray:
    """The pooled bags, sample by sample."""
    own = {name: value.detach().numpy() for name, value in table.named_parameters()}
    factor = own.get("pooling_weight", np.ones((config.rows, 1)))
    result = []
    for bag in bags:
        match config.storage:
            case Plain():
                pooled = sum((factor[i] * own["weight"][i] for i in bag), np.zeros(config.dim))
            case Hashed(buckets):
                pooled = sum((factor[i] * own["weight"][i % buckets] for i in bag), np.zeros(config.dim))
            case QuotientRemainder(c, combine):
                one = sum((factor[i] * own["quotient"][i // c] for i in bag), np.zeros(config.dim))
                two = sum((factor[i] * own["remainder"][i % c] for i in bag), np.zeros(config.dim))
                pooled = {"mult": one * two, "add": one + two, "concat": np.concatenate([one, two])}[combine]
        result.append(own["projection"] @ pooled if "projection" in own else pooled)
    return np.array(result)


@given(CONFIGS, st.integers(0, 3), st.lists(st.integers(0, 3), min_size=1, max_size=4), st.integers(0, 2**32 - 1))
@settings(max_examples=80, deadline=None)
def test_pooled_bags_equal_their_sums(config: TableConfig, wider: int, sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = made(config, config.width + wider, rng)
    bags = [rng.integers(0, config.rows, size) for size in sizes]
    offsets = torch.tensor(np.concatenate(([0], np.cumsum(sizes))), dtype=torch.int32)
    indices = torch.tensor(np.concatenate(bags), dtype=torch.int32)
    pooled = table(indices, offsets, True)
    np.testing.assert_allclose(pooled.detach(), expected(config, table, bags), rtol=1e-9, atol=1e-12)
    parameters = sum(parameter.numel() for parameter in table.parameters())
    assert parameters == config.parameters + (config.width * (config.width + wider) if wider else 0)

    # the gradient along a random direction against a difference quotient
    towards = torch.from_numpy(rng.normal(size=pooled.shape))
    (pooled.sin() * towards).sum().backward()
    steps = [torch.from_numpy(rng.normal(size=parameter.shape)) for parameter in table.parameters()]
    slope = sum(
        float((parameter.grad.to_dense() * step).sum())
        for parameter, step in zip(table.parameters(), steps, strict=True)
        if parameter.grad is not None
    )
    values = []
    for sign in (1, -1):
        moved = made(config, config.width + wider, np.random.default_rng(0))
        with torch.no_grad():
            for target, parameter, step in zip(moved.parameters(), table.parameters(), steps, strict=True):
                target.copy_(parameter + sign * 1e-5 * step)
        values.append(float((moved(indices, offsets, True).detach().sin() * towards).sum()))
    assert slope == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("combine", ["mult", "add", "concat"])
def test_initial_tables_of_any_kind_have_the_size_of_plain_ones(combine: Any) -> None:
    rows = 10_000
    bound = rows**-0.5
    table = make_table(TableConfig("t", rows, 8, storage=QuotientRemainder(4, combine)), 16, torch.float32)
    table.initialize(np.random.default_rng(0))
    vectors = table.pool(torch.arange(rows), torch.arange(rows), False, None)
    assert bound / 3**0.5 == pytest.approx(vectors.std().item(), rel=0.5)


@pytest.mark.parametrize("weights", ["none", "learned"])
def test_a_bfloat16_model_is_near_the_float32_one(weights: Any) -> None:
    tables = (TableConfig("a", 50, 8, weights=weights), TableConfig("b", 30, 4))
    config = ModelConfig("m", 4, (16, 8), (16, 1), "dcnv2", tables, cross_layers=2, cross_rank=4)
    rows = [torch.arange(0, 20, dtype=torch.int32)] * 2
    starts = [torch.arange(0, 20, 2, dtype=torch.int32)] * 2
    dense = torch.rand(10, 4, generator=torch.Generator().manual_seed(0))
    full, half = DLRM(config, 3), DLRM(config, 3, torch.bfloat16)
    assert torch.equal(half.tables[0].weight, full.tables[0].weight.bfloat16())
    got = half(dense, rows, starts)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, full(dense, rows, starts), rtol=0.05, atol=0.02)
    got.sum().backward()
    torch.optim.SGD(half.parameters(), lr=0.1).step()
