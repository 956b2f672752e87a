"""Making caches smaller: resctrl where it is, and a pirate that is only believed with a dose response."""

from pathlib import Path

from hotrow.profiling.calibration.cache_size import DOSES, judged, methods, pirate


def test_without_resctrl(tmp_path: Path) -> None:
    found = methods(tmp_path / "none")
    assert [m.works for m in found] == [False, False]
    assert "not mounted" in found[0].reason
    assert "not run" in found[1].reason


def test_a_pirate_needs_a_dose_response() -> None:
    assert judged(DOSES, [1.0, 1.2, 1.5, 2.0]).works
    assert not judged(DOSES, [1.0, 1.0, 1.0, 1.1]).works
    assert not judged(DOSES, [1.0, 2.0, 1.0, 2.0]).works
    assert "no dose response" in judged(DOSES, [1.0, 1.0, 1.0, 1.1]).reason
    with pirate(0, 0):
        pass
