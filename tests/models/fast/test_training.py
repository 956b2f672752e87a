"""Fast training makes the steps that the model's own gradients make."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow import HotrowError
from hotrow.models.config import ModelConfig, TableConfig
from hotrow.models.dlrm import DLRM
from hotrow.models.fast.training import FastForward
from hotrow.models.inputs import Batch
from hotrow.models.loss import click_loss
from hotrow.models.tables import Hashed, Plain, QuotientRemainder
from hotrow.models.training.optimizers import make_optimizer

KINDS: list[dict[str, Any]] = [
    {"interaction": "dot"},
    {"interaction": "dot", "interaction_itself": True},
    {"interaction": "cat"},
    {"interaction": "dcnv2", "cross_layers": 2, "cross_rank": 3},
]


def batch(config: ModelConfig, samples: int, seed: int, dtype: torch.dtype = torch.int32, closed: bool = True) -> Batch:
    rng = np.random.default_rng(seed)
    indices, offsets = [], []
    for table in config.tables:
        ends = np.concatenate(([0], np.cumsum(rng.integers(0, 5, samples))))
        indices.append(torch.as_tensor(rng.integers(0, table.rows, int(ends[-1])), dtype=dtype))
        offsets.append(torch.as_tensor(ends if closed else ends[:-1], dtype=dtype))
    dense = torch.from_numpy(rng.standard_normal((samples, config.dense), np.float32))
    label = torch.from_numpy(rng.integers(0, 2, samples).astype(np.float32))
    return Batch(dense, tuple(indices), tuple(offsets), label)


@given(
    st.sampled_from(KINDS),
    st.lists(
        st.tuples(
            st.integers(1, 12),
            st.sampled_from([Plain(), Plain(), Hashed(3), QuotientRemainder(2)]),
            st.sampled_from(["none", "fixed", "learned"]),
        ),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from([1, 3, 8]),
    st.sampled_from(["sgd", "adagrad", "rwsadagrad"]),
    st.sampled_from([torch.int32, torch.int64]),
    st.booleans(),
    st.integers(1, 2),
    st.integers(0, 2**31),
)
@settings(max_examples=25, deadline=None)
def test_the_same_steps(
    kind: Any, tables: Any, dim: int, optimizer: Any, dtype: torch.dtype, closed: bool, passes: int, seed: int
) -> None:
    made = tuple(
        TableConfig(f"t{k}", rows, dim, storage=storage, weights=weights)
        for k, (rows, storage, weights) in enumerate(tables)
    )
    ours = DLRM(ModelConfig("m", 3, (9, dim), (6, 1), tables=made, **kind), seed)
    theirs = copy.deepcopy(ours)
    forward, own, peer = FastForward(ours), make_optimizer(optimizer, ours), make_optimizer(optimizer, theirs)
    for step in range(2):
        for k in range(passes):
            one = batch(ours.config, 5, seed + 10 * step + k, dtype, closed)
            expected = theirs(one.dense, one.indices, one.offsets)
            probability = forward(one)
            torch.testing.assert_close(probability, expected, rtol=1e-5, atol=1e-6)
            click_loss(probability, one.label).backward()
            click_loss(expected, one.label).backward()
        own.step(0.05, forward.taken())
        peer.step(0.05)
        assert forward.taken() == []
    for (name, value), other in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        torch.testing.assert_close(value, other, rtol=1e-4, atol=2e-5, msg=name)


def test_other_precisions_go_torchs_way() -> None:
    config = ModelConfig("m", 3, (8,), (1,), "dot", (TableConfig("a", 5, 8),))
    model = DLRM(config, dtype=torch.bfloat16)
    forward = FastForward(model)
    forward(batch(config, 4, 0)).sum().backward()
    assert forward.taken() == []
    assert model.tables[0].weight.grad.is_sparse


def test_an_index_out_of_range_is_named() -> None:
    config = ModelConfig("m", 3, (8,), (1,), "dot", (TableConfig("a", 5, 8),))
    one = batch(config, 2, 0)
    wrong = Batch(one.dense, (torch.tensor([1, 5]),), (torch.tensor([0, 1, 2]),), one.label)
    with pytest.raises(HotrowError, match="table 'a', sample 1: index 5; the table has 5 rows"):
        FastForward(DLRM(config))(wrong)
