"""Making caches smaller: a made-up resctrl, and a pirate that is only believed with a dose response."""

from pathlib import Path

import pytest

from hotrow import HotrowError
from hotrow.profiling.calibration.cache_size import DOSES, judged, l3_masks, l3_ways, methods, pirate, resctrl_method


def test_without_resctrl(tmp_path: Path) -> None:
    found = methods(tmp_path / "none")
    assert [m.works for m in found] == [False, False]
    assert "not mounted" in found[0].reason
    assert "not run" in found[1].reason


def test_resctrl_limits_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "schemata").write_text("    MB:0=100\n    L3:0=fff;1=fff\n")
    assert resctrl_method(tmp_path).works
    assert l3_masks(tmp_path) == {"0": 0xFFF, "1": 0xFFF}
    written = {}

    def rmdir(path: Path) -> None:
        written.update({file.name: file.read_text() for file in path.iterdir()})

    monkeypatch.setattr(Path, "rmdir", rmdir)
    with l3_ways(3, 42, tmp_path):
        pass
    assert written == {"schemata": "L3:0=7;1=7\n", "tasks": "42\n"}
    with pytest.raises(HotrowError, match="choose 1 to 12"), l3_ways(13, 42, tmp_path):
        pass


def test_resctrl_without_l3(tmp_path: Path) -> None:
    (tmp_path / "schemata").write_text("MB:0=100\n")
    assert "no L3 line" in resctrl_method(tmp_path).reason


def test_a_pirate_needs_a_dose_response() -> None:
    assert judged(DOSES, [1.0, 1.2, 1.5, 2.0]).works
    assert not judged(DOSES, [1.0, 1.0, 1.0, 1.1]).works
    assert not judged(DOSES, [1.0, 2.0, 1.0, 2.0]).works
    assert "no dose response" in judged(DOSES, [1.0, 1.0, 1.0, 1.1]).reason
    with pirate(0, 0):
        pass
