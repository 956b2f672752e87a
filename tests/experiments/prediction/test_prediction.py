"""The frozen list, its streams, what is measured of it, and the answers of hotrow predict."""

import dataclasses
import json
from pathlib import Path

import msgspec
import numba
import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.analysis.prediction.coefficients import datasheet
from hotrow.analysis.prediction.operators import Setting
from hotrow.experiments.inputs import inputs
from hotrow.experiments.prediction import command, grids, published, streams, validation
from hotrow.experiments.prediction.frozen import DEVELOP_TRACES, TEST_TRACES, draw, frozen
from hotrow.experiments.prediction.points import Points, load, pieces, steps
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
