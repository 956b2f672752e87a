"""The frozen list, its streams, what is measured of it, and the answers of hotrow predict."""

import dataclasses
import json
from pathlib import Path

import msgspec
import numba
import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.analysis.predict import predict
from hotrow.analysis.prediction.coefficients import datasheet
from hotrow.analysis.prediction.operators import Setting
from hotrow.analysis.prediction.steps import Operator
from hotrow.analysis.prediction.traffic import traffic_of
from hotrow.experiments.inputs import inputs
from hotrow.experiments.prediction import command, grids, published, streams, validation
from hotrow.experiments.prediction.frozen import DEVELOP_TRACES, TEST_TRACES, draw, frozen
from hotrow.experiments.prediction.host_model import PHASES, phase_seconds
from hotrow.experiments.prediction.naive import Roof, naive
from hotrow.experiments.prediction.phases import phases
from hotrow.experiments.prediction.points import Points, load, pieces, steps
from hotrow.models.config import load_preset
from hotrow.models.inputs import uniform_trace
from hotrow.profiling.host import host_facts
from hotrow.profiling.machine import Calibration
from hotrow.profiling.machine_files import load_machine, save_machine

pytestmark = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="minutes in the interpreter")


def test_the_frozen_list_is_what_its_seed_draws() -> None:
    assert frozen() == draw(frozen().seed)


def test_the_frozen_list_has_the_sizes_it_promises() -> None:
    listed = frozen()
    parts = [bag.part for bag in listed.bags]
    assert (parts.count("develop"), parts.count("test")) == (300, 100)
    assert len({(layer.batch, layer.inputs, layer.outputs) for layer in listed.layers}) == 84
    assert sum(model.part == "test" for model in listed.models) == 40
    assert {model.mode for model in listed.models} == {"inference", "training"}
    names = [each.name for each in (*listed.bags, *listed.layers, *listed.models)]
    assert len(set(names)) == len(names)


def test_no_trace_is_both_developed_on_and_tested() -> None:
    assert not set(DEVELOP_TRACES) & set(TEST_TRACES)
    for each in (*frozen().bags, *frozen().models):
        assert each.ids not in (TEST_TRACES if each.part == "develop" else DEVELOP_TRACES)


def test_streams_repeat_and_stay_within_their_table() -> None:
    traces = {name: np.arange(1000) * 7 for name in (*DEVELOP_TRACES, *TEST_TRACES)}
    for bag in frozen().bags[:40]:
        one, again = streams.bag_calls(bag, traces), streams.bag_calls(bag, traces)
        assert np.array_equal(one, again)
        assert one.shape[1] == bag.lookups
        assert 0 <= one.min() <= one.max() < bag.rows


def test_every_configuration_is_in_one_piece() -> None:
    made = pieces()
    whole = [piece.configuration for piece in made.values() if piece.kind in ("bags", "models")]
    listed = [each.name for each in (*frozen().bags, *frozen().models)]
    assert sorted(name for piece in whole for name in piece.arguments["names"]) == sorted(listed)
    apart = [piece.configuration for piece in made.values() if piece.kind == "phases"]
    training = [model.name for model in frozen().models if model.mode == "training"]
    assert [name for piece in apart for name in piece.arguments["names"]] == training
    assert {piece.configuration.threads for piece in made.values() if piece.kind == "threads"} == {2}
    assert steps(Points("n", "c", {}), ("layers",)) == 2 * 5


def test_points_of_another_host_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "points.json"
    assert load(path).seconds == {}
    path.write_bytes(msgspec.json.encode(Points("elsewhere", "other", {})))
    with pytest.raises(HotrowError, match="measured on elsewhere"):
        load(path)
    path.write_text("{")
    with pytest.raises(HotrowError, match="not measured points"):
        load(path)


def test_errors_are_those_of_the_definition() -> None:
    pairs = [
        validation.Pair("a", 1.0, 2.0, 0.5, 1.5, {"naive": 4.0}),
        validation.Pair("b", 1.0, 0.5, 0.8, 1.5, {"naive": 1.0}),
    ]
    found = validation.errors("bags", pairs)
    assert (found.mean, found.worst, found.median) == (100.0, 100.0, 100.0)
    assert found.covered == 100
    assert found.naive == {"naive": 100.0}


def test_a_machine_calibrated_elsewhere_is_not_taken_for_this_host(tmp_path: Path) -> None:
    machine = load_machine("skylake")
    made = msgspec.structs.replace(machine, calibration=Calibration("elsewhere", "other", "2026", 1.0, 0.0))
    save_machine(made, tmp_path / "other.toml")
    with pytest.raises(HotrowError, match="calibrated on elsewhere"):
        validation.host_machine(str(tmp_path / "other.toml"))
    host = host_facts()
    here = msgspec.structs.replace(made, calibration=Calibration(host.node, host.cpu or "unknown", "2026", 1.0, 0.0))
    save_machine(here, tmp_path / "here.toml")
    assert validation.host_machine(str(tmp_path / "here.toml")).name
    with pytest.raises(HotrowError, match="validation measures this host"):
        validation.host_machine("h100")


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
    assert len(constraints) == 8
    assert set(grids.figures(found)) == {"predicted-shares", "roofline", "what-if"}


def test_an_imagined_machine_is_named_and_answers(tmp_path: Path, found: command.Answer) -> None:
    path = tmp_path / "wide-cache.toml"
    path.write_text('base = "skylake"\n[caches.L3]\nsize = "512 MiB"\nways = "16"\n')
    config, trace = inputs("rm1", None, 0.001)
    made = command.answer(config, trace.samples_between(0, 64), str(path), command.Request(batches=(1, 16)))
    assert made.costs.machine == "wide-cache"
    assert made.predictions[1].seconds <= found.predictions[1].seconds


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


def test_naive_models_count_every_byte_once() -> None:
    costs, roof = datasheet(load_machine("skylake")), Roof(1e11, 1e10)
    bag = Operator("bag", "embedding", "gather", m=10, k=100, n=16)
    found = naive(bag, 1000, costs, roof)
    assert found["DRAM roofline"] == pytest.approx((100 * 4 * 17 + 10 * 4 * 16) / 1e10)
    assert found["51 GB/s constant"] == pytest.approx(found["DRAM roofline"] * 1e10 / 51e9)
    assert found["level the table fits in"] < naive(bag, 10**8, costs, roof)["level the table fits in"]
    layer = Operator("layer", "top", "linear", m=64, k=64, n=64)
    assert set(naive(layer, 0, costs, roof).values()) == {2 * 64**3 / 1e11}


def test_a_training_step_is_forward_backward_and_optimizer() -> None:
    config = load_preset("rm1").scaled(0.001)
    made = predict(
        config, traffic_of(uniform_trace(config, 64), config, 16), datasheet(load_machine("genoa")), "training"
    )
    backward, optimizer = (phase_seconds(made, phase) for phase in PHASES)
    assert 0 < optimizer < backward < made.seconds
    assert "optimizer" in made.by_role()


def test_phases_repeat_without_changing_the_model(tmp_path: Path) -> None:
    chosen = min((m for m in frozen().models if m.mode == "training" and m.ids == "uniform"), key=lambda m: m.batch)
    np.savez(tmp_path / "traces.npz", none=np.zeros(1))
    steps = phases([chosen.name], str(tmp_path / "traces.npz")).steps
    assert list(steps) == [f"backward {chosen.name}", f"optimizer {chosen.name}"]
    for step in (*steps.values(), *steps.values()):
        step()
