"""CSV: exact round trips of everything but declared rows, other people's columns, and every broken line."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow import HotrowError
from hotrow.tests.tracegen.strategies import traces
from hotrow.tracegen import files
from hotrow.tracegen.trace import TableLookups, Trace, concatenate


def undeclared(trace: Trace) -> Trace:
    """The trace with the largest id + 1 as declared rows."""
    tables = [
        TableLookups(t.name, int(t.indices.max()) + 1 if t.accesses else 0, t.indices, t.offsets) for t in trace.tables
    ]
    return Trace(tuple(tables), trace.time, trace.user, trace.dense, trace.label)


@settings(max_examples=60, deadline=None)
@given(traces(least=1), st.sampled_from([".csv", ".tsv", ".csv.gz", ".tab.zst"]), st.integers(1, 4))
def test_exact_round_trip(tmp_path_factory: pytest.TempPathFactory, trace: Trace, suffix: str, samples: int) -> None:
    path = tmp_path_factory.mktemp("trace") / f"trace{suffix}"
    files.write([trace.samples_between(0, 2), trace.samples_between(2, 99)], path, format="csv")
    assert files.read(path).equals(undeclared(trace))
    parts = list(files.scan(path, samples=samples))
    assert all(part.samples <= samples for part in parts)
    assert concatenate(parts).equals(undeclared(trace))


def test_the_very_text(tmp_path: Path) -> None:
    tables = (
        TableLookups("item", 9, np.array([3, 4])),
        TableLookups("time", 9, np.array([1, 2])),
        TableLookups("page", 9, np.array([5, 6, 7]), np.array([0, 0, 3])),
    )
    trace = Trace(tables, time=np.array([1.0, 2.5]), user=np.array([7, 8]), dense=[[0.1], [2]], label=[0, 1])  # type: ignore[arg-type]
    files.write(trace, tmp_path / "trace.csv")
    assert (tmp_path / "trace.csv").read_text().splitlines() == [
        '"item","table:time","bag:page","dense_0","label","time","user"',
        '3,1,"",0.1,0,"1.0",7',
        '4,2,"5|6|7",2,1,"2.5",8',
    ]


TEXT = "when;who;song;tags;price;age\n3;10;b;x y;1.5;20\n4;11;a;;2.5;30\n5;10;b;y;3;40\n"


def test_columns_of_another_hand(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(TEXT)
    options: dict[str, Any] = {"separator": ";", "bag_separator": " ", "renumber": True}
    trace = files.read(
        tmp_path / "log.csv", ids="song", bags="tags", dense="price,age", time="when", user="who", **options
    )
    assert [(t.name, t.rows, t.indices.tolist()) for t in trace.tables] == [
        ("song", 2, [0, 1, 0]),
        ("tags", 2, [0, 1, 1]),
    ]
    assert trace.tables[1].bag_sizes().tolist() == [2, 0, 1]
    values = {name: getattr(trace, name).tolist() for name in ("dense", "time", "user")}
    assert values == {"dense": [[1.5, 20], [2.5, 30], [3, 40]], "time": [3, 4, 5], "user": [10, 11, 10]}
    assert trace.label is None


def test_without_a_header_columns_have_numbers(tmp_path: Path) -> None:
    (tmp_path / "log.tsv").write_text("5\t1\t0.5\n6\t0\t0.25")
    trace = files.read(tmp_path / "log.tsv", header=False, ids=0, label="1", dense="2")
    assert (trace.tables[0].name, trace.tables[0].indices.tolist()) == ("0", [5, 6])
    assert trace.label is not None
    assert trace.label.tolist() == [1, 0]


def test_a_header_alone_is_no_samples(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("a,bag:b,time\n")
    trace = files.read(tmp_path / "log.csv")
    assert (trace.samples, [t.name for t in trace.tables]) == (0, ["a", "b"])


BROKEN: dict[str, tuple[str, dict[str, Any], str]] = {
    "a word": ("a,b\n1,2\n3,x\n", {}, r", line 3, column 'b': 'x' is no int64; correct it, or number text ids"),
    "an empty id": ("a,b\n1,2\n,3\n", {}, ", line 3, column 'a': '' is no int64"),
    "too few": ("a,b\n1,2\n3\n", {}, r", line 3: 1 fields; the first line has 2: correct or drop the line"),
    "too many": ("a,b\n1,2\n3,4,5\n", {}, ", line 3: 3 fields"),
    "beyond int64": ("a\n9223372036854775808\n", {}, ", line 2, column 'a': '9223372036854775808' is no int64"),
    "negative": ("a\n1\n-2\n", {}, ": table 'a', sample 1: index -2; row ids start at 0"),
    "in a bag": ("bag:a\n1|2\n3|x\n", {}, ": column 'bag:a', sample 1: 'x' is no row id"),
    "a hole in a bag": ("bag:a\n1||2\n", {}, ": column 'bag:a', sample 0: '' is no row id"),
    "time": ("a,time\n1,5\n2,noon\n", {}, ": column 'time', sample 1: 'noon' is no number"),
    "dense": ("a,dense_0\n1,x\n", {}, ", line 2, column 'dense_0': 'x' is no float"),
    "NaN": ("a,dense_0\n1,2\n1,nan\n", {}, ": dense column 0, sample 1: nan; values must be finite"),
    "no column": ("a,b\n1,2\n", {"ids": "c"}, ": no column 'c'; there are a, b"),
    "no ids": ("time,user\n1,2\n", {}, ": no column of ids; name them with the option ids"),
    "twice": ("a,a\n1,2\n", {}, ", line 1: column 'a' stands twice"),
    "separators": ("a\n1\n", {"bag_separator": ","}, ": separator ',' and bag_separator ','"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_wrong_is_named(tmp_path: Path, case: str) -> None:
    text, options, message = BROKEN[case]
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(HotrowError, match=rf"bad.csv{message}") as raised:
        files.read(tmp_path / "bad.csv", **options)
    assert "\n" not in str(raised.value)


def test_a_late_line_is_counted_right(tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("a,b\n" + "123456,7890123\n" * 400_000 + "1,x\n")
    with pytest.raises(HotrowError, match=r"bad.csv, line 400002, column 'b': 'x' is no int64"):
        list(files.scan(tmp_path / "bad.csv"))


@pytest.mark.parametrize("data", [b"a,b\n1\0,2\n", b"\xff\xfe,b\n1,2\n", b"a,b\n1,2\n\xff,\xfe\n"])
def test_binary_garbage_is_one_clear_line(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "bad.csv").write_bytes(data)
    with pytest.raises(HotrowError, match=r"bad.csv") as raised:
        files.read(tmp_path / "bad.csv", format="csv")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("suffix", [".csv.gz", ".csv.zst"])
def test_a_compressed_file_cut_off_is_named(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"bad{suffix}"
    files.write(Trace.from_ids(np.random.default_rng(0).integers(0, 10**9, 500)), path)
    whole = path.read_bytes()
    for cut in (3, 30, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(HotrowError, match=r"bad.csv"):
            files.read(path, format="csv")
