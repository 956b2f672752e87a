"""JAX gives the model's probabilities, in bags of one id and of any, and refuses what it is not for."""

import numpy as np
import pytest
import torch

from hotrow import HotrowError
from hotrow.models.backends.jax_model import jax_model
from hotrow.models.config import ModelConfig, TableConfig
from hotrow.models.dlrm import DLRM
from hotrow.models.inputs import Batch
from hotrow.models.tables import Hashed

pytest.importorskip("jax")
TABLES = (TableConfig("a", 60, 8), TableConfig("b", 40, 8), TableConfig("c", 5, 8))
KINDS = {
    "dot": ModelConfig("m", 3, (9, 8), (10, 1), "dot", TABLES),
    "itself": ModelConfig("m", 3, (9, 8), (10, 1), "dot", TABLES, interaction_itself=True),
    "cat": ModelConfig("m", 3, (9, 8), (10, 1), "cat", TABLES, sigmoid_top=0),
}


def batch(config: ModelConfig, samples: int, one_hot: bool) -> Batch:
    rng = np.random.default_rng(samples)
    sizes = [np.ones(samples, int) if one_hot else rng.integers(0, 4, samples) for _ in config.tables]
    ends = [np.concatenate(([0], np.cumsum(size))).astype(np.int32) for size in sizes]
    ids = [rng.integers(0, t.rows, int(e[-1]), dtype=np.int32) for t, e in zip(config.tables, ends, strict=True)]
    dense = torch.from_numpy(rng.standard_normal((samples, config.dense), np.float32))
    return Batch(dense, tuple(map(torch.from_numpy, ids)), tuple(map(torch.from_numpy, ends)), torch.zeros(samples))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("one_hot", [True, False])
def test_the_same_probabilities(kind: str, one_hot: bool) -> None:
    model = DLRM(KINDS[kind], 1).requires_grad_(False)
    run = jax_model(model, one_hot)
    for samples in (1, 4, 7):
        b = batch(KINDS[kind], samples, one_hot)
        found = run(b.dense, b.indices, b.offsets)
        torch.testing.assert_close(found, model(b.dense, b.indices, b.offsets), rtol=0, atol=1e-5)
        opened = [starts[:-1] for starts in b.offsets]
        torch.testing.assert_close(run(b.dense, b.indices, opened), found)


def test_what_it_refuses() -> None:
    config = KINDS["dot"]
    b = batch(config, 4, True)
    run = jax_model(DLRM(config).requires_grad_(False), True)
    wrong = (b.indices[0] + 60, *b.indices[1:])
    with pytest.raises(HotrowError, match="'a'"):
        run(b.dense, wrong, b.offsets)
    hashed = ModelConfig("m", 3, (9, 8), (10, 1), "dot", (TableConfig("b", 40, 8, storage=Hashed(7)),))
    with pytest.raises(HotrowError, match="'b': backend 'jax' is for plain tables"):
        jax_model(DLRM(hashed).requires_grad_(False), True)
    with pytest.raises(HotrowError, match="compared in float32"):
        jax_model(DLRM(config, dtype=torch.bfloat16).requires_grad_(False), True)
    crossed = ModelConfig("m", 3, (9, 8), (10, 1), "dcnv2", TABLES, cross_layers=1, cross_rank=2)
    with pytest.raises(HotrowError, match="interactions dot and cat"):
        jax_model(DLRM(crossed).requires_grad_(False), True)
