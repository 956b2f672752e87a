"""The same model on a CUDA device: probabilities, gradients and steps as on the CPU."""

import copy
import json
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hotrow.experiments.models import training
from hotrow.models.config import ModelConfig, TableConfig
from hotrow.models.data.distributions import Pooling
from hotrow.models.data.random_source import RandomSource
from hotrow.models.dlrm import DLRM
from hotrow.models.tables import Hashed, QuotientRemainder
from hotrow.models.training.schedule import Schedule
from hotrow.models.training.train import Trainer, Training

TABLES = (
    TableConfig("a", 60, 8),
    TableConfig("b", 40, 8, storage=Hashed(7)),
    TableConfig("c", 30, 8, storage=QuotientRemainder(4, "add")),
    TableConfig("d", 20, 4, weights="learned"),
)
KINDS: list[dict[str, Any]] = [
    {"interaction": "dot", "interaction_itself": True},
    {"interaction": "cat"},
    {"interaction": "dcnv2", "cross_layers": 2, "cross_rank": 3},
]


@pytest.fixture(autouse=True)
def cuda() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")


def source(config: ModelConfig) -> RandomSource:
    return RandomSource(config, 40, 8, 1, (Pooling(3, True),) * len(config.tables), round_labels=True)


@pytest.mark.gpu
@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_and_gradients(kind: dict[str, Any]) -> None:
    here = DLRM(ModelConfig("m", 3, (9, 8), (10, 1), tables=TABLES, **kind), 1)
    there = copy.deepcopy(here).to("cuda")
    batch = source(here.config).batch(0, 0)
    moved = batch.dense.cuda(), [i.cuda() for i in batch.indices], [o.cuda() for o in batch.offsets]
    expected, got = here(batch.dense, batch.indices, batch.offsets), there(*moved)
    torch.testing.assert_close(got.cpu(), expected, rtol=1e-4, atol=1e-5)
    expected.sum().backward()
    got.sum().backward()
    for (name, one), other in zip(here.named_parameters(), there.parameters(), strict=True):
        torch.testing.assert_close(other.grad.to_dense().cpu(), one.grad.to_dense(), rtol=1e-3, atol=1e-5, msg=name)


@pytest.mark.gpu
@pytest.mark.parametrize("optimizer", ["sgd", "adagrad", "rwsadagrad"])
def test_a_training_has_the_same_losses(optimizer: Any) -> None:
    config = ModelConfig("m", 3, (9, 8), (10, 1), "dot", TABLES)
    losses = []
    for device in ("cpu", "cuda"):
        training = Training(Schedule(0.02), 2, optimizer, test_every=3)
        trainer = Trainer(DLRM(config, 2).to(device), source(config), training, source(config))
        list(trainer.run())
        losses.append([point.loss for point in trainer.progress.points])
    np.testing.assert_allclose(losses[1], losses[0], atol=1e-4)


@pytest.mark.gpu
def test_a_process_of_a_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    for name, value in {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}.items():
        monkeypatch.setenv(name, value)
    losses = []
    for device in ("--use-gpu=False", "--use-gpu"):
        out = tmp_path / device
        with monkeypatch.context() as patch:
            patch.setattr(training, "processes", lambda: 2)
            flags = ["--data-size=64", "--mini-batch-size=8", "--test-freq=4", "--quiet", "--out", str(out)]
            training.main([device, *flags])
        losses.append([point["loss"] for point in json.loads((out / "result.json").read_text())["points"]])
    np.testing.assert_allclose(losses[1], losses[0], atol=1e-5)
