"""Logs on disk: read again part by part, or kept where they are short; broken files are told in one line."""

from pathlib import Path

import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.tracegen import files
from hotrow.tracegen.measure import exact_profile
from hotrow.tracegen.privacy import PrivacyBudget
from hotrow.tracegen.release import release_with_cuts
from hotrow.tracegen.scale import log as log_module
from hotrow.tracegen.scale.log import Log, TableForm
from hotrow.tracegen.trace import TableLookups, Trace, concatenate


def some_trace(samples: int = 3000) -> Trace:
    rng = np.random.default_rng(1)
    sizes = rng.integers(0, 5, samples)
    bags = TableLookups("bags", 300, rng.integers(0, 300, sizes.sum()), np.concatenate(([0], np.cumsum(sizes))))
    return Trace((TableLookups("one", 50, rng.integers(0, 50, samples)), bags), user=rng.integers(0, 99, samples))


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "CHUNK", 700)
    monkeypatch.setattr(log_module, "HELD", 2000)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("suffix", [".parquet", ".npz"])
@pytest.mark.parametrize("bags", [False, True])
def test_a_log_on_disk_is_the_trace(tmp_path: Path, suffix: str, bags: bool) -> None:
    trace, path = some_trace(), tmp_path / f"t{suffix}"
    files.write(trace, path)
    seen: list[int] = []
    log = Log.on_disk(path, bags=bags)
    watched = log.watched(seen.append)
    assert log.samples == trace.samples
    assert log.lookups == pytest.approx(trace.accesses, rel=0.05)
    assert log.users
    assert [t.one_hot for t in log.tables] == [True, False]
    for _ in range(2):
        assert len(list(watched.parts())) > 1
        assert concatenate(list(watched.parts())).equals(trace)
    assert sum(seen) == 4 * trace.samples
    if bags:
        assert log.tables == Log.of(trace).tables
        assert exact_profile(log) == exact_profile(trace)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("first", [1, 500, 1700, 3000, 5000])
@pytest.mark.parametrize("bags", [False, True])
def test_the_beginning_of_a_log_may_be_all(tmp_path: Path, first: int, bags: bool) -> None:
    trace, path = some_trace(), tmp_path / "t.parquet"
    files.write(trace, path)
    log = Log.on_disk(path, bags=bags, first=first)
    assert log.samples == min(first, trace.samples)
    assert (f"first {first:,} samples" in log.note) == (first <= trace.samples)
    assert concatenate(list(log.parts())).equals(trace.samples_between(0, first))


def test_a_short_log_is_read_once(tmp_path: Path) -> None:
    trace, path = some_trace(), tmp_path / "t.parquet"
    files.write(trace, path)
    log = Log.on_disk(path)
    path.unlink()
    assert concatenate(list(log.parts())).equals(trace)
    assert log.tables == (TableForm("one", True), TableForm("bags", False, 4))


@pytest.mark.usefixtures("small_parts")
def test_a_release_of_a_log_on_disk_cuts_what_that_of_the_trace_cuts(tmp_path: Path) -> None:
    trace, path = some_trace(), tmp_path / "t.parquet"
    files.write(trace, path)
    budget = PrivacyBudget(20.0, "user", samples_per_user=3, lookups_per_sample=2)
    a, b = (release_with_cuts(log, budget) for log in (trace, Log.on_disk(path)))
    assert (a[1].lookups, a[1].samples) == (b[1].lookups, b[1].samples)
    assert b[1].samples > 0
    for x, y in zip(a[0].tables, b[0].tables, strict=True):
        assert x.locality is not None
        assert y.locality is not None
        assert (x.locality.ages.shape, x.locality.noise) == (y.locality.ages.shape, y.locality.noise)


@pytest.mark.usefixtures("small_parts")
def test_a_file_that_breaks_off_or_changes_is_told(tmp_path: Path) -> None:
    trace, path = some_trace(), tmp_path / "folder"
    path.mkdir()
    for k in range(3):
        files.write(trace, path / f"part-{k}.parquet")
    log = Log.on_disk(path)
    whole = (path / "part-1.parquet").read_bytes()
    (path / "part-1.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(HotrowError, match=r"part-1\.parquet: not a whole Parquet file"):
        exact_profile(log)
    (path / "part-1.parquet").unlink()
    with pytest.raises(HotrowError, match="it changed while it was read"):
        exact_profile(log)
    files.write(Trace.from_ids(np.arange(9)), path / "part-1.parquet")
    with pytest.raises(HotrowError, match="differ in their tables"):
        exact_profile(log)


def test_nothing_to_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(HotrowError, match="no such file"):
        Log.on_disk(tmp_path / "none.parquet")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(HotrowError, match="empty"):
        Log.on_disk(tmp_path / "empty.csv")
