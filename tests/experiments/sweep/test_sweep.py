"""A sweep goes on where it stopped, does nothing twice, and keeps why a point failed."""

import csv
import errno
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.analysis.hierarchy import Level, simulate_trace
from hotrow.analysis.memory.layout import Layout
from hotrow.experiments.parallel.executor import maker
from hotrow.experiments.sweep import command, measuring, points, sweep
from hotrow.experiments.sweep.command import Asked, go, look
from hotrow.experiments.sweep.spec import read_spec
from hotrow.experiments.sweep.store import opened, reading
from hotrow.profiling.processes.runner import Plan
from hotrow.tracegen import files
from hotrow.tracegen.trace import TableLookups, Trace

MACHINE = """
kind = "cpu"
mark = "assumed"
source = "made for a test"
cores = 4
clock = "3 GHz"
[caches.L1]
size = "4 KiB"
ways = 2
line = "64 B"
[caches.L2]
size = "{l2} KiB"
ways = 8
line = "64 B"
[memory.dram]
capacity = "64 GiB"
bandwidth = "100 GB/s"
[compute."avx2 fp32"]
precision = "fp32"
unit = "vector"
isa = "avx2"
peak = "32 FLOP/cycle"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    tables = tuple(TableLookups(name, 500, rng.integers(0, 500, 400)) for name in ("a", "<script>"))
    files.write(Trace(tables), tmp_path / "clicks.parquet")
    for size in (16, 32):
        (tmp_path / f"l2-{size}.toml").write_text(MACHINE.format(l2=size))
    (tmp_path / "spec.toml").write_text(
        '[axes]\nkind = "simulated"\ntrace = "clicks.parquet"\n'
        'machine = ["l2-16.toml", "l2-32.toml"]\nmodels = [1, 2]\n'
    )
    return tmp_path


def counted(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Points worked out, in this process for speed."""
    done: list[Any] = []

    def here(make: Any, function: Any, tasks: Any, width: int) -> Any:
        for task in tasks:
            done.append(task.point)
            yield task, function(task), None

    monkeypatch.setattr(sweep, "run_all", here)
    return done


def test_simulated_points_are_the_hierarchys_counts(folder: Path) -> None:
    done = go(Asked(folder / "spec.toml", folder / "out", workers=2), "test")
    assert len(done.points) == 4
    assert [point.failure for point in done.points] == [None] * 4
    trace = files.read(folder / "clicks.parquet")
    levels = (Level.of_size("L1", 4096, 2), Level.of_size("L2", 16 * 1024, 8))
    stats = simulate_trace(trace, Layout.of_rows(trace, 4 * 16), levels)  # criteo-kaggle's rows
    metrics = next(p for p in done.points if p.settings["machine"] == "l2-16.toml" and p.settings["models"] == 1).result
    assert metrics is not None
    assert metrics["metrics"]["memory serves"]["value"] == stats[1].misses / stats[0].accesses
    assert metrics["metrics"]["L1 serves"]["value"] == stats[0].hits / stats[0].accesses
    smaller, larger = (
        next(p for p in done.points if p.settings["machine"] == name and p.settings["models"] == 1).result
        for name in ("l2-16.toml", "l2-32.toml")
    )
    assert smaller is not None
    assert larger is not None
    assert smaller["metrics"]["memory serves"]["value"] > larger["metrics"]["memory serves"]["value"]


def test_the_same_command_does_nothing_twice_and_a_changed_file_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = counted(monkeypatch)
    asked = Asked(folder / "spec.toml", folder / "out")
    go(asked, "test")
    assert len(done) == 4
    go(asked, "test")
    assert len(done) == 4
    points._content.cache_clear()
    (folder / "l2-32.toml").write_text(MACHINE.format(l2=64))
    planned, seconds = look(asked)
    assert len(planned.left) == 2
    assert seconds > 0
    go(asked, "test")
    assert [p["machine"] for p in done[4:]] == ["l2-32.toml"] * 2


def test_results_lie_beside_the_page_and_names_are_escaped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted(monkeypatch)
    done = go(Asked(folder / "spec.toml", folder / "out"), "hotrow sweep <b>")
    page = (folder / "out" / "index.html").read_text()
    assert "4 of 4 points" in page
    assert "<b>" not in page
    assert "&lt;b&gt;" in page
    rows = list(csv.DictReader((folder / "out" / "results.csv").open()))
    assert [row["machine"] for row in rows] == [p.settings["machine"] for p in done.points]
    kept = json.loads((folder / "out" / "results.json").read_text())
    assert [p["result"] for p in kept] == [p.result for p in done.points]


def test_ctrl_c_keeps_what_is_finished(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[Any] = []

    def stopping(make: Any, function: Any, tasks: Any, width: int) -> Any:
        for task in tasks:
            if len(stopped) == 2:
                raise KeyboardInterrupt
            stopped.append(task)
            yield task, function(task), None

    monkeypatch.setattr(sweep, "run_all", stopping)
    with pytest.raises(KeyboardInterrupt):
        go(Asked(folder / "spec.toml", folder / "out"), "test")
    assert "2 of 4 points" in (folder / "out" / "index.html").read_text()
    done = counted(monkeypatch)
    go(Asked(folder / "spec.toml", folder / "out"), "test")
    assert len(done) == 2


def test_kill_9_in_the_middle_and_the_same_command_finishes(folder: Path) -> None:
    (folder / "spec.toml").write_text(
        '[axes]\nkind = "simulated"\ntrace = "clicks.parquet"\nmachine = ["l2-16.toml", "l2-32.toml"]\n'
        "models = [1, 2, 3, 4, 5, 6, 7, 8]\n"
    )
    command = [sys.executable, "-m", "hotrow", "sweep", "spec.toml", "--out", "out", "--workers", "1", "--json"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, start_new_session=True) as running:
        store = folder / "out" / "results.sqlite"
        while running.poll() is None:
            if store.exists() and len(look(Asked(folder / "spec.toml", folder / "out"))[0].left) < 16:
                break
        os.killpg(running.pid, signal.SIGKILL)
    with reading(store) as left:
        before = {point.key: point.finished for point in left.all()}
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    after = json.loads(ended.stdout)["points"]
    assert len(after) == 16
    assert before
    assert {p["key"]: p["finished"] for p in after} | before == {p["key"]: p["finished"] for p in after}


def test_a_failed_point_says_why_and_is_tried_again_on_request(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "spec.toml").write_text('[axes]\nkind = "measured"\nmodel = "rm1"\nscale = 0.001\nthreads = [1, 999]\n')
    monkeypatch.setattr(measuring, "PLAN", Plan(processes=1, seconds=0.01, least=3))
    asked = Asked(folder / "spec.toml", folder / "out")
    good, bad = go(asked, "test").points
    assert good.result is not None
    assert bad.failure is not None
    assert good.result["metrics"]["time"]["value"] > 0
    assert good.result["metrics"]["time"]["low"] <= good.result["metrics"]["time"]["value"]
    assert "999" in bad.failure
    assert "999" in (folder / "out" / "index.html").read_text()
    assert len(look(asked)[0].left) == 0
    assert len(look(replace(asked, retry_failed=True))[0].left) == 1


def test_a_backend_and_models_beside_each_other_are_measured(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "spec.toml").write_text(
        '[axes]\nmodel = "rm1"\nscale = 0.001\nbatch = 8\n[[include]]\nbackend = "fast"\nprecision = "int8-tables"\n'
        'scale = 0.001\nmodel = "rm1"\n[[include]]\nmodels = 2\nmodel = "rm1"\nscale = 0.001\nbatch = 8\n'
    )
    monkeypatch.setattr(measuring, "PLAN", Plan(processes=1, seconds=0.01, least=3))
    monkeypatch.setattr(measuring, "REPEATS", 1)
    monkeypatch.setattr(measuring, "SECONDS", 0.2)
    done = go(Asked(folder / "spec.toml", folder / "out"), "test").points
    assert [p.failure for p in done] == [None] * 3
    assert [p.settings["models"] for p in done] == [1, 1, 2]
    for point in done:
        assert point.result is not None
        metrics = point.result["metrics"]
        assert 0 < metrics["time"]["low"] <= metrics["time"]["value"] <= metrics["time"]["high"] < 1
        assert metrics["p99"]["value"] > 0
        assert metrics["samples per second"]["low"] > 0


def test_more_copies_than_the_memory_holds_are_refused(folder: Path) -> None:
    (folder / "spec.toml").write_text('[axes]\nmodels = 1024\nmodel = "rm2"\n')
    (point,) = go(Asked(folder / "spec.toml", folder / "out"), "test").points
    assert point.failure is not None
    assert "1024 × 'rm2' needs" in point.failure


def test_a_disk_that_fills_is_said_with_the_remedy_and_the_store_is_whole(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = counted(monkeypatch)

    def full(point: Any) -> None:
        raise HotrowError("results.sqlite: database or disk is full; make room")

    def no_room(path: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    asked = Asked(folder / "spec.toml", folder / "out")
    with monkeypatch.context() as patch:
        patch.setattr(command, "replacing", no_room)
        with pytest.raises(HotrowError, match=r"index\.html: cannot be written \(No space left on device\); make room"):
            go(asked, "test")
        patch.setattr(command, "plan", lambda *given: replace(sweep.plan(*given), left=sweep.plan(*given).tasks))
        patch.setattr("hotrow.experiments.sweep.store.Store.put", lambda self, point: full(point))
        with pytest.raises(HotrowError, match=r"results\.sqlite: database or disk is full"):
            go(asked, "test")
    assert len(done) == 5
    assert len(go(asked, "test").points) == 4
    assert len(done) == 5


def test_what_a_killed_sweep_half_wrote_is_swept_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted(monkeypatch)
    (folder / "out").mkdir()
    (folder / "out" / ".partial-1-results.csv").touch()
    go(Asked(folder / "spec.toml", folder / "out"), "test")
    assert {f.name for f in (folder / "out").iterdir()} == {
        "index.html", "results.csv", "results.json", "results.sqlite", "results.sqlite.lock",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("axis", "said"),
    [
        ('model = "rm4"', "unknown preset 'rm4'"),
        ('trace = "none.parquet"', "trace 'none.parquet': no such file"),
        ('machine = "none"', "none"),
        ('machine = "this"', "write the file that hotrow calibrate made"),
    ],
)
def test_what_does_not_exist_is_said_before_anything_runs(folder: Path, axis: str, said: str) -> None:
    (folder / "spec.toml").write_text(f'[axes]\nkind = "simulated"\n{axis}\n')
    with pytest.raises(HotrowError, match=said):
        look(Asked(folder / "spec.toml", folder / "out"))
    assert not (folder / "out").exists()


def test_interim_pages_come_while_it_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted(monkeypatch)
    monkeypatch.setattr(sweep, "INTERIM_SECONDS", 0.0)
    seen = []
    with opened(folder / "s.sqlite") as store:
        planned = sweep.plan(read_spec(folder / "spec.toml"), store)
        sweep.sweep(planned, store, maker(), notice=lambda: seen.append(len(sweep.results(planned, store))))
    assert seen == [1, 2, 3, 4]
