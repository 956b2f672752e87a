"""The model: the public benchmark's numbers, an independent reference, and what it refuses."""

import importlib.util
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow import HotrowError
from hotrow.models import memory
from hotrow.models.config import ModelConfig, TableConfig, load_preset
from hotrow.models.dlrm import DLRM
from hotrow.models.tables import Hashed, Plain, QuotientRemainder, Storage

_spec = importlib.util.spec_from_file_location("reference", Path(__file__).with_name("reference.py"))
assert _spec is not None
assert _spec.loader is not None
reference = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(reference)

TINY = ModelConfig("tiny", 3, (4, 2), (5, 1), "dot", (TableConfig("a", 10, 2), TableConfig("b", 7, 2, 3.5)))


@given(
    kind=st.sampled_from([("dot", False), ("dot", True), ("cat", False)]),
    rows=st.lists(st.integers(1, 20), min_size=1, max_size=4),
    dim=st.integers(1, 5),
    samples=st.integers(1, 6),
    seed=st.integers(0, 2**32 - 1),
    index=st.sampled_from([torch.int32, torch.int64]),
    closed=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_probability_and_gradients_equal_the_reference(
    kind: Any, rows: list[int], dim: int, samples: int, seed: int, index: torch.dtype, closed: bool
) -> None:
    rng = np.random.default_rng(seed)
    tables = tuple(TableConfig(f"t{k}", n, dim) for k, n in enumerate(rows))
    model = DLRM(ModelConfig("m", 3, (4, dim), (5, 1), kind[0], tables, kind[1]), seed)
    dense = rng.random((samples, 3), dtype=np.float32)
    label = rng.integers(0, 2, samples).astype(np.float32)
    sizes = [rng.integers(0, 4, samples) for _ in rows]
    offsets = [np.concatenate(([0], np.cumsum(size))) for size in sizes]
    indices = [rng.integers(0, n, int(o[-1])) for n, o in zip(rows, offsets, strict=True)]

    probability = model(
        torch.from_numpy(dense),
        [torch.as_tensor(i, dtype=index) for i in indices],
        [torch.as_tensor(o if closed else o[:-1], dtype=index) for o in offsets],
    )
    loss = torch.nn.functional.binary_cross_entropy(probability, torch.from_numpy(label))
    loss.backward()

    state = {name: value.numpy().astype(np.float64) for name, value in model.state_dict().items()}
    logits, expected, gradients = reference.run(
        state, dense.astype(float), indices, [o[:-1] for o in offsets], label.astype(float), *kind
    )
    np.testing.assert_allclose(probability.detach(), 1 / (1 + np.exp(-logits)), rtol=1e-5, atol=2e-6)
    np.testing.assert_allclose(loss.item(), expected, rtol=1e-4, atol=2e-6)
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        np.testing.assert_allclose(parameter.grad.to_dense(), gradients[name], rtol=1e-3, atol=1e-5, err_msg=name)


def test_weights_depend_on_the_seed_alone() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first, again, other = DLRM(TINY, 5), DLRM(TINY, 5), DLRM(TINY, 6)
    assert torch.equal(before, torch.get_rng_state())
    for name, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
        assert not torch.equal(value, other.state_dict()[name])


def test_initial_weights_have_the_stated_spread() -> None:
    config = ModelConfig("m", 300, (500, 64), (1,), "cat", (TableConfig("t", 400, 64),))
    state = DLRM(config).state_dict()
    assert state["bottom.0.weight"].std().item() == pytest.approx((2 / 800) ** 0.5, rel=0.02)
    assert state["bottom.0.bias"].std().item() == pytest.approx(500**-0.5, rel=0.2)
    table = state["tables.0.weight"]
    assert 0.99 / 20 < table.max().item() <= 1 / 20 + 1e-7
    assert table.mean().item() == pytest.approx(0, abs=1e-3)
    assert table.std().item() == pytest.approx(1 / 20 / 3**0.5, rel=0.02)


def lookups(*bags: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    offsets = np.concatenate(([0], np.cumsum([len(bag) for bag in bags])))
    return torch.tensor([i for bag in bags for i in bag], dtype=torch.int32), torch.tensor(offsets, dtype=torch.int32)


@pytest.mark.parametrize(
    ("bag", "message"),
    [([7], r"table 'b', sample 1: index 7; the table has 7 rows \(0 to 6\)"), ([-1], "sample 1: index -1")],
)
@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("storage", [Plain(), Hashed(3), QuotientRemainder(4)])
def test_an_index_out_of_range_names_table_sample_and_rows(
    bag: list[int], message: str, storage: Storage, frozen: bool
) -> None:
    tables = tuple(msgspec.structs.replace(table, storage=storage) for table in TINY.tables)
    model = DLRM(msgspec.structs.replace(TINY, tables=tables)).requires_grad_(not frozen)
    (ia, oa), (ib, ob) = lookups([1], [2]), lookups([0, 6], bag)
    with pytest.raises(HotrowError, match=message):
        model(torch.zeros(2, 3), [ia, ib], [oa, ob])


def test_inputs_that_do_not_fit_are_named() -> None:
    model = DLRM(TINY)
    (ia, oa), (ib, ob) = lookups([1], [2]), lookups([0], [3])
    with pytest.raises(HotrowError, match=r"dense has shape \(2, 4\); this model takes \[samples, 3\]"):
        model(torch.zeros(2, 4), [ia, ib], [oa, ob])
    with pytest.raises(HotrowError, match="1 and offsets of 2 tables; this model has 2"):
        model(torch.zeros(2, 3), [ia], [oa, ob])
    with pytest.raises(HotrowError, match="'b': 5 offsets; 2 samples need 2 or 3"):
        model(torch.zeros(2, 3), [ia, ib], [oa, torch.zeros(5, dtype=torch.int32)])
    with pytest.raises(HotrowError, match="'b': offsets must start at 0, not fall"):
        model(torch.zeros(2, 3), [ia, ib], [oa, torch.tensor([1, 1, 2], dtype=torch.int32)])
    with pytest.raises(HotrowError, match="must be integers"):
        model(torch.zeros(2, 3), [ia, ib.float()], [oa, ob])


def test_too_little_memory_is_said_before_allocation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: 2**30)
    with pytest.raises(HotrowError, match=r"'rm2' needs 3\.8 GiB and 1\.0 GiB .* --scale .*: 0\.2 of these rows"):
        DLRM(load_preset("rm2"))


def test_a_containers_limit_counts(tmp_path: Path) -> None:
    assert memory.available_bytes(tmp_path) > 0
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("400000\n")
    assert memory.available_bytes(tmp_path) == 600_000
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.available_bytes(tmp_path) > 600_000


def test_cross_layers_as_the_paper_has_them() -> None:
    config = msgspec.structs.replace(TINY, interaction="dcnv2", cross_layers=2, cross_rank=3)
    model = DLRM(config, dtype=torch.float64)
    rng = np.random.default_rng(0)
    with torch.no_grad():
        for bias in model.interaction.bias:
            bias.copy_(torch.from_numpy(rng.normal(size=bias.shape)))
    vectors = [torch.from_numpy(rng.normal(size=(4, 2))) for _ in range(3)]
    first = x = np.concatenate(vectors, axis=1)
    for k in range(2):
        v, w, b = (getattr(model.interaction, name)[k].detach().numpy() for name in ("down", "up", "bias"))
        x = first * (x @ v.T @ w.T + b) + x
    np.testing.assert_allclose(model.interaction(vectors[0], vectors[1:]).detach(), x, rtol=1e-12)


def test_sigmoids_where_they_are_asked_for() -> None:
    (ia, oa), (ib, ob) = lookups([1], [2]), lookups([0], [3])
    inputs = torch.ones(2, 3), [ia, ib], [oa, ob]
    plain = DLRM(TINY)
    model = DLRM(msgspec.structs.replace(TINY, sigmoid_bottom=1, sigmoid_top=0))
    assert [type(part).__name__ for part in model.bottom] == ["Linear", "ReLU", "Linear", "Sigmoid"]
    assert [type(part).__name__ for part in model.top] == ["Linear", "Sigmoid", "Linear"]
    assert torch.equal(plain(*inputs), torch.sigmoid(plain.logits(*inputs)))
    assert torch.equal(model(*inputs), torch.relu(model.logits(*inputs)))


def test_a_single_table_with_itself_and_a_sample_batch() -> None:
    config = msgspec.structs.replace(TINY, tables=TINY.tables[:1], interaction_itself=True)
    indices, offsets = lookups([4])
    assert DLRM(config)(torch.ones(1, 3), [indices], [offsets]).shape == (1,)
