"""oracleGeneral: round trips, the next accesses by brute force, libCacheSim's own misses, and broken files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow import HotrowError
from hotrow.analysis.cache import simulate
from hotrow.tests.tracegen.strategies import flat_traces
from hotrow.tracegen import files
from hotrow.tracegen.formats import next_access
from hotrow.tracegen.formats.oracle_general import RECORD
from hotrow.tracegen.trace import TableLookups, Trace, concatenate

SUFFIXES = [".oracleGeneral", ".oracleGeneral.zst", ".oracleGeneral.bin.gz"]


def timed(trace: Trace, seed: int) -> Trace:
    times = np.random.default_rng(seed).integers(0, 2**32, trace.samples)
    return Trace(trace.tables, time=times)


@settings(max_examples=40, deadline=None)
@given(flat_traces(), st.sampled_from(SUFFIXES), st.integers(1, 7), st.integers(0, 99))
def test_exact_round_trip(
    tmp_path_factory: pytest.TempPathFactory, trace: Trace, suffix: str, samples: int, seed: int
) -> None:
    path = tmp_path_factory.mktemp("trace") / f"trace{suffix}"
    trace = timed(trace, seed)
    files.write([trace.samples_between(0, 3), trace.samples_between(3, 99)], path)
    if trace.samples or not suffix.endswith("l"):  # no records are no bytes, unless compressed
        assert files.read(path).equals(trace)
        parts = list(files.scan(path, samples=samples))
        assert all(part.samples <= samples for part in parts)
        assert concatenate(parts).equals(trace)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def next_positions(ids: list[int]) -> list[int]:
    """Where each id comes next, counted from 1, by looking."""
    return [next((j + 1 for j in range(i + 1, len(ids)) if ids[j] == ids[i]), -1) for i in range(len(ids))]


@pytest.mark.parametrize("block", [2, 7, 1000])
@pytest.mark.parametrize("rows", [3, 50, 2**63 - 1])
def test_next_accesses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int, rows: int) -> None:
    monkeypatch.setattr(next_access, "BLOCK", block)
    ids = np.random.default_rng(1).integers(0, rows, 200)
    ids[100:] = np.random.default_rng(2).permutation(ids[:100])
    files.write(Trace.from_ids(ids), tmp_path / "trace.oracleGeneral", object_size=128)
    records = np.fromfile(tmp_path / "trace.oracleGeneral", RECORD)
    assert records["next"].tolist() == next_positions(ids.tolist())
    assert records["id"].tolist() == ids.tolist()
    assert records["time"].tolist() == list(range(200))
    assert set(records["size"].tolist()) == {128}


def test_the_very_bytes(tmp_path: Path) -> None:
    path = tmp_path / "trace.oracleGeneral"
    files.write(Trace(Trace.from_ids([258]).tables, time=np.array([3])), path)
    assert path.read_bytes() == bytes([3, 0, 0, 0, 2, 1, *[0] * 6, 1, 0, 0, 0, *[255] * 8])


@pytest.mark.parametrize("policy", ["LRU", "FIFO", "Belady"])
def test_libcachesim_misses_as_often_as_we(tmp_path: Path, policy: str) -> None:
    lcs: Any = pytest.importorskip("libcachesim")
    ids = np.random.default_rng(3).zipf(1.2, 20_000) % 1000
    path = tmp_path / "trace.oracleGeneral"
    files.write(Trace.from_ids(ids), path)
    for capacity in (10, 100, 700):
        reader = lcs.TraceReader(str(path), lcs.TraceType.ORACLE_GENERAL_TRACE)
        missed, _ = getattr(lcs, policy)(capacity).process_trace(reader)
        assert round(missed * len(ids)) == simulate(ids, policy, capacity).misses


def test_wide_object_ids_can_be_renumbered(tmp_path: Path) -> None:
    records = np.zeros(3, RECORD)
    records["id"] = [2**64 - 1, 5, 2**64 - 1]
    records.tofile(tmp_path / "trace.oracleGeneral")
    with pytest.raises(HotrowError, match=r"trace.oracleGeneral: ids, sample 0: id 18446744073709551615; row ids end"):
        files.read(tmp_path / "trace.oracleGeneral")
    table = files.read(tmp_path / "trace.oracleGeneral", renumber=True).tables[0]
    assert (table.indices.tolist(), table.rows) == ([0, 1, 0], 2)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_cut_off_is_one_clear_line(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"trace{suffix}"
    files.write(Trace.from_ids(np.random.default_rng(0).integers(0, 2**40, 100)), path)
    whole = path.read_bytes()
    for cut in (1, 5, len(whole) // 2 + 1, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(HotrowError, match=r"is the file cut off|make or copy the file again") as raised:
            list(files.scan(path, samples=13))
        assert "\n" not in str(raised.value)


def test_a_broken_record_is_placed(tmp_path: Path) -> None:
    path = tmp_path / "trace.oracleGeneral"
    path.write_bytes(bytes(24 * 9 + 5))
    with pytest.raises(HotrowError, match="5 bytes after record 9; a record has 24: is the file cut off"):
        list(files.scan(path, samples=4))


REFUSED: dict[str, tuple[Any, str]] = {
    "a fraction": (np.array([0, 1.5]), "time, sample 1: 1.5; a clock time is a whole number"),
    "negative": (np.array([-1, 0]), "time, sample 0: -1"),
    "too late": (np.array([0, 2**32]), "time, sample 1: 4294967296"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_time_that_does_not_fit_is_refused_unless_lossy(tmp_path: Path, case: str) -> None:
    time, message = REFUSED[case]
    trace = Trace(Trace.from_ids([1, 2]).tables, time=time)
    with pytest.raises(HotrowError, match=message):
        files.write(trace, tmp_path / "trace.oracleGeneral")
    files.write(trace, tmp_path / "trace.oracleGeneral", lossy=True)
    back = files.read(tmp_path / "trace.oracleGeneral").time
    assert back is not None
    assert back.tolist() == np.rint(np.clip(time, 0, 2**32 - 1)).tolist()


def test_what_it_cannot_hold_is_refused_unless_lossy(tmp_path: Path) -> None:
    path = tmp_path / "trace.oracleGeneral"
    tables = (TableLookups("a", 9, np.array([1, 2])), TableLookups("b", 9, np.array([3, 4, 5]), np.array([0, 1, 3])))
    trace = Trace(tables, time=np.array([10, 20]), label=np.zeros(2))
    with pytest.raises(HotrowError, match=r"cannot hold 2 tables .*, bags, label; allow the loss"):
        files.write(trace, path)
    files.write(trace, path, lossy=True, table="b")
    back = files.read(path)
    assert back.tables[0].indices.tolist() == [3, 4, 5]
    assert back.time is not None
    assert back.time.tolist() == [10, 20, 20]
    with pytest.raises(HotrowError, match="option object_size is 0"):
        files.write(trace, path, lossy=True, object_size=0)
