"""A made-up resctrl: ways are limited in a group that a process joins, and what cannot be had says why."""

import os
import shutil
from pathlib import Path

import pytest

from hotrow import HotrowError
from hotrow.profiling.processes import runner
from hotrow.profiling.processes.configuration import Configuration, allowed_cpus
from hotrow.profiling.processes.runner import Failure, run_once
from hotrow.profiling.resctrl import join, l3_group, l3_masks, why_not


def test_ways_are_limited_for_those_who_join(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "schemata").write_text("    MB:0=100\n    L3:0=fff;1=fff\n")
    assert why_not(tmp_path) is None
    assert l3_masks(tmp_path) == {"0": 0xFFF, "1": 0xFFF}
    written = {}

    def rmdir(path: Path) -> None:
        written.update({file.name: file.read_text() for file in path.iterdir()})
        shutil.rmtree(path)  # the kernel's own files go with their folder

    monkeypatch.setattr(Path, "rmdir", rmdir)
    with l3_group(3, tmp_path):
        join(tmp_path)
    assert written == {"schemata": "L3:0=7;1=7\n", "tasks": f"{os.getpid()}\n"}
    with pytest.raises(HotrowError, match="choose 1 to 12"), l3_group(13, tmp_path):
        pass


def test_what_cannot_be_had_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "not mounted" in str(why_not(tmp_path))
    (tmp_path / "schemata").write_text("MB:0=100\n")
    assert "no L3 line" in str(why_not(tmp_path))
    with pytest.raises(HotrowError, match="resctrl: its schemata has no L3 line"), l3_group(1, tmp_path):
        pass
    few = Configuration("few", "a:b", l3_ways=2)
    if why_not():  # this machine's own resctrl
        assert few.impossible(allowed_cpus(), ()) == f"resctrl: {why_not()}"
    monkeypatch.setattr(runner, "l3_group", lambda ways: l3_group(ways, tmp_path))
    made = run_once(few, runner.Plan())
    assert isinstance(made, Failure)
    assert "no L3 line" in made.reason
