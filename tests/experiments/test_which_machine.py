"""Ranking machines: by what predict says of each, and why one cannot serve."""

from pathlib import Path

import pytest

from hotrow.analysis.predict import predict
from hotrow.analysis.prediction.coefficients import datasheet
from hotrow.analysis.prediction.operators import Setting
from hotrow.analysis.prediction.traffic import traffic_of
from hotrow.experiments.which_machine import which_machine
from hotrow.models.config import load_preset
from hotrow.models.inputs import uniform_trace
from hotrow.profiling.machine_files import load_machine, machines

CONFIG = load_preset("rm1").scaled(0.01)
TRACE = uniform_trace(CONFIG, 400, seed=2)
TRAFFIC = {batch: traffic_of(TRACE, CONFIG, batch) for batch in (1, 64)}


def test_every_machine_is_ranked_by_its_own_best() -> None:
    ranking = which_machine(CONFIG, TRAFFIC, limit=0.05)
    assert {c.name for c in ranking.candidates} == set(machines())
    rates = [c.samples_per_second for c in ranking.candidates]
    assert rates == sorted(rates, reverse=True)
    first = ranking.best()
    assert first == ranking.candidates[0]
    made = predict(
        CONFIG, TRAFFIC[first.batch], datasheet(load_machine(first.name)), "inference", Setting(1, first.models)
    )
    assert first.samples_per_second == pytest.approx(first.models * first.batch / made.seconds)
    assert made.high <= 0.05
    cheap = ranking.best("per_usd")
    assert cheap is not None
    assert cheap.per_usd == max(c.per_usd for c in ranking.candidates if c.per_usd is not None)


def test_a_machine_that_cannot_serve_says_why(tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text('base = "skylake"\n[memory.DRAM]\ncapacity = "1 MiB"\n')
    names = [str(tmp_path / "tiny.toml"), "skylake"]
    ranking = which_machine(CONFIG, TRAFFIC, 0.05, names)
    assert [c.failure for c in ranking.candidates] == [None, "too little memory"]
    slow = which_machine(CONFIG, TRAFFIC, 1e-9, ["skylake"])
    assert slow.candidates[0].failure == "too slow for the limit"
    assert slow.best() is None
    assert slow.grid().rows[0][-1] == "too slow for the limit"
