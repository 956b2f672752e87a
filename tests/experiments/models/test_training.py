"""hotrow train: the published command lines run, and print and keep what they should."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from hotrow import HotrowError
from hotrow.experiments.models.training import main
from hotrow.models.data.teacher import Teacher, planted_log
from hotrow.tracegen import files

TINY = ["--mini-batch-size=2", "--data-size=6"]
CRITEO = ["--data-generation=dataset", "--loss-function=bce", "--round-targets=True", "--learning-rate=0.1"]
LINE = re.compile(r"Finished training it (\d+)/(\d+) of epoch (\d+), (-?\d+\.\d\d) ms/it, loss (\d+\.\d{6})")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 0
    return capsys.readouterr().out


def losses(text: str) -> list[str]:
    return [match[5] for match in LINE.finditer(text)]


def criteo(path: Path, lines: int, seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(lines):
        ids = [f"{n * 2654435761 % 2**32:08x}" for n in (rng.random(26) ** 2 * 50).astype(int)]
        rows.append("\t".join([str(rng.integers(0, 2)), *map(str, rng.integers(0, 9, 13)), *ids]))
    path.write_text("\n".join(rows) + "\n")


def test_the_tiny_run(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, *TINY).splitlines()
    assert lines[:2] == ["Using CPU...", "time/loss/accuracy (if enabled):"]
    assert [LINE.fullmatch(line)[4] for line in lines[2:]] == ["-1.00"] * 3  # type: ignore[index]


def test_the_benchmarks_losses_by_its_recipe(capsys: pytest.CaptureFixture[str], shared: Path) -> None:
    golden = json.loads((shared / "golden" / "dlrm" / "cli_outputs.json").read_text())
    expected = re.findall(r"loss ([\d.]+)", golden["out1"])
    assert losses(printed(capsys, *TINY, "--recipe=benchmark")) == expected
    debug = printed(capsys, *TINY, "--recipe=benchmark", "--debug-mode")
    assert losses(debug) == expected  # debug mode changes no number here
    architecture = golden["out2"][golden["out2"].index("model arch") : golden["out2"].index("initial parameters")]
    assert architecture in debug  # with every mini-batch


@pytest.mark.parametrize(
    "more", [["--debug-mode"], ["--test-freq=1"], ["--print-time"], ["--test-freq=2", "--debug-mode"]]
)
def test_watching_changes_no_number(capsys: pytest.CaptureFixture[str], more: list[str]) -> None:
    assert losses(printed(capsys, *TINY, *more)) == losses(printed(capsys, *TINY))


def test_seeds_change_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    assert losses(printed(capsys, *TINY, "--numpy-rand-seed=7")) != losses(printed(capsys, *TINY))


def test_kaggle(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    criteo(tmp_path / "train.txt", 700)
    command = [
        *CRITEO,
        "--data-set=kaggle",
        "--arch-sparse-feature-size=16",
        "--arch-mlp-bot=13-512-256-64-16",
        "--arch-mlp-top=512-256-1",
        f"--raw-data-file={tmp_path / 'train.txt'}",
        f"--processed-data-file={tmp_path / 'kaggle_processed.npz'}",
        "--mini-batch-size=128",
        "--print-freq=2",
        "--print-time",
        "--test-freq=4",
        "--test-mini-batch-size=16384",
        "--test-num-workers=16",
    ]
    text = printed(capsys, *command)
    assert [match[1] for match in LINE.finditer(text)] == ["2", "4", "5"]
    assert text.count("Testing at - ") == 2
    assert re.search(r"Testing at - 4/5 of epoch 0, loss [\d.]+, accuracy [\d.]+ %, auc [\d.]+, .*best [\d.]+ %", text)
    (tmp_path / "train.txt").unlink()
    assert losses(printed(capsys, *command)) == losses(text)  # from the processed columns
    with pytest.raises(HotrowError, match=r"processed with --max-ind-range=-1"):
        main([*command, "--max-ind-range=10"])


@pytest.mark.parametrize("width", ["64", "128"])
def test_terabyte_and_mlperf(capsys: pytest.CaptureFixture[str], tmp_path: Path, width: str) -> None:
    for day in range(3):
        criteo(tmp_path / f"day_{day}", 60, day)
    text = printed(
        capsys,
        *CRITEO,
        "--data-set=terabyte",
        f"--arch-sparse-feature-size={width}",
        f"--arch-mlp-bot=13-512-256-{width}",
        "--arch-mlp-top=512-512-256-1",
        "--max-ind-range=10000000",
        f"--raw-data-file={tmp_path / 'day'}",
        f"--processed-data-file={tmp_path / 'terabyte_processed.npz'}",
        "--mini-batch-size=64",
        "--test-freq=1",
        "--mlperf-auc-threshold=0.01",
        "--memory-map",
        "--mlperf-logging",
        "--mlperf-bin-loader",
    )
    assert "Finished training it 1/2 of epoch 0" in text
    assert text.endswith("stopped: auc has reached its threshold\n")


def test_bench(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(
        capsys,
        "--arch-mlp-bot=512-512-64",
        "--arch-mlp-top=1024-1024-1024-1",
        "--arch-sparse-feature-size=64",
        f"--arch-embedding-size={'-'.join(['1000'] * 8)}",
        "--num-indices-per-lookup=100",
        "--mini-batch-size=16",
        "--num-batches=2",
        "--numpy-rand-seed=727",
        "--print-time",
    )
    assert len(losses(text)) == 2


def test_a_trace_and_everything_kept(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    files.write(planted_log(Teacher(rows=(9, 7)), 400).trace, tmp_path / "log.parquet")
    arguments = ["--trace", str(tmp_path / "log.parquet"), "--mini-batch-size=32", "--loss-function=bce", "--scale=0.5"]
    out = tmp_path / "out"
    more = ["--test-freq=5", "--best-by=auc", "--nepochs=2", "--tensorboard-filename", str(tmp_path / "tb")]
    result = json.loads(printed(capsys, *arguments, *more, "--out", str(out), "--json", "--enable-profiling"))
    assert {path.name for path in out.iterdir()} == {
        "result.json",
        "learning-curves.svg",
        "learning-curves.png",
        "state.safetensors",
        "best.safetensors",
        "training.json.gz",
    }
    assert result == json.loads((out / "result.json").read_text())
    assert len(result["points"]) == 24
    assert len(result["tests"]) == 6
    assert [table["rows"] for table in result["model"]["tables"]] == [4, 4]
    assert any("modulo" in note for note in result["notes"])
    best = [test["metrics"]["auc"] for test in result["tests"] if test["best"]][-1]
    again = json.loads(
        printed(capsys, *arguments, "--inference-only", "--json", "--load-model", str(out / "best.safetensors"))
    )
    assert again["inference"]["auc"] == pytest.approx(best)
    assert list((tmp_path / "tb").iterdir())


def test_inference_prints_times(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "--inference-only", "--mini-batch-size=4", "--data-size=10", "--print-freq=2")
    assert re.findall(r"Finished inference it (\d)/3, \d+\.\d\d ms/it", text) == ["2", "3"]


def test_synthetic(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for k in range(3):
        (tmp_path / f"dist_emb_{k}.log").write_text("1, 2, 3\n0, 1, 3\n0.5, 0.75, 1.0\n")
    name = f"--data-trace-file={tmp_path / 'dist_emb_j.log'}"
    text = printed(capsys, *TINY, "--data-generation=synthetic", name, "--test-freq=3")
    assert len(losses(text)) == 3
    assert "Testing at - 3/3" in text


@pytest.mark.parametrize(
    "more",
    [
        ["--qr-flag", "--qr-threshold=2"],
        ["--qr-flag", "--qr-operation=concat", "--arch-sparse-feature-size=1", "--qr-threshold=2"],
        ["--md-flag", "--md-threshold=2", "--md-round-dims"],
        ["--weighted-pooling=learned"],
        ["--arch-interaction-op=cat", "--loss-function=wbce", "--loss-weights=0.5-2.0", "--round-targets=True"],
        ["--arch-interaction-itself", "--loss-threshold=0.01"],
        ["--optimizer=rwsadagrad", "--mlperf-grad-accum-iter=2"],
        ["--rand-data-dist=gaussian", "--num-indices-per-lookup-fixed=True"],
        ["--rand-data-dist=zipf", "--lr-num-warmup-steps=1", "--lr-decay-start-step=2", "--lr-num-decay-steps=3"],
        ["--preset=rm1", "--scale=0.00001", "--num-batches=2"],
    ],
)
def test_every_kind_of_model_and_data(capsys: pytest.CaptureFixture[str], more: list[str]) -> None:
    assert all(np.isfinite(float(loss)) for loss in losses(printed(capsys, *TINY, *more)))


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["--arch-sparse-feature-size=3"], "--arch-sparse-feature-size=3: the bottom MLP ends in 2"),
        (["--arch-mlp-bot=4-x"], "--arch-mlp-bot=4-x: numbers parted by dashes"),
        (["--arch-mlp-bot=4"], "then at least one layer"),
        (["--preset=rm1", "--arch-mlp-top=4-1"], "--preset and --arch-mlp-top: give one"),
        (["--qr-flag", "--md-flag"], "choose one"),
        (["--data-generation=dataset"], "needs --raw-data-file"),
        (["--data-generation=dataset", "--raw-data-file=/none"], "no such file, and no /none_0"),
        (["--data-generation=synthetic", "--data-trace-file=/none_j"], "/none_0: cannot be read"),
        (["--loss-weights=1.0"], "--loss-weights=1.0: two are needed"),
        (["--trace=/none.parquet"], "/none.parquet: no such file"),
        (["--trace=meta-2021", "--test-share=1"], "--test-share=1.0"),
        (["--learning-rate=0"], "learning rate 0.0"),
        (["--enable-profiling"], "--enable-profiling needs --out"),
        (["--out", __file__], "cannot be a folder (File exists); choose another place with --out"),
        (["--resume=/none"], "/none: no such file"),
        (["--load-model=/none"], "/none: no such file"),
        (["--recipe=benchmark", "--rand-data-dist=zipf"], "need --recipe=hotrow"),
        (["--mini-batch-size=0"], "--mini-batch-size=0: at least 1 is needed"),
        (["--numpy-rand-seed=-1"], "--numpy-rand-seed=-1: at least 0 is needed"),
        (["--debug-mode", "--print-precision=-1"], "--print-precision=-1: at least 0"),
        (["--rand-data-min=nan"], "--rand-data-min=nan: a finite number is needed"),
        (["--rand-data-dist=gaussian", "--rand-data-sigma=inf"], "--rand-data-sigma=inf: a finite"),
        (["--trace=meta-2021", "--test-share=0.999999"], "none is left to train on; make it smaller"),
        (["--plateau-patience=1"], "a plateau is seen in tests"),
    ],
)
def test_what_is_refused(arguments: list[str], rule: str) -> None:
    with pytest.raises(HotrowError, match=re.escape(rule)):
        main(["--quiet", *arguments])
