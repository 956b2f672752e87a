"""Criteo TSV: parsing against a plain Python parser, exact round trips, and every broken line."""

import gzip
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow import HotrowError
from hotrow.tests.tracegen.strategies import criteo_traces
from hotrow.tracegen import files
from hotrow.tracegen.trace import TableLookups, Trace

KEEP = 2**32  # max_ind_range under which keys stay as they are

Row = tuple[str, list[str], list[str]]

counts = st.just("") | st.integers(-3, 5000).map(str) | st.integers(-(10**17), 10**17).map(str)
keys = st.just("") | st.integers(0, 3).map(lambda k: f"{k:08x}") | st.integers(0, KEEP - 1).map(lambda k: f"{k:X}")
rows = st.tuples(
    st.sampled_from(["", "0", "1"]),
    st.lists(counts, min_size=13, max_size=13),
    st.lists(keys, min_size=26, max_size=26),
)


def line(label: str = "1", dense: list[str] | None = None, ids: list[str] | None = None) -> str:
    return "\t".join([label, *(dense or ["1"] * 13), *(ids or ["68fd1e64"] * 26)])


def save(path: Path, lines: list[str], end: str = "\n") -> Path:
    path.write_bytes("".join(text + end for text in lines).encode())
    return path


@settings(max_examples=30, deadline=None)
@given(st.lists(rows, min_size=1, max_size=12), st.integers(1, 20), st.sampled_from(["\n", "\r\n"]))
def test_agrees_with_a_plain_parser(
    tmp_path_factory: pytest.TempPathFactory, log: list[Row], samples: int, end: str
) -> None:
    path = save(tmp_path_factory.mktemp("criteo") / "log.tsv", [line(*row) for row in log], end)
    trace = files.concatenate(list(files.scan(path, samples=samples)))
    assert trace.label is not None
    assert trace.label.tolist() == [float(label or 0) for label, _, _ in log]
    wanted = [[math.log1p(max(int(x or 0), 0)) for x in dense] for _, dense, _ in log]
    assert np.array_equal(trace.dense, np.array(wanted, np.float32))
    for table in range(26):
        seen: dict[int, int] = {}
        numbers = [seen.setdefault(int(ids[table] or "0", 16), len(seen)) for _, _, ids in log]
        assert trace.tables[table].name == f"C{table + 1}"
        assert trace.tables[table].indices.tolist() == numbers
        assert trace.tables[table].rows == len(seen)


@settings(max_examples=10, deadline=None)
@given(st.lists(rows, min_size=1, max_size=8), st.sampled_from([1, 7, 2**31, 2**31 + 1, 2**40]))
def test_folds_ids(tmp_path_factory: pytest.TempPathFactory, log: list[Row], limit: int) -> None:
    path = save(tmp_path_factory.mktemp("criteo") / "log.tsv", [line(*row) for row in log])
    trace = files.read(path, max_ind_range=limit)
    for k, table in enumerate(trace.tables):
        assert table.indices.tolist() == [int(ids[k] or "0", 16) % limit for _, _, ids in log]
        assert table.rows == limit


@settings(max_examples=20, deadline=None)
@given(criteo_traces(KEEP, 10**17), st.sampled_from([".tsv", ".tsv.gz", ".tsv.zst"]))
def test_what_is_written_reads_back_to_the_bit(
    tmp_path_factory: pytest.TempPathFactory, trace: Trace, suffix: str
) -> None:
    path = tmp_path_factory.mktemp("criteo") / f"log{suffix}"
    files.write(trace, path)
    assert files.read(path, max_ind_range=KEEP).equals(trace)
    assert getattr(files.recognise(path), "name", None) == "criteo"


def test_ids_in_order_of_appearance_read_back_without_options(tmp_path: Path) -> None:
    tables = tuple(TableLookups(f"C{k + 1}", 3, np.array([0, 1, 0, 2])) for k in range(26))
    trace = Trace(tables, dense=np.zeros((4, 13), np.float32), label=np.zeros(4, np.float32))
    files.write(trace, tmp_path / "log.tsv")
    assert files.read(tmp_path / "log.tsv").equals(trace)


def test_a_smaller_trace_leaves_fields_empty(tmp_path: Path) -> None:
    files.write(Trace.from_ids([5, 6]), tmp_path / "log.tsv")
    assert (tmp_path / "log.tsv").read_text().splitlines() == [
        "\t" * 14 + key + "\t" * 25 for key in ("00000005", "00000006")
    ]


def test_a_missing_last_newline_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "log.tsv").write_text(line() + "\n" + line())
    assert files.read(tmp_path / "log.tsv").samples == 2


def test_two_gzip_members_are_one_file(tmp_path: Path) -> None:
    (tmp_path / "day_0.gz").write_bytes(gzip.compress(f"{line()}\n".encode()) * 2)
    assert files.read(tmp_path / "day_0.gz").samples == 2


ONES = ["1"] * 13
BROKEN = {
    "39 fields": (line().removeprefix("1\t"), "39 fields; a Criteo line has 40.*is the label missing"),
    "41 fields": (line() + "\t0", "41 fields"),
    "an empty line": ("", "1 fields"),
    "an id of 9 digits": (line(ids=["0"] * 25 + ["123456789"]), r"field 40 \(C26\): '123456789'; an id is up to 8 hex"),
    "an id that is no number": (line(ids=["xyz"] + ["0"] * 25), r"field 15 \(C1\): 'xyz'"),
    "a decimal dense": (line(dense=["1.5", *ONES[1:]]), r"field 2 \(I1\): '1.5'; it must be a whole number"),
    "a lone minus": (line(dense=[*ONES[1:], "-"]), r"field 14 \(I13\): '-'"),
    "19 digits": (line(dense=["1" * 19, *ONES[1:]]), r"field 2 \(I1\): '1{19}'; .*18 digits"),
    "a label that is a word": (line("yes"), r"field 1 \(label\): 'yes'"),
    "a label that is huge": (line("99999999"), r"field 1 \(label\): '99999999'; a label is a small integer"),
    "a carriage return inside": (line(dense=["1\r2", *ONES[1:]]), r"field 2 \(I1\)"),
}


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("before", [0, 1, 70])
def test_a_broken_line_is_named(tmp_path: Path, case: str, before: int) -> None:
    text, message = BROKEN[case]
    path = save(tmp_path / "log.tsv", [line()] * before + [text, line()])
    with pytest.raises(HotrowError, match=rf"log.tsv, line {before + 1}[:,] {message}"):
        files.read(path, format="criteo")
    with pytest.raises(HotrowError, match=rf"line {before + 1}\b"):
        list(files.scan(path, format="criteo", samples=8))


def test_binary_garbage_is_named(tmp_path: Path) -> None:
    (tmp_path / "log.tsv").write_bytes(bytes(range(128, 256)) * 40_000)
    with pytest.raises(HotrowError, match="no line ends within"):
        files.read(tmp_path / "log.tsv", format="criteo")
    (tmp_path / "log.tsv").write_bytes(bytes(range(256)) * 10)
    with pytest.raises(HotrowError, match=r"line 1"):
        files.read(tmp_path / "log.tsv", format="criteo")


@pytest.mark.parametrize("suffix", [".tsv.gz", ".tsv.zst"])
def test_a_compressed_file_cut_off_is_named(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"log{suffix}"
    rng = np.random.default_rng(0)
    files.write(Trace(tuple(TableLookups(f"C{k}", KEEP, rng.integers(0, KEEP, 500)) for k in range(26))), path)
    whole = path.read_bytes()
    for cut in (3, 30, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(HotrowError, match=r"log.tsv.*; make or copy the file again"):
            files.read(path)


def column(**values: list[float]) -> Trace:
    arrays = {name: np.array(value, np.float32) for name, value in values.items()}
    return Trace(Trace.from_ids([1, 2, 3]).tables, **arrays)  # type: ignore[arg-type]


REFUSED = {
    "id": (Trace.from_ids([1, 2**32]), "table 'f0', sample 1: id 4294967296 has more than 8"),
    "label": (column(label=[0, 1, 0.5]), "label, sample 2: 0.5 is not a small integer"),
    "negative dense": (column(dense=[[0], [-1], [0]]), "dense, sample 1: a value is not log"),
    "dense between": (column(dense=[[0], [0], [0.3]]), "dense, sample 2"),
    "huge dense": (column(dense=[[1e30], [0], [0]]), "dense, sample 0"),
    "14 dense": (column(dense=[[0] * 14] * 3), "14 dense features; a Criteo line holds 13"),
    "27 tables": (Trace(tuple(TableLookups(f"t{k}", 1, np.zeros(2, int)) for k in range(27))), "27 tables"),
    "bags": (Trace.from_ids([1, 2], offsets=[0, 0, 2]), "criteo cannot hold bags"),
    "time": (Trace(Trace.from_ids([1]).tables, time=np.array([5])), "criteo cannot hold time"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_it_cannot_hold_is_refused_unless_lossy(tmp_path: Path, case: str) -> None:
    trace, message = REFUSED[case]
    path = tmp_path / "log.tsv"
    with pytest.raises(HotrowError, match=rf"log.tsv: {message}"):
        files.write(trace, path)
    assert list(tmp_path.iterdir()) == []
    if case != "id":
        files.write(trace, path, lossy=True)
        assert files.read(path).samples == trace.samples


def test_lossy_keeps_the_first_lookup_of_a_bag(tmp_path: Path) -> None:
    files.write(Trace.from_ids([7, 8], offsets=[0, 0, 2]), tmp_path / "log.tsv", lossy=True)
    assert [text.split("\t")[14] for text in (tmp_path / "log.tsv").read_text().splitlines()] == ["", "00000007"]


def test_the_sample_is_counted_from_the_start_of_the_trace(tmp_path: Path) -> None:
    parts = [Trace.from_ids([1, 2]), Trace.from_ids([1, 2**32])]
    with pytest.raises(HotrowError, match="sample 3: id 4294967296"):
        files.write(parts, tmp_path / "log.tsv")
