"""Precisions, backends and ONNX at the end of hotrow train, the compression study, and training under torchrun."""

import importlib.util
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from hotrow import HotrowError
from hotrow.experiments.models import compression_study, training
from hotrow.experiments.models.training import main
from hotrow.models.backends import backends

SMALL = ["--mini-batch-size=16", "--data-size=64", "--loss-function=bce", "--round-targets", "--arch-mlp-bot=4-8-4"]


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_precisions_side_by_side(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    flags = [*SMALL, "--precisions", "--quantize-emb-with-bit=4", "--quantize-mlp-with-bit=16", "--out", str(tmp_path)]
    assert main(flags) == 0
    text = capsys.readouterr().out
    assert "Quantized, tables 4 bit, MLPs 16 bit: loss 0." in text
    rows = json.loads((tmp_path / "result.json").read_text())["precisions"]
    assert [(row["table_bits"], row["mlp_bits"]) for row in rows] == [
        (32, 32),
        (8, 32),
        (4, 32),
        (32, 16),
        (32, 8),
        (4, 8),
    ]
    assert rows[0]["bytes"] - rows[1]["bytes"] == (4 + 3 + 2) * (16 - 8)
    assert all(abs(row["metrics"]["loss"] - rows[0]["metrics"]["loss"]) < 0.02 for row in rows)
    assert all(0 < row["quartiles"][0] <= row["microseconds"] <= row["quartiles"][1] for row in rows)
    figure = (tmp_path / "precisions.svg").read_text()
    assert all(words in figure for words in ("Accuracy", "Size", "Speed", "tables 4, MLPs 8", "100.0 %"))
    assert (tmp_path / "precisions.png").is_file()


def test_inference_with_fewer_bits(capsys: pytest.CaptureFixture[str]) -> None:
    results = []
    for bits in ("32", "4"):
        assert main([*SMALL, "--inference-only", f"--quantize-emb-with-bit={bits}", "--json"]) == 0
        results.append(json.loads(capsys.readouterr().out)["inference"]["loss"])
    assert 0 < abs(results[0] - results[1]) < 0.01


def test_backends_side_by_side(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(backends.shutil, "which", lambda name: None)
    assert main([*SMALL, "--backends", "--save-onnx", "--out", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert re.search(r"^compile +needs a C\+\+ compiler", text, re.MULTILINE)
    assert re.search(r"model.onnx: written, and run on a batch: probabilities within \d", text)
    rows = {row["name"]: row for row in json.loads((tmp_path / "result.json").read_text())["backends"]}
    assert rows["aot"]["missing"].startswith("needs a C++ compiler")
    for name in ("eager", "fast", "onnx"):
        assert rows[name]["difference"] <= 1e-5
        assert rows[name]["microseconds"] > 0
    assert (tmp_path / "model.onnx").stat().st_size > 100
    if importlib.util.find_spec("jax"):
        assert rows["jax"]["difference"] <= 1e-5
        main([*SMALL, "--weighted-pooling=learned", "--backends"])
        assert re.search(r"^jax +table 'f0': backend 'jax' is for plain tables", capsys.readouterr().out, re.MULTILINE)
    with pytest.raises(HotrowError, match="--save-onnx needs --out"):
        main([*SMALL, "--save-onnx"])


def test_the_compression_study(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = compression_study.Study(samples=2000, rows=(50, 20), batch=64, tests=2, seeds=(1, 2))
    monkeypatch.setattr(training, "Study", lambda: small)
    assert main(["--compression-study", "--out", str(tmp_path)]) == 0
    curves = json.loads((tmp_path / "compression.json").read_text())
    assert len(curves) == 3 * 2 * 4 * 2
    sizes = {curve["precision"]: curve["bytes"] for curve in curves if curve["interaction"] == "dot"}
    assert sizes["fp32"] == 2 * sizes["bf16"]
    assert sizes["fp32"] - sizes["int4"] == 70 * (64 - 12)
    for curve in curves:
        assert curve["seen"] == [768, 1600]
        assert all(0.2 < loss < 1 for loss in curve["test_loss"] + curve["training_loss"])
    assert (tmp_path / "compression.png").stat().st_size > 10_000
    assert len(capsys.readouterr().out.splitlines()) == 1 + 3 * 2 * 4
    with pytest.raises(HotrowError, match="--compression-study needs --out"):
        main(["--compression-study"])


def test_processes_of_torchrun(tmp_path: Path) -> None:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    flags = [*SMALL, "--test-freq=2", "--out", str(tmp_path / "out"), f"--save-model={tmp_path / 'm'}", "--json"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [*launcher, "-m", "hotrow", "train", *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    together = json.loads(done.stdout)
    assert [part["rank"] for part in together["ranks"]] == [0, 1]
    assert json.loads((tmp_path / "out" / "ranks.json").read_text()) == together["ranks"]
    main([*SMALL, "--test-freq=2", "--quiet", "--out", str(tmp_path / "alone")])
    alone = json.loads((tmp_path / "alone" / "result.json").read_text())
    for one, other in zip(together["points"], alone["points"], strict=True):
        assert one["loss"] == pytest.approx(other["loss"], abs=1e-5)
    main([*SMALL, "--inference-only", f"--load-model={tmp_path / 'm'}", "--quiet"])
    longer = ["--test-freq=2", "--nepochs=2", "--quiet", "--out"]
    main([*SMALL, *longer, str(tmp_path / "whole")])
    main([*SMALL, *longer, str(tmp_path / "out"), "--resume", str(tmp_path / "out" / "state.safetensors")])
    one, other = (json.loads((tmp_path / name / "result.json").read_text())["points"] for name in ("out", "whole"))
    assert len(one) == 8
    assert [p["loss"] for p in one] == pytest.approx([p["loss"] for p in other], abs=1e-5)
    assert (tmp_path / "out" / "best.safetensors").is_file()


def test_a_process_alone_in_its_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    environment = {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}

    def go(together: bool, *flags: str) -> dict[str, Any]:
        out = tmp_path / f"{together}"
        with monkeypatch.context() as patch:
            for name, value in environment.items() if together else ():
                patch.setenv(name, value)
            patch.setattr(training, "processes", lambda: 1 + together)
            main([*SMALL, "--quiet", "--out", str(out), *flags])
        result: dict[str, Any] = json.loads((out / "result.json").read_text())
        return result

    both = (False, True)
    log = [f"--tensorboard-filename={tmp_path / 'log'}", "--save-every=1"]
    alone, together = (go(way, *log, f"--save-model={tmp_path / str(way)}.model") for way in both)
    assert [p["loss"] for p in together["points"]] == pytest.approx([p["loss"] for p in alone["points"]], abs=1e-6)
    assert together["seconds_per_batch"] > 0
    assert len(list((tmp_path / "log").iterdir())) >= 1
    alone, together = (go(way, "--inference-only", f"--load-model={tmp_path}/True.model") for way in both)
    assert together["inference"] == pytest.approx(alone["inference"], abs=1e-6)
    alone, together = (
        go(way, "--nepochs=2", "--resume", str(tmp_path / "True" / "state.safetensors")) for way in (True, False)
    )
    assert [p["loss"] for p in together["points"]] == pytest.approx([p["loss"] for p in alone["points"]], abs=1e-6)


@pytest.mark.parametrize(
    ("flags", "rule"),
    [
        (["--debug-mode"], "--debug-mode: only in one process"),
        (["--quantize-emb-with-bit=8"], "--quantize-emb-with-bit: only in one process"),
        (["--dist-backend=mpi"], "--dist-backend=mpi: processes on CPUs talk by gloo"),
    ],
)
def test_what_several_processes_do_not_do(flags: list[str], rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "processes", lambda: 2)
    with pytest.raises(HotrowError, match=re.escape(rule)):
        main([*SMALL, *flags])
