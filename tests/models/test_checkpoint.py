"""State from the public DLRM benchmark: its numbers come out, and foreign state is refused by name."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hotrow import HotrowError
from hotrow.models.checkpoint import import_benchmark, load_state
from hotrow.models.compression import mixed_dimension, quotient_remainder
from hotrow.models.config import ModelConfig, TableConfig
from hotrow.models.dlrm import DLRM
from hotrow.models.loss import click_loss

CLOSE = {"rtol": 1e-5, "atol": 2e-6}


def config_of(flags: dict[str, Any]) -> ModelConfig:
    rows, bottom, top = (
        [int(n) for n in flags[f"arch_{name}"].split("-")] for name in ("embedding_size", "mlp_bot", "mlp_top")
    )
    dim = flags["arch_sparse_feature_size"]
    weights = flags["weighted_pooling"] or "none"
    config = ModelConfig(
        name="golden",
        dense=bottom[0],
        bottom=tuple(bottom[1:]),
        top=tuple(top),
        interaction=flags["arch_interaction_op"],
        tables=tuple(TableConfig(f"f{k}", n, dim, weights=weights) for k, n in enumerate(rows)),
        interaction_itself=flags["arch_interaction_itself"],
    )
    if flags["qr_flag"]:
        config = quotient_remainder(config, flags["qr_threshold"], flags["qr_collisions"], flags["qr_operation"])
    if flags["md_flag"]:
        config = mixed_dimension(config, flags["md_threshold"], flags["md_temperature"], flags["md_round_dims"])
    return config


@pytest.mark.parametrize(
    "case",
    [
        "01_default_dot_mse",
        "02_dot_bce_varpool",
        "03_dot_itself_bce_fixedpool",
        "04_cat_mse",
        "05_qr_mult_mixed",
        "08_md",
        "11_wpool_learned",
        "14_empty_bags",
        "16_adagrad",
    ],
)
def test_the_benchmarks_numbers(shared: Path, case: str) -> None:
    folder = shared / "golden" / "dlrm"
    index = json.loads((folder / "index.json").read_text())
    flags = next(part[case] for part in (index, *index.values()) if isinstance(part, dict) and case in part)["flags"]
    golden = np.load(folder / f"{case}.npz")
    model = DLRM(config_of(flags))
    load_state(model, import_benchmark(group(golden, "state/")))

    inputs = (
        torch.from_numpy(golden["dense"]),
        [torch.from_numpy(golden[f"indices_{k}"]) for k in range(len(golden["offsets"]))],
        list(torch.from_numpy(golden["offsets"])),
    )
    label = torch.from_numpy(golden["target"])[:, 0]
    np.testing.assert_allclose(model.logits(*inputs).detach()[:, None], golden["logits"], **CLOSE)
    probability = model(*inputs)
    np.testing.assert_allclose(probability.detach()[:, None], golden["output"], **CLOSE)
    loss = click_loss(probability, label, flags["loss_function"], threshold=flags["loss_threshold"])
    np.testing.assert_allclose(loss.item(), golden["loss"], **CLOSE)

    loss.backward()
    gradients = import_benchmark(group(golden, "grad/"))
    assert gradients.keys() == dict(model.named_parameters()).keys()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        np.testing.assert_allclose(parameter.grad.to_dense(), gradients[name], **CLOSE, err_msg=name)

    optimizers = {"sgd": torch.optim.SGD, "adagrad": torch.optim.Adagrad}
    optimizers[flags["optimizer"]](model.parameters(), lr=flags["learning_rate"]).step()
    for name, value in import_benchmark(group(golden, "state_after/")).items():
        np.testing.assert_allclose(model.state_dict()[name], value, **CLOSE, err_msg=name)
    np.testing.assert_allclose(model(*inputs).detach()[:, None], golden["output_after_step"], **CLOSE)


def group(golden: Any, prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): golden[name] for name in golden.files if name.startswith(prefix)}


def test_distributed_names_lose_their_module() -> None:
    state = {
        "emb_l.0.weight": np.zeros((2, 2)),
        "bot_l.module.0.bias": np.zeros(2),
        "top_l.module.4.weight": np.zeros(2),
    }
    assert list(import_benchmark(state)) == ["tables.0.weight", "bottom.0.bias", "top.4.weight"]


def test_foreign_state_names_what_is_wrong() -> None:
    with pytest.raises(HotrowError, match=r"unexpected layer1\.weight, fc\.bias; it has emb_l"):
        import_benchmark({"layer1.weight": torch.zeros(1), "fc.bias": torch.zeros(1), "bot_l.0.bias": torch.zeros(1)})
    config = ModelConfig("m", 3, (2,), (1,), "cat", (TableConfig("t", 4, 2),))
    state = DLRM(config).state_dict()
    del state["top.0.bias"]
    state["extra"] = torch.zeros(1)
    state["tables.0.weight"] = torch.zeros(5, 2)
    with pytest.raises(
        HotrowError, match=r"missing top\.0\.bias; unexpected extra; .* \(5, 2\), the model's is \(4, 2\)"
    ):
        load_state(DLRM(config), state)
