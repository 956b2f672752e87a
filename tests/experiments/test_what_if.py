"""The page's own evaluation of a step against predict, at random settings, in a real browser."""

import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.analysis.predict import predict
from hotrow.analysis.prediction.coefficients import datasheet
from hotrow.analysis.prediction.operators import Setting
from hotrow.analysis.prediction.traffic import traffic_of
from hotrow.experiments.report import Report, save
from hotrow.experiments.what_if import panel, script, with_dim
from hotrow.models.config import ModelConfig, load_preset
from hotrow.models.inputs import uniform_trace
from hotrow.profiling.machine import Machine
from hotrow.profiling.machine_files import load_machine
from hotrow.profiling.units import Quantity
from hotrow.tracegen.trace import Trace

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SETTINGS = 50


def study(preset: str) -> tuple[ModelConfig, Trace]:
    config = load_preset(preset).scaled(0.003)
    return config, uniform_trace(config, 300, seed=1)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield launched
        launched.close()


def changed(machine: Machine, cache: float, bandwidth: float) -> Machine:
    """The machine with another last-level cache and memory bandwidth, as a file with `base` would say it."""
    name, last = list(machine.caches.items())[-1]
    tier, memory = next(iter(machine.memory.items()))
    held = "effective" if last.effective else "size"
    level = msgspec.structs.replace(last, **{held: Quantity(cache, "B")})
    wider = msgspec.structs.replace(memory, bandwidth=Quantity(bandwidth, "B/s"))
    return msgspec.structs.replace(
        machine, caches=machine.caches | {name: level}, memory={**machine.memory, tier: wider}
    )


@pytest.mark.browser
@pytest.mark.parametrize(
    ("preset", "name"), [("rm1", "skylake"), ("mlperf-dcnv2", "genoa"), ("criteo-kaggle", "broadwell")]
)
def test_the_page_computes_what_predict_does(browser: Any, tmp_path: Path, preset: str, name: str) -> None:
    config, trace = study(preset)
    machine = load_machine(name)
    data = panel(trace, config, machine)
    save(Report("t", (), (), "a test", data), tmp_path / "page.html")
    page = browser.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((tmp_path / "page.html").as_uri())
    rng = np.random.default_rng(7)
    worst = 0.0
    for _ in range(SETTINGS):
        threads = int(rng.integers(1, min(8, data["cores"]) + 1))
        chosen = {
            "batch": int(rng.choice(data["batches"])),
            "dim": int(rng.choice(data["dims"])),
            "isa": str(rng.choice(list(data["widths"]))),
            "threads": threads,
            "models": int(rng.integers(1, data["cores"] // threads + 1)),
            "cache": data["cache"] * 2.0 ** rng.uniform(-1, 6),
            "bandwidth": data["bandwidth"] * 2.0 ** rng.uniform(-3, 4),
        }
        got = page.evaluate("settings => hotrow.evaluate(settings)", chosen)
        model = with_dim(config, chosen["dim"])
        costs = datasheet(changed(machine, chosen["cache"], chosen["bandwidth"]), chosen["isa"])
        setting = Setting(threads, chosen["models"])
        expected = predict(model, traffic_of(trace, model, chosen["batch"]), costs, "inference", setting)
        by_role = {role: part for role, part in expected.by_role().items() if part.seconds > 0}
        assert [part["role"] for part in got["roles"]] == list(by_role)
        for part in got["roles"]:
            worst = max(worst, abs(math.log(part["seconds"] / by_role[part["role"]].seconds)))
            assert part["seconds"] == pytest.approx(by_role[part["role"]].seconds, rel=0.01), (chosen, part)
        assert got["seconds"] == pytest.approx(expected.seconds, rel=0.01)
        assert got["low"] == pytest.approx(expected.low, rel=0.01)
        assert got["rate"] == pytest.approx(chosen["batch"] * chosen["models"] / expected.seconds, rel=0.01)
    assert errors == []
    assert worst < 0.01
    page.close()


@pytest.mark.browser
def test_sliders_move_the_bars_and_a_link_keeps_them(browser: Any, tmp_path: Path) -> None:
    config, trace = study("rm1")
    save(Report("t", (), (), "a test", panel(trace, config, load_machine("skylake"))), tmp_path / "page.html")
    page = browser.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    said, width = page.inner_text("#what-if-out"), page.locator(".bar").first.bounding_box()["width"]
    page.locator("input[name=batch]").fill("0")
    page.locator("input[name=models]").fill("4")
    moved = page.inner_text("#what-if-out")
    assert moved != said
    assert "4 models" in moved
    assert page.locator(".bar").first.bounding_box()["width"] != width
    link = page.locator("#what-if-link").get_attribute("href")
    again = browser.new_page()
    again.goto((tmp_path / "page.html").as_uri() + link)
    assert again.inner_text("#what-if-out") == moved
    again.locator("button[type=reset]").click()
    again.wait_for_function("said => document.getElementById('what-if-out').textContent === said", arg=said)
    again.close()
    page.close()


def test_names_cannot_end_the_script() -> None:
    assert "<" not in script({"model": "</script><script>alert(1)</script>"})


def test_a_gpu_has_no_panel() -> None:
    config, trace = study("rm1")
    with pytest.raises(HotrowError, match="is a GPU"):
        panel(trace, config, load_machine("v100"))
