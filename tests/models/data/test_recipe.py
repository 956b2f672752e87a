"""The benchmark's own numbers: data, initial weights, and the losses of its tiny runs, with debug mode and without."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.models.config import ModelConfig, TableConfig
from hotrow.models.data.distributions import Distribution, Gaussian, Pooling, Uniform, Zipf
from hotrow.models.data.recipe import RecipeSource, initialize_as_benchmark
from hotrow.models.dlrm import DLRM
from hotrow.models.training.schedule import Schedule
from hotrow.models.training.train import Trainer, Training

TINY = ModelConfig(
    "tiny", 4, (3, 2), (4, 2, 1), "dot", tuple(TableConfig(f"f{k}", n, 2) for k, n in enumerate((4, 3, 2)))
)


def of(params: dict[str, Any], samples: int) -> RecipeSource:
    tables = tuple(TableConfig(f"f{k}", n, 2) for k, n in enumerate(params["ln_emb"]))
    config = ModelConfig("m", params["m_den"], (2,), (1,), "dot", tables)
    law: Distribution = Uniform()
    if params["dist"] == "gaussian":
        mean = None if params["mu"] == -1 else params["mu"]
        law = Gaussian(mean, params["sigma"], int(params["mn"]), int(params["mx"]))
    pooling = Pooling(params["nil"], not params["fixed"])
    return RecipeSource(config, samples, params["n"], params["seed"], pooling, law, params["round_targets"])


def test_the_benchmarks_random_data(shared: Path) -> None:
    for case in json.loads((shared / "golden" / "dlrm" / "datagen_random.json").read_text()):
        source = of(case["params"], case["params"]["n"] * len(case["batches"]))
        for k, expected in reversed(list(enumerate(case["batches"]))):  # backwards: the stream starts anew
            batch = source.batch(0, k)
            np.testing.assert_array_equal(batch.dense, np.array(expected["dense"], np.float32))
            assert [rows.tolist() for rows in batch.indices] == expected["indices"]
            assert [starts[:-1].tolist() for starts in batch.offsets] == expected["offsets"]
            np.testing.assert_array_equal(batch.label, np.array(expected["target"], np.float32)[:, 0])


def losses_of(text: str) -> list[str]:
    return re.findall(r"loss ([\d.]+)", text)


@pytest.mark.parametrize("shifted", [False, True])
def test_the_benchmarks_tiny_runs(shared: Path, shifted: bool) -> None:
    """Its debug mode draws the data before the weights, from one stream: so the same command has other losses there."""
    golden = json.loads((shared / "golden" / "dlrm" / "cli_outputs.json").read_text())
    source = RecipeSource(TINY, 6, 2, 123, Pooling(10, True))
    if shifted:
        for k in range(3):
            source.batch(0, k)
    rng = source._stream.rng if shifted else np.random.RandomState(123)
    model = DLRM(TINY)
    initialize_as_benchmark(model, rng)
    trainer = Trainer(model, RecipeSource(TINY, 6, 2, 123, Pooling(10, True)), Training(Schedule(0.01), loss="mse"))
    list(trainer.run())
    printed = [f"{point.loss:.6f}" for point in trainer.progress.points]
    assert printed == losses_of(golden["out2" if shifted else "out1"])


def test_the_recipe_without_the_benchmarks_files() -> None:
    batch = RecipeSource(TINY, 2, 2, 123, Pooling(10, True)).batch(0, 0)
    assert [rows.tolist() for rows in batch.indices] == [[1, 0, 1], [0, 1], [1, 0]]
    assert batch.label.tolist() == pytest.approx([0.36178866, 0.22826323])
    model = DLRM(TINY)
    initialize_as_benchmark(model, np.random.RandomState(123))
    assert model.tables[0].get_parameter("weight")[0, 0].item() == pytest.approx(0.6964691855978616 - 0.5)


def test_what_is_refused() -> None:
    with pytest.raises(HotrowError, match="need --recipe=hotrow"):
        RecipeSource(TINY, 2, 2, 0, Pooling(), Zipf())
    narrow = ModelConfig("m", 4, (3, 2), (1,), "dot", (TableConfig("a", 4, 1),))
    with pytest.raises(HotrowError, match="table 'a' is not plain"):
        initialize_as_benchmark(DLRM(narrow), np.random.RandomState(0))
