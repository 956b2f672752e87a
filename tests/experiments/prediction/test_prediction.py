"""The answers of hotrow predict, and what others published."""

import dataclasses
import json
from pathlib import Path

import msgspec
import numba
import pytest

from hotrow import HotrowError
from hotrow.analysis.prediction.coefficients import datasheet
from hotrow.analysis.prediction.operators import Setting
from hotrow.experiments.inputs import inputs
from hotrow.experiments.prediction import command, curves, figures, grids, measured_points, published
from hotrow.experiments.prediction.measured_points import Timed
from hotrow.profiling.machine_files import load_machine

pytestmark = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="minutes in the interpreter")


@pytest.fixture(scope="module")
def found() -> command.Answer:
    request = command.Request(batches=(1, 16), against="h100", setting=Setting())
    config, trace = inputs("rm1", None, 0.001)
    short = dataclasses.replace(trace, tables=trace.samples_between(0, 64).tables)
    return command.answer(config, short, "skylake", request)


def test_an_answer_prints_and_is_json(found: command.Answer, tmp_path: Path) -> None:
    made = grids.grids(found)
    text = "\n".join(line for grid in made for line in grid.lines())
    assert "embedding" in text
    assert "samples/s within it" in text
    plain = json.loads(json.dumps(grids.plain(found), allow_nan=False))
    assert [step["batch"] for step in plain["steps"]] == [1, 16]
    assert set(plain["against"]) == {"1", "16"}
    grids.save(found, tmp_path)
    constraints = json.loads((tmp_path / "torchrec-constraints.json").read_text())
    assert len(constraints["constraints"]) == 8
    assert set(figures.figures(found)) == {"predicted-shares", "roofline", "what-if"}


def test_what_if_has_curves_of_everything_and_points_on_them(found: command.Answer) -> None:
    made = curves.curves_of(found)
    assert set(made) == {"last cache", "memory bandwidth", "SIMD width", "batch", "threads"}
    for name, curve in made.items():
        assert dict(curve)[1.0] == pytest.approx(found.middle.seconds), name
    assert [seconds for _, seconds in made["batch"]] == [step.seconds for step in found.predictions]
    timed = {"batch": (Timed(1.0, 2e-4, 1e-4, 3e-4),), "threads": (Timed(2.0, 1e-4, 1e-4, 2e-4),)}
    drawn = figures.figures(found, timed)["what-if"]
    labels = [text.get_text() for text in drawn.axes[0].get_legend().get_texts()]
    assert {*made, "measured"} <= set(labels)
    lines = "\n".join(grids.measured_grid(found, timed).lines())
    assert "batch × 1" in lines
    assert json.loads(json.dumps(grids.plain(found, timed)))["measured"]["batch"][0]["seconds"] == 2e-4


def test_measuring_asks_for_every_batch_thread_count_and_width(found: command.Answer) -> None:
    asked = measured_points.configurations(found, "t")
    assert asked["batch"][1].arguments["batches"] == [1, 16]
    assert asked["threads 1"][0] == 1
    assert max(factor for name, (factor, _) in asked.items() if name.startswith("SIMD")) == 1
    assert measured_points.processes(found) == 3 * len(asked)


def test_a_roofline_shows_what_parts_reach_on_each_machine(found: command.Answer) -> None:
    for name in ("skylake", "h100"):
        machine = load_machine(name)
        made = figures.reached(found, datasheet(machine))
        assert {"bottom", "top", "embedding"} <= set(made)
        assert all(0 < flops <= machine.peak("fp32") for _, flops in made.values())


def test_an_imagined_machine_is_named_and_answers(tmp_path: Path, found: command.Answer) -> None:
    path = tmp_path / "wide-cache.toml"
    path.write_text('base = "skylake"\n[caches.L3]\nsize = "512 MiB"\nways = "16"\n')
    config, trace = inputs("rm1", None, 0.001)
    made = command.answer(config, trace.samples_between(0, 64), str(path), command.Request(batches=(1, 16)))
    assert made.costs.machine == "wide-cache"
    assert made.predictions[1].seconds <= found.predictions[1].seconds


def test_a_short_trace_of_small_tables_is_said_to_be_short() -> None:
    config, trace = inputs("rm1", None, 0.001)
    short, long = (
        command.answer(config, trace.samples_between(0, samples), "skylake", command.Request(batches=(1,)))
        for samples in (16, trace.samples)
    )
    assert any("a longer trace says more" in note for note in short.notes)
    assert not any("a longer trace says more" in note for note in long.notes)


def test_fitted_coefficients_are_read_back_or_refused(tmp_path: Path) -> None:
    costs = datasheet(load_machine("genoa"))
    path = tmp_path / "fitted.json"
    path.write_bytes(msgspec.json.encode(costs))
    assert command.load_fitted(path) == costs
    path.write_text("[]")
    with pytest.raises(HotrowError, match="not fitted coefficients"):
        command.load_fitted(path)
    with pytest.raises(HotrowError, match="cannot be read"):
        command.load_fitted(tmp_path / "none.json")


def test_fitted_coefficients_are_only_of_their_own_machine_and_width(tmp_path: Path) -> None:
    path = tmp_path / "fitted.json"
    path.write_bytes(msgspec.json.encode(datasheet(load_machine("genoa"))))
    request = command.Request(fitted=path)
    assert command.coefficients(load_machine("genoa"), request).machine == "genoa"
    with pytest.raises(HotrowError, match="fitted to machine 'genoa', not to 'skylake'"):
        command.coefficients(load_machine("skylake"), request)
    with pytest.raises(HotrowError, match="leave one out"):
        command.coefficients(load_machine("genoa"), dataclasses.replace(request, isa="avx2"))


def test_published_numbers_are_the_reference_files(shared: Path) -> None:
    lines = (shared / "reference" / "operator_split_cpu.csv").read_text().splitlines()[1:]
    read = {(line.split(",")[0], int(line.split(",")[1])): line.split(",")[2:4] for line in lines}
    for model, pairs in published.SPLIT.items():
        for batch, pair in zip(published.BATCHES, pairs, strict=True):
            assert pair == pytest.approx([float(x) for x in read[f"RMC{model[2]}", batch]], abs=0.1)


def test_only_eight_h100_are_fitted() -> None:
    checks = published.mlperf()
    assert [check.what for check in checks if check.fitted] == ["MLPerf DCNv2, 8 × H100"]
    assert all(abs(check.apart) < 1e-9 for check in checks if check.fitted)
    assert {check.what for check in checks if check.met} >= {"MLPerf DCNv2, 8 × H200", "MLPerf DCNv2, GH200"}
    assert published.butterfly(1) == 0 < published.butterfly(8) < published.butterfly(2)


def test_what_is_fitted_to_a_published_number_meets_it_and_the_others_follow() -> None:
    per_id, call = published.feeding_per_id(), published.layer_call()
    assert 20e-9 < per_id < 1e-6  # an id of a list takes 27 ns on a processor of 2023
    assert 1e-6 < call < 2e-5
    for checks in (published.gpu_ratios(1, per_id), published.operator_split(call)):
        fitted = [check for check in checks if check.fitted]
        assert abs(fitted[0].apart) < 1e-6
        assert sum(check.met for check in checks) > 0.8 * len(checks)
    on_v100 = published.big_basin(published.big_basin_per_id())
    assert [round(check.apart, 6) for check in on_v100 if check.fitted] == [0]
