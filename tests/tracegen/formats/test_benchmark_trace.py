"""The benchmark's trace: text and raw, ids above 2^53, and every way in which one can be broken."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow import HotrowError
from hotrow.tests.tracegen.strategies import flat_traces
from hotrow.tracegen import files
from hotrow.tracegen.formats import benchmark_trace
from hotrow.tracegen.trace import TableLookups, Trace, concatenate


@settings(max_examples=60, deadline=None)
@given(flat_traces(), st.sampled_from([".log", ".txt", ".u64"]), st.integers(1, 7))
def test_exact_round_trip(tmp_path_factory: pytest.TempPathFactory, trace: Trace, suffix: str, samples: int) -> None:
    path = tmp_path_factory.mktemp("trace") / f"trace{suffix}"
    files.write([trace.samples_between(0, 3), trace.samples_between(3, trace.samples)], path)
    if trace.samples or suffix != ".u64":  # raw: no ids are no bytes
        assert files.read(path, format="benchmark_trace").equals(trace)
        parts = list(files.scan(path, samples=samples, format="benchmark_trace"))
        assert all(part.samples <= samples for part in parts)
        assert concatenate(parts).equals(trace)


def test_the_very_bytes(tmp_path: Path) -> None:
    trace = Trace.from_ids([7, 2**53 + 1, 0])
    files.write(trace, tmp_path / "trace.log")
    assert (tmp_path / "trace.log").read_bytes() == b"7, 9007199254740993, 0\n"
    files.write(trace, tmp_path / "trace.u64")
    assert (tmp_path / "trace.u64").read_bytes() == np.array([7, 2**53 + 1, 0], "<u8").tobytes()
    assert getattr(files.recognise(tmp_path / "trace.log"), "name", None) == "benchmark_trace"


@pytest.mark.parametrize("text", ["1, 2, 3", "1,2,3\n", " 1 ,  2 , 3 \r\n\n"])
def test_separators_are_taken_loosely(tmp_path: Path, text: str) -> None:
    (tmp_path / "trace.log").write_text(text)
    trace = files.read(tmp_path / "trace.log", format="benchmark_trace")
    assert trace.tables[0].indices.tolist() == [1, 2, 3]


def test_numbers_run_over_the_ends_of_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark_trace, "BLOCK", 3)
    ids = [123456789, 2**63 - 1, 5, 66, 777, 8888]
    (tmp_path / "trace.log").write_text(", ".join(map(str, ids)))
    assert files.read(tmp_path / "trace.log", format="benchmark_trace").tables[0].indices.tolist() == ids


def test_wide_ids_can_be_renumbered(tmp_path: Path) -> None:
    (tmp_path / "trace.log").write_text(f"{2**64 - 1}, 5, {2**64 - 1}, 7")
    table = files.read(tmp_path / "trace.log", renumber=True).tables[0]
    assert (table.indices.tolist(), table.rows) == ([0, 1, 0, 2], 3)


BROKEN = {
    "text": ("hello", "byte 0: b'h'; a trace is one line of ids joined"),
    "negative": ("1, -2", "byte 3: b'-'"),
    "decimal": ("1, 2.5", "byte 4: b'.'"),
    "no comma": ("1 2", "byte 2: b'2'"),
    "two commas": ("1,, 2", "byte 2: b','"),
    "cut off": ("1, 2, ", "byte 6: ends after a comma; is the file cut off"),
    "65 bits": (f"1, {2**64}", "byte 22: an id of 2.64 or above"),
    "63 bits": (f"1, {2**63}", "ids, sample 1: id 9223372036854775808; row ids end at 2.63 − 1; number them"),
    "a distribution": ("1, 2\n0, 1\n0.5, 1.0\n", "byte 5: a second line; a trace is one line"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_wrong_is_named(tmp_path: Path, case: str) -> None:
    text, message = BROKEN[case]
    (tmp_path / "trace.log").write_text(text)
    with pytest.raises(HotrowError, match=rf"trace.log[,:] {message}"):
        files.read(tmp_path / "trace.log", format="benchmark_trace", layout="text")


def test_raw_ids_cut_off_are_named(tmp_path: Path) -> None:
    (tmp_path / "trace.u64").write_bytes(bytes(12))
    with pytest.raises(HotrowError, match=r"trace.u64: 12 bytes; raw ids have 8 bytes each"):
        files.read(tmp_path / "trace.u64")
    with pytest.raises(HotrowError, match=r"option layout is 'hex'; it can be '', 'text', 'raw'"):
        files.read(tmp_path / "trace.u64", layout="hex")


def test_what_it_cannot_hold_is_refused_unless_lossy(tmp_path: Path) -> None:
    path = tmp_path / "trace.log"
    tables = (TableLookups("a", 9, np.array([1, 2])), TableLookups("b", 9, np.array([3, 4, 5]), np.array([0, 2, 3])))
    trace = Trace(tables, time=np.array([1, 2]), label=np.zeros(2))
    with pytest.raises(HotrowError, match=r"cannot hold 2 tables .* option table., bags, time, label; .*--lossy"):
        files.write(trace, path)
    with pytest.raises(HotrowError, match="cannot hold bags, time, label;"):
        files.write(trace, path, table="b")
    with pytest.raises(HotrowError, match="no table 'c' in this trace; it has a, b"):
        files.write(trace, path, table="c", lossy=True)
    files.write(trace, path, lossy=True, table="b")
    assert path.read_text() == "3, 4, 5\n"
    files.write(Trace(tables), path, table="a")
    assert path.read_text() == "1, 2\n"
