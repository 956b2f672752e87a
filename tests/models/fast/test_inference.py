"""Fast inference gives the model's own probabilities, whatever the tables, bags and number of samples."""

from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow import HotrowError
from hotrow.models.config import ModelConfig, TableConfig
from hotrow.models.dlrm import DLRM
from hotrow.models.fast import lookups as lookups_module
from hotrow.models.fast.inference import TILE, FastInference, faster
from hotrow.models.tables import Hashed, Plain, QuotientRemainder

KINDS: list[dict[str, Any]] = [
    {"interaction": "dot"},
    {"interaction": "dot", "interaction_itself": True},
    {"interaction": "cat"},
    {"interaction": "dcnv2", "cross_layers": 2, "cross_rank": 3},
]


def batch(
    config: ModelConfig, samples: int, seed: int, dtype: torch.dtype = torch.int32, closed: bool = True, most: int = 4
) -> tuple[torch.Tensor, list[torch.Tensor], list[torch.Tensor]]:
    rng = np.random.default_rng(seed)
    indices, offsets = [], []
    for table in config.tables:
        ends = np.concatenate(([0], np.cumsum(rng.integers(0, most, samples))))
        indices.append(torch.as_tensor(rng.integers(0, table.rows, int(ends[-1])), dtype=dtype))
        offsets.append(torch.as_tensor(ends if closed else ends[:-1], dtype=dtype))
    return torch.from_numpy(rng.standard_normal((samples, config.dense), np.float32)), indices, offsets


@given(
    st.sampled_from(KINDS),
    st.lists(
        st.tuples(st.integers(1, 20), st.sampled_from([Plain(), Plain(), Hashed(3), QuotientRemainder(2)])),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from([1, 4, 7, 16, 33]),
    st.sampled_from([1, 2, 31, 40, TILE + 9]),
    st.sampled_from([torch.int32, torch.int64]),
    st.booleans(),
    st.integers(0, 2**31),
)
@settings(max_examples=25, deadline=None)
def test_the_same_probabilities(
    kind: Any, tables: Any, dim: int, samples: int, dtype: torch.dtype, closed: bool, seed: int
) -> None:
    made = tuple(TableConfig(f"t{k}", rows, dim, storage=storage) for k, (rows, storage) in enumerate(tables))
    model = DLRM(ModelConfig("m", 3, (9, dim), (10, 6, 1), tables=made, **kind), seed)
    inputs = batch(model.config, samples, seed, dtype, closed)
    torch.testing.assert_close(FastInference(model)(*inputs), model(*inputs).detach(), rtol=1e-5, atol=1e-6)


def test_sigmoids_weights_and_narrow_tables() -> None:
    tables = (
        TableConfig("a", 9, 4, weights="fixed"),
        TableConfig("b", 9, 4, weights="learned"),
        TableConfig("c", 9, 2),
    )
    config = ModelConfig("m", 3, (5, 4), (6, 5, 1), "dot", tables, sigmoid_bottom=1, sigmoid_top=0)
    for samples in (3, 50):
        model = DLRM(config, 1)
        inputs = batch(config, samples, 2)
        torch.testing.assert_close(FastInference(model)(*inputs), model(*inputs).detach(), rtol=1e-5, atol=1e-6)


def test_heavy_bags_go_another_way_to_the_same_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookups_module, "HEAVY", 100)
    config = ModelConfig("m", 3, (8,), (1,), "cat", (TableConfig("a", 50, 8), TableConfig("b", 60, 8)))
    model = DLRM(config)
    dense, indices, offsets = batch(config, TILE + 30, 3, most=20)
    indices[1], offsets[1] = indices[1][:5], torch.clamp(offsets[1], max=5)
    inputs = dense, indices, offsets
    torch.testing.assert_close(FastInference(model)(*inputs), model(*inputs).detach(), rtol=1e-5, atol=1e-6)
    indices[0][700] = 50
    with pytest.raises(HotrowError, match=r"table 'a', sample \d+: index 50; the table has 50 rows"):
        FastInference(model)(*inputs)


CONFIG = ModelConfig("m", 3, (8,), (1,), "dot", (TableConfig("a", 5, 8), TableConfig("b", 7, 8)))


@pytest.mark.parametrize("samples", [2, TILE + 2])
def test_what_does_not_fit_is_named(samples: int) -> None:
    fast = FastInference(DLRM(CONFIG))
    dense, indices, offsets = batch(CONFIG, samples, 4, most=2)
    bags = torch.arange(samples + 1, dtype=torch.int32)
    rows = torch.zeros(samples, dtype=torch.int32)
    for value in (7, -1):
        wrong = rows.clone()
        wrong[-1] = value
        with pytest.raises(HotrowError, match=f"table 'b', sample {samples - 1}: index {value}; the table has 7 rows"):
            fast(dense, [indices[0], wrong], [offsets[0], bags])
    with pytest.raises(HotrowError, match="'b': offsets must start at 0"):
        fast(dense, [indices[0], rows], [offsets[0], bags + 1])
    with pytest.raises(HotrowError, match="must be integers"):
        fast(dense, [indices[0], rows.float()], [offsets[0], bags])
    with pytest.raises(HotrowError, match="takes"):
        fast(dense[:, :2], indices, offsets)


def test_other_precisions_are_refused() -> None:
    with pytest.raises(HotrowError, match="needs float32"):
        FastInference(DLRM(CONFIG, dtype=torch.bfloat16))


def test_types_may_differ_and_tensors_have_gaps() -> None:
    model = DLRM(msgspec.structs.replace(CONFIG, interaction="cat"))
    dense, indices, offsets = batch(CONFIG, 6, 5)
    spread = [torch.repeat_interleave(rows, 2)[::2] for rows in indices]
    mixed = [starts.long() for starts in offsets]
    expected = model(dense, indices, offsets).detach()
    torch.testing.assert_close(
        FastInference(model)(dense.t().contiguous().t(), spread, mixed), expected, rtol=1e-5, atol=1e-6
    )


def test_many_threads_take_large_batches_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    model = DLRM(CONFIG)
    for threads, samples, fast in ((1, 10_000, True), (2, 10_000, True), (16, 64, True), (16, 10_000, False)):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        assert isinstance(faster(model, samples), FastInference) is fast
    assert not isinstance(faster(DLRM(CONFIG, dtype=torch.bfloat16), 1), FastInference)
