"""Two reports side by side: what counts as a difference, what makes them incomparable, damaged files."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.experiments.codesign import files, page
from hotrow.experiments.codesign.compare import compare
from hotrow.experiments.codesign.compare import page as compared_page
from hotrow.experiments.codesign.files import Saved
from hotrow.experiments.codesign.findings import Finding
from hotrow.experiments.codesign.study import Request, Subject, codesign
from hotrow.models.config import for_trace, load_preset
from hotrow.profiling.host import host_facts
from hotrow.tracegen.trace import TableLookups, Trace


def made(seed: int = 0, machine: str | None = "skylake") -> Saved:
    rng = np.random.default_rng(seed)
    trace = Trace(tuple(TableLookups(f"t{k}", 500, rng.zipf(1.3, 3000) % 500) for k in range(3)))
    config = for_trace(load_preset("criteo-kaggle"), trace)
    result = codesign(Subject(trace, f"seed {seed}", "Made.", config), Request(32, machine=machine, measure="none"))
    return files.saved(result, page.report(result, "a test"), "a test")


@pytest.fixture(scope="module")
def a() -> Saved:
    return made()


@pytest.fixture(scope="module")
def b() -> Saved:
    return made(1)


def with_findings(saved: Saved, *found: Finding, **changes: object) -> Saved:
    return msgspec.structs.replace(saved, findings=found, **changes)


def time(value: float, low: float, high: float) -> Finding:
    return Finding("time", value, low, high, "s", "measured")


def test_a_report_is_the_same_as_itself(a: Saved) -> None:
    found = compare(a, a)
    assert found.warnings == ()
    assert len(found.differences) == len(a.findings) > 10
    assert {d.verdict for d in found.differences} == {"the same"}


@pytest.mark.parametrize(
    ("other", "verdict"),
    [
        (time(2.0, 1.9, 2.1), "higher"),
        (time(0.5, 0.4, 0.6), "lower"),
        (time(1.1, 1.0, 1.2), "not told apart"),
        (time(1.0, 0.9, 1.05), "the same"),
    ],
)
def test_numbers_differ_where_their_intervals_lie_apart(a: Saved, other: Finding, verdict: str) -> None:
    (difference,) = compare(with_findings(a, time(1.0, 0.9, 1.05)), with_findings(a, other)).differences
    assert difference.verdict == verdict
    assert difference.ratio == pytest.approx((other.value, other.low / 1.05, other.high / 0.9))


def test_measurements_of_other_machines_and_libraries_are_warned_of(a: Saved) -> None:
    host = msgspec.structs.replace(host_facts(), cpu="another", packages={**host_facts().packages, "torch": "1.0"})
    here, there = with_findings(a, time(1, 1, 1)), with_findings(a, time(2, 2, 2), host=host, hotrow="0.0")
    text = " ".join(compare(here, there).warnings)
    assert "different machines" in text
    assert "different libraries: torch" in text
    assert "different versions of hotrow" in text


def test_two_changes_at_once_are_warned_of(a: Saved, b: Saved) -> None:
    assert compare(a, b).warnings == ()
    both = msgspec.structs.replace(b, machine_digest="another")
    assert "differ at once" in compare(a, both).warnings[0]


def test_nothing_in_common_is_refused(a: Saved) -> None:
    with pytest.raises(HotrowError, match="no number in common"):
        compare(with_findings(a, time(1, 1, 1)), with_findings(a, msgspec.structs.replace(time(1, 1, 1), name="x")))


def test_the_page_tells_both(a: Saved, b: Saved) -> None:
    found = compared_page(compare(a, b), "a test")
    assert "seed 0" in found.title
    assert "seed 1" in found.title
    assert any("numbers in both" in line for line in found.answer)
    assert {section.anchor for section in found.sections} >= {"subjects", "curves", "simulated", "predicted"}


def test_a_report_is_read_as_it_was_written(a: Saved, tmp_path: Path) -> None:
    from hotrow.experiments.report import Report

    folder = files.folder_of(tmp_path / "r.html")
    files.write(a, Report("t", (), (), ""), folder)
    assert files.read(tmp_path / "r.html") == files.read(folder) == files.read(folder / "report.json")
    assert files.read(folder).findings == a.findings
    lines = (folder / "findings.csv").read_text().splitlines()
    assert len(lines) == 1 + len(a.findings)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not a report"),
        ("[]", "not a report"),
        ('{"version": 99}', "of version 99"),
        ('{"version": 1, "hotrow": 3}', "a damaged report"),
        ('{"version": 1, "origin": "exact"}', "a damaged report"),
    ],
)
def test_damaged_reports_are_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(HotrowError, match=words):
        files.read(path)


def test_a_missing_report_is_said(tmp_path: Path) -> None:
    with pytest.raises(HotrowError, match="cannot be read"):
        files.read(tmp_path / "none.html")


def test_numbers_outside_their_interval_and_lame_curves_are_damage(a: Saved, tmp_path: Path) -> None:
    whole = msgspec.json.decode(msgspec.json.encode(a))
    for change in (
        {"findings": [{**whole["findings"][0], "low": 1e18}]},
        {"curve": {"capacity_rows": [1, 2], "miss_ratio": [0.5]}},
    ):
        path = tmp_path / "report.json"
        path.write_bytes(msgspec.json.encode({**whole, **change}))
        with pytest.raises(HotrowError, match="a damaged report"):
            files.read(path)


def test_what_an_earlier_report_left_is_cleared(a: Saved, tmp_path: Path) -> None:
    from hotrow.experiments.grid import Grid
    from hotrow.experiments.report import Report, Section

    grid = Grid("g", ("a",), (("=1+1",), ("+5 %",), ("-3",), ("@SUM(A1)",)), "measured")
    files.write(a, Report("t", (), (Section("s", "S", grids=(grid,)),), ""), tmp_path)
    (tmp_path / "mine.txt").write_text("kept")
    lines = (tmp_path / "tables" / "s-1.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["a", "'=1+1", "+5 %", "-3", "'@SUM(A1)"]
    files.clear(tmp_path)
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["mine.txt"]


def test_profiles_and_folders_of_traces_are_no_reports(tmp_path: Path) -> None:
    (tmp_path / "profile.json").write_text('{"version": 4, "origin": "exact"}')
    (tmp_path / "damaged.json").write_text("{")
    (tmp_path / "trace").mkdir()
    assert not files.is_report(tmp_path / "profile.json")
    assert not files.is_report(tmp_path / "trace")
    assert not files.is_report(Path("skylake"))
    assert files.is_report(tmp_path / "damaged.json")
    assert files.is_report(tmp_path / "page.html")
