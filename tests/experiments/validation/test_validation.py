"""The frozen list, its streams, what is measured of it, and how predictions are compared with it."""

from pathlib import Path

import msgspec
import numba
import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.analysis.predict import predict
from hotrow.analysis.prediction.coefficients import datasheet
from hotrow.analysis.prediction.steps import Operator
from hotrow.analysis.prediction.traffic import traffic_of
from hotrow.experiments.validation import streams, validation
from hotrow.experiments.validation.frozen import DEVELOP_TRACES, TEST_TRACES, draw, frozen
from hotrow.experiments.validation.host_model import PHASES, phase_seconds
from hotrow.experiments.validation.naive import Roof, naive
from hotrow.experiments.validation.phases import phases
from hotrow.experiments.validation.points import Points, load, pieces, steps
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
    with pytest.raises(HotrowError, match="was not calibrated here"):
        validation.host_machine("skylake")
    with pytest.raises(HotrowError, match="validation measures this host"):
        validation.host_machine("h100")


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
    assert min(backward, optimizer) > 0
    assert backward + optimizer < made.seconds
    assert "optimizer" in made.by_role()


def test_phases_repeat_without_changing_the_model(tmp_path: Path) -> None:
    chosen = min((m for m in frozen().models if m.mode == "training" and m.ids == "uniform"), key=lambda m: m.batch)
    np.savez(tmp_path / "traces.npz", none=np.zeros(1))
    steps = phases([chosen.name], str(tmp_path / "traces.npz")).steps
    assert list(steps) == [f"backward {chosen.name}", f"optimizer {chosen.name}"]
    for step in (*steps.values(), *steps.values()):
        step()
