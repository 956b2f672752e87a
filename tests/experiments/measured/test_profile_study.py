"""A model's profile over batches and axes, on a tiny model; failures are kept beside the rest."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from hotrow import HotrowError
from hotrow.experiments.measured import profile_study
from hotrow.experiments.measured.axes import everything, parse_axes, varied
from hotrow.experiments.measured.int8_tables import quantize_tables
from hotrow.experiments.measured.profile_answer import Answer, Question, hangs, side_by_side, steps, whole_numbers
from hotrow.experiments.measured.profile_figures import figures, flame_graph
from hotrow.experiments.measured.profile_files import save
from hotrow.experiments.measured.profile_grids import grids, library_words, short, stack_grid
from hotrow.experiments.measured.profile_study import ModelProfile, Request, processes, profile_model
from hotrow.experiments.measured.traces import (
    CYCLE_BYTES,
    FEWEST_BATCHES,
    MOST_BATCHES,
    batches_for,
    samples_for,
    trace_files,
)
from hotrow.experiments.measured.workloads import dlrm, sharing_weights
from hotrow.models.config import ModelConfig, TableConfig, load_preset
from hotrow.models.dlrm import DLRM
from hotrow.models.inputs import uniform_trace
from hotrow.models.tables import Hashed
from hotrow.profiling.isa import Verified
from hotrow.profiling.measurement import Measurement
from hotrow.profiling.processes.child import Result, StepRun
from hotrow.profiling.processes.configuration import Configuration
from hotrow.profiling.processes.runner import Outcome, Plan, Process, Runs, Stopped
from hotrow.profiling.profilers.py_spy import StackProfile, Symbol

COST = Measurement("py-spy overhead", 1.2, 1.1, 1.3, "ratio", "measured", 9)
STACKS = StackProfile("forward 8", {("a", "b"): 3, ("a",): 1}, 100, True, COST, 0.5, 0.25, (Symbol(0.9, "f", "l"),), ())
CONFIG = ModelConfig("tiny", 4, (8, 4), (8, 1), "dot", (TableConfig("a", 50, 4), TableConfig("b", 20, 4, 3.0)))
FIGURES = ("inference", "forward", "training", "axis-precision", "axis-trace", "axis-backend")
QUICK = Plan(processes=1, seconds=0.01, patience=0.0, least=3, traced=2)
BASE = Configuration("base", "m:f", {"config": msgspec.to_builtins(CONFIG)})


@pytest.fixture(scope="module")
def profile() -> ModelProfile:
    axes = {
        "precision": ("bf16", "int8-tables"),
        "threads": ("5000",),
        "trace": ("uniform", "synthetic"),
        "backend": ("fast",),
    }
    request = Request((2, 8), ("inference", "forward", "training"), axes, stacks=False, axis_processes=1)
    return profile_model(CONFIG, uniform_trace(CONFIG, 64), request, QUICK)


def test_ctrl_c_keeps_what_is_finished() -> None:
    calls = []

    def stop(amount: int) -> None:
        calls.append(amount)
        if len(calls) == 2:  # in the first process along the axis
            raise KeyboardInterrupt

    request = Request((2,), ("inference",), {"threads": ("1",)}, axis_processes=1)
    found = profile_model(CONFIG, None, request, QUICK, stop)
    assert found.stopped
    assert found.stacks is None
    assert [step.mode for step in found.steps] == ["inference"]
    assert "stopped by Ctrl-C: 1 of 1 processes" in found.notes[0]
    assert [(point.speedup, point.failure) for point in found.axes] in ([(None, "not run")], [])
    text = "\n".join(line for grid in grids(found) for line in grid.lines())
    assert "inference 2" in text


def test_ctrl_c_before_the_first_process_ends_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(configurations: Sequence[Configuration], *_: object, **__: object) -> Runs:
        raise Stopped(Runs(tuple(map(Outcome, configurations)), configurations[0].name))

    monkeypatch.setattr(profile_study, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        profile_model(CONFIG, None, Request((2,), ("inference",)), QUICK)


def test_every_step_has_its_parts(profile: ModelProfile) -> None:
    modes = ("inference", "forward", "training")
    assert [(s.mode, s.batch) for s in profile.steps] == [(m, b) for m in modes for b in (2, 8)]
    assert "release" in {part.role for part in profile.steps[2].operators.roles}
    for step in profile.steps:
        assert step.operators.total == step.total
        assert sum(part.share.value for part in step.operators.roles) == pytest.approx(1)
        assert {"bottom", "embedding", "interaction", "top"} <= {part.role for part in step.operators.roles}
        assert {"bottom", "embedding", "interaction", "top"} <= {rate.role for rate in step.rates}
    assert "optimizer" in {rate.role for rate in profile.steps[-1].rates}
    assert profile.steps[0].total.metadata["index_distribution"] == "trace"
    assert any("no dense features" in note for note in profile.notes)


def test_distinct_rows_are_those_of_the_model(profile: ModelProfile) -> None:
    narrow = dataclasses.replace(profile.steps[0], batch=8)
    few = msgspec.structs.replace(CONFIG, tables=tuple(msgspec.structs.replace(t, rows=1) for t in CONFIG.tables))
    outcome = Outcome(BASE, (Process(0, Result([StepRun("inference 8", [1.0], [1.0], [True], 1, narrow.operators)])),))
    (step,) = profile_study._steps(outcome, Request((8,), ("inference",)), few, uniform_trace(CONFIG, 64))
    work = next(rate.work for rate in step.rates if rate.role == "embedding")
    assert work.distinct_bytes == 2 * 4 * CONFIG.dim  # one row of each table, whatever the trace's ids


def test_axes_have_speedups_or_reasons(profile: ModelProfile) -> None:
    points = {(p.axis, p.setting, p.step): p for p in profile.axes}
    low = points["precision", "bf16", "inference 8"]
    assert low.total is not None
    assert low.speedup is not None
    assert low.check is not None
    assert low.check.agrees
    assert low.check.difference > 0
    small = points["precision", "int8-tables", "inference 8"]
    assert small.check is not None
    assert small.check.agrees
    assert small.check.difference > 0
    fast = points["backend", "fast", "inference 8"]
    assert fast.check is not None
    assert fast.check.agrees
    crowd = points["threads", "5000", "inference 2"]
    assert crowd.total is None
    assert "5000 threads" in str(crowd.failure)
    assert {points["trace", name, "inference 8"].failure for name in ("uniform", "synthetic")} == {None}
    assert points["trace", "synthetic", "inference 8"].check is None  # another trace gives another output


def test_grids_show_everything(profile: ModelProfile) -> None:
    made = grids(profile)
    text = "\n".join(line for grid in made for line in (grid.caption, *grid.lines()))
    for words in (
        "inference 2",
        "embedding lookups",
        "Work of every part",
        "Along precision",
        "agrees",
        "failed",
        "5000 threads; this process",
    ):
        assert words in text
    assert [row[:2] for row in stack_grid(STACKS).rows] == [("b", "75.0%"), ("a", "25.0%"), ("f (l)", "90.0%")]
    assert "4 samples at 100 Hz; Python 25% of them" in stack_grid(STACKS).caption


def test_files_hold_everything(profile: ModelProfile, tmp_path: Path) -> None:
    answer = Answer(dataclasses.replace(profile, stacks=STACKS, notes=("a note",)))
    made = save(answer, tmp_path, "hotrow profile")
    assert {path.name for path in made} == {
        "profile.json",
        "profile.html",
        "flame.svg",
        "speedscope.json",
        *(f"{name}{suffix}" for name in FIGURES for suffix in (".svg", ".png")),
    }
    numbers = json.loads((tmp_path / "profile.json").read_text())["profile"]
    assert numbers["stacks"]["stacks"] == {"a;b": 3, "a": 1}
    assert len(numbers["steps"]) == 6
    page = (tmp_path / "profile.html").read_text()
    for words in (
        "Flame graph: blue is Python",
        "Along precision",
        "A note.",
        "Made by hotrow profile",
        "5000 threads;",
    ):
        assert words in page
    assert page.count("<svg") == len(FIGURES) + 1


def test_figures_of_a_profile(profile: ModelProfile) -> None:
    made = figures(profile)
    assert set(made) == set(FIGURES)
    assert [bar.get_text() for bar in made["axis-precision"].axes[0].get_yticklabels()] == [
        "bf16, inference 2",
        "bf16, inference 8",
        "int8-tables, inference 2",
        "int8-tables, inference 8",
    ]
    assert flame_graph(profile) is None


def three_tables(folder: Path) -> Path:
    np.savez(folder / "three.npz", f0=np.arange(3), f1=np.arange(3), f2=np.arange(3))
    return folder / "three.npz"


def test_enough_batches_that_rows_do_not_stay_in_cache() -> None:
    big = load_preset("criteo-kaggle")
    assert batches_for(big, 1) == MOST_BATCHES
    assert 64 * 1024 * batches_for(big, 1024) * 26 >= CYCLE_BYTES
    assert batches_for(load_preset("rm2"), 1024) == FEWEST_BATCHES
    assert samples_for(big, (1, 1024)) == 1024 * batches_for(big, 1024)


def test_a_bar_does_not_claim_a_width_that_was_not_in_effect(profile: ModelProfile) -> None:
    seen = (
        Verified("ATen", "avx2", "AVX2", "", True),
        Verified("MKL", "avx2", "generic", "", False),
        Verified("FBGEMM", "not settable", "AVX512", "", None),
    )
    point = dataclasses.replace(profile.axes[0], axis="isa", setting="avx2", isa=seen)
    (label,) = figures(dataclasses.replace(profile, axes=(point,)))["axis-isa"].axes[0].get_yticklabels()
    assert label.get_text() == "avx2 (not MKL, FBGEMM), inference 2"


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HotrowError, match="axis 'colour'; "):
        profile_model(CONFIG, request=Request(axes={"colour": ()}), plan=QUICK)
    with pytest.raises(HotrowError, match="did you mean 'threads'"):
        varied(BASE, {"thread": ("1",)})
    with pytest.raises(HotrowError, match="choose --batch 1 to 4"):
        profile_model(CONFIG, uniform_trace(CONFIG, 4), Request((8,)), QUICK)
    with pytest.raises(HotrowError, match="mode 'backward'; known are inference"):
        Request(modes=("backward",))
    for batches in ((), (0,), (4, 4)):
        with pytest.raises(HotrowError, match="different whole numbers"):
            Request(batches)
    with pytest.raises(HotrowError, match="give one with --trace"):
        trace_files(["synthetic"], None, CONFIG, (2,), tmp_path)
    with pytest.raises(HotrowError, match="tables, model 'tiny' 2"):
        trace_files([str(three_tables(tmp_path))], None, CONFIG, (2,), tmp_path)
    with pytest.raises(HotrowError, match="precision 'fp7'"):
        dlrm(msgspec.to_builtins(CONFIG), [2], precision="fp7")  # type: ignore[arg-type]
    with pytest.raises(HotrowError, match="int8-tables by backend 'eager' on cpu cannot learn"):
        dlrm(msgspec.to_builtins(CONFIG), [2], precision="int8-tables")
    with pytest.raises(HotrowError, match="device 'tpu'; known are cpu, cuda"):
        dlrm(msgspec.to_builtins(CONFIG), [2], device="tpu")
    hashed = msgspec.structs.replace(CONFIG.tables[0], storage=Hashed(5))
    with pytest.raises(HotrowError, match="'a': int8 is for plain tables"):
        quantize_tables(DLRM(msgspec.structs.replace(CONFIG, tables=(hashed, CONFIG.tables[1]))))
    for wrong, message in (({"backend": "foo"}, "backend 'foo'; known are eager"), ({"device": "tpu"}, "device 'tpu'")):
        with pytest.raises(HotrowError, match=message):
            Request(**wrong)
    if not torch.cuda.is_available():
        with pytest.raises(HotrowError, match="CUDA was asked for"):
            dlrm(msgspec.to_builtins(CONFIG), [2], device="cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cpu_and_gpu_agree() -> None:
    cpu, gpu = (dlrm(msgspec.to_builtins(CONFIG), [8], device=device) for device in ("cpu", "cuda"))
    assert cpu.output is not None
    assert gpu.output is not None
    np.testing.assert_allclose(cpu.output(), gpu.output(), rtol=1e-4)


def test_axes_from_words_to_configurations() -> None:
    axes = parse_axes(
        ["isa", "threads=1, 2", "dim=8", "pooling=5", "huge-pages=yes", "wait-policy=passive", "pinned=no"]
    )
    assert axes["isa"] == ()
    assert axes["threads"] == ("1", "2")
    made = varied(BASE, axes)
    assert made["threads", "2"].threads == 2
    assert made["huge-pages", "yes"].huge_pages
    assert made["wait-policy", "passive"].wait_policy == "passive"
    assert made["pinned", "no"].cpus == ()
    wide = msgspec.convert(made["dim", "8"].arguments["config"], ModelConfig)
    assert {table.dim for table in wide.tables} == {wide.dim} == {8}
    pooled = msgspec.convert(made["pooling", "5"].arguments["config"], ModelConfig)
    assert {table.pooling for table in pooled.tables} == {5}
    assert len({c.name for c in made.values()}) == len(made)
    assert {isa for axis, isa in made if axis == "isa"} == set(everything("isa"))
    assert processes(Request(axes=axes), QUICK) == 1 + 3 * (1 + len(made))
    traces = varied(BASE, {"trace": ("uniform", "meta")}, {"meta": "x.npz"})
    assert [c.arguments["trace"] for c in traces.values()] == [None, "x.npz"]
    for words, message in (
        ("dim", "needs its settings"),
        ("threads=two", "whole number"),
        ("precision=fp7", "known are fp32"),
    ):
        with pytest.raises(HotrowError, match=message):
            varied(BASE, parse_axes([words]))


def test_words_of_the_command_line() -> None:
    assert whole_numbers("1, 16", "--batch") == (1, 16)
    for text in ("", "1,,2", "0", "x", "-1"):
        with pytest.raises(HotrowError, match="--batch"):
            whole_numbers(text, "--batch")
    assert side_by_side(None) is None
    assert side_by_side("all") == ()
    assert side_by_side("1,3") == (1, 3)


def test_progress_counts_every_process() -> None:
    assert steps(Question(Request(axes={"threads": ("1",)}), QUICK)) == 1 + 3 * 2
    assert steps(Question(plan=QUICK, colocate=(1,))) == 1 + 4
    assert steps(Question(plan=QUICK, operators=True)) > 20


def test_where_simd_knobs_do_not_reach_is_said() -> None:
    note = profile_study._beyond_knobs
    assert note(Request()) == note(Request(backend="fast", modes=("inference",))) == note(Request(isa="avx2")) == ()
    assert "brought along by fast may" in note(Request(backend="fast", axes={"isa": ()}))[0]
    assert "by fast, compile, aot, onnx" in note(Request(isa="avx2", axes={"backend": ()}))[0]


def test_hangs_say_where_they_stood(profile: ModelProfile) -> None:
    hung = dataclasses.replace(profile.axes[0], axis="isa", setting="avx2", failure="hung", stack="Thread 1")
    found = Answer(dataclasses.replace(profile, axes=(*profile.axes, hung, hung)))
    assert hangs(found) == ("isa avx2 stood at\nThread 1",)


def test_two_models_share_their_weights() -> None:
    model = DLRM(CONFIG, 1)
    other = sharing_weights(model)
    model.requires_grad_(False)
    other.requires_grad_(True)
    for one, two in zip(model.parameters(), other.parameters(), strict=True):
        assert one.data_ptr() == two.data_ptr()
        assert not one.requires_grad
        assert two.requires_grad


def test_words_of_libraries_and_frames() -> None:
    assert library_words(Verified("MKL", "avx2", "generic, CNR AUTO", "", False)) == (
        "generic, CNR AUTO although asked for avx2"
    )
    assert library_words(Verified("FBGEMM", "not settable", "AVX512", "", None)) == "AVX512 (not settable)"
    assert library_words(Verified("MKL", "avx2", "unverified", "", None)) == "unverified (avx2)"
    assert library_words(Verified("ATen", "avx2", "AVX2", "", True)) == "AVX2"
    assert len(short("f" * 500)) <= 73
    assert short("f") == "f"
