"""States: a training goes on exactly where it was kept, also after kill -9, and a foreign file is refused by name."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from hotrow import HotrowError
from hotrow.experiments.models import training_loop
from hotrow.experiments.models.training import main
from hotrow.models.config import ModelConfig, TableConfig
from hotrow.models.data.distributions import Pooling
from hotrow.models.data.random_source import RandomSource
from hotrow.models.data.source import Columns, TraceSource
from hotrow.models.dlrm import DLRM
from hotrow.models.training.schedule import Plateau, Schedule
from hotrow.models.training.state import (
    load_model,
    read_header,
    resume_training,
    save_model,
    save_training,
    saved_config,
)
from hotrow.models.training.train import Done, Trainer, Training

CONFIG = ModelConfig("m", 3, (5, 4), (6, 1), "dot", (TableConfig("a", 9, 4), TableConfig("b", 30, 4)))
TRAINING = Training(
    Schedule(0.5, 3, 6, 9), 3, "adagrad", accumulate=2, report_every=3, test_every=4, plateau=Plateau(0.5, 0)
)


def trainer(seed: int, training: Training = TRAINING) -> Trainer:
    def source(samples: int, seed: int) -> TraceSource:
        drawn = RandomSource(CONFIG, samples, 4, seed, (Pooling(), Pooling(4, True)), round_labels=True)
        return TraceSource(CONFIG, Columns.of(drawn.trace()), 4, seed, "total")

    return Trainer(DLRM(CONFIG, seed), source(30, 0), training, source(9, 1))


def test_from_every_step_on_it_is_the_same_training(tmp_path: Path) -> None:
    whole, kept = trainer(0), 0
    for done in whole.run():
        if done.whole:
            save_training(tmp_path / f"{kept}.safetensors", whole, {"seed": 0})
            kept += 1
    assert kept == 12
    for k in range(kept):
        resumed = trainer(99)
        resume_training(tmp_path / f"{k}.safetensors", resumed, {"seed": 0})
        list(resumed.run())
        assert resumed.progress == whole.progress
        assert all(torch.equal(a, b) for a, b in zip(whole.model.parameters(), resumed.model.parameters(), strict=True))


def test_more_epochs_go_on_from_a_finished_training(tmp_path: Path) -> None:
    short = trainer(0, replace(TRAINING, epochs=1))
    list(short.run())
    save_training(tmp_path / "s", short, {})
    longer, whole = trainer(7), trainer(0)
    resume_training(tmp_path / "s", longer, {})
    list(longer.run())
    list(whole.run())
    assert longer.progress == whole.progress


def test_kill_nine_loses_nothing_but_the_last_steps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--data-size=400", "--mini-batch-size=1", "--nepochs=2", "--save-every=7", "--threads=1", "--json"]
    run = "import sys; from hotrow.experiments.models.training import main; main(sys.argv[1:])"
    slow = (
        "import os, time, hotrow.experiments.models.training_loop as t; inner = t.save_training; count = [0]\n"
        "def save(*a):\n"
        "    inner(*a); count[0] += 1\n"
        "    if count[0] == 70: os.kill(os.getpid(), 9)\n"
        "t.save_training = save\n"
    )

    def go(code: str, out: str, *more: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-c", code, *arguments, "--out", str(tmp_path / out), *more]
        return subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})

    main([*arguments, "--out", str(tmp_path / "whole")])
    whole = json.loads(capsys.readouterr().out)
    killed = go(slow + run, "killed")
    assert killed.returncode == -signal.SIGKILL
    state = tmp_path / "killed" / "state.safetensors"
    assert sorted(path.name for path in state.parent.iterdir()) == ["state.safetensors"]
    resumed = go(run, "killed", "--resume", str(state))
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(resumed.stdout)["points"] == whole["points"]


def test_an_interrupted_training_keeps_its_last_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["--data-size=40", "--mini-batch-size=2", "--mlperf-grad-accum-iter=2", "--json", "--out"]

    class Interrupting(training_loop.Printer):
        def batch(self, done: Done) -> None:
            if done.batch == 7:
                signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(training_loop, "Printer", Interrupting)
        with pytest.raises(KeyboardInterrupt):
            main([*arguments, str(tmp_path / "out")])
    assert "kept; --resume goes on from it" in capsys.readouterr().err
    state = tmp_path / "out" / "state.safetensors"
    assert read_header(state)["progress"]["batch"] == 8, "the end of the group of accumulated batches"
    main([*arguments, str(tmp_path / "whole")])
    whole = json.loads(capsys.readouterr().out)
    main([*arguments, str(tmp_path / "out"), "--resume", str(state)])
    assert json.loads(capsys.readouterr().out)["points"] == whole["points"]


def test_a_model_alone(tmp_path: Path) -> None:
    model, other = DLRM(CONFIG, 1), DLRM(CONFIG, 2)
    save_model(tmp_path / "m.safetensors", model)
    load_model(tmp_path / "m.safetensors", other)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))
    assert saved_config(tmp_path / "m.safetensors") == CONFIG
    with pytest.raises(HotrowError, match="holds a model but no training"):
        resume_training(tmp_path / "m.safetensors", trainer(0), {})


def test_what_differs_is_named(tmp_path: Path) -> None:
    path = tmp_path / "s.safetensors"
    save_training(path, trainer(0), {"seed": 1})
    with pytest.raises(HotrowError, match="data's seed was 1 and is 2 now; resume with the same command"):
        resume_training(path, trainer(0), {"seed": 2})
    with pytest.raises(HotrowError, match='training\'s optimizer was "adagrad" and is "sgd" now'):
        resume_training(path, trainer(0, replace(TRAINING, optimizer="sgd")), {"seed": 1})
    wider = DLRM(ModelConfig("m", 3, (5, 4), (7, 1), "dot", CONFIG.tables))
    with pytest.raises(HotrowError, match=r"top\.0\.weight has shape \(6, 7\), the model's is \(7, 7\)"):
        load_model(path, wider)


def test_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "s.safetensors"
    with pytest.raises(HotrowError, match="no such file"):
        load_model(path, DLRM(CONFIG))
    path.write_bytes(b"garbage!" * 9)
    with pytest.raises(HotrowError, match="not a whole safetensors file"):
        load_model(path, DLRM(CONFIG))
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(HotrowError, match="its header has no entry 'hotrow'"):
        load_model(path, DLRM(CONFIG))
    save_training(path, trainer(0), {})
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(HotrowError, match="not a whole safetensors file"):
        resume_training(path, trainer(0), {})
