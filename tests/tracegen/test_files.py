"""read, scan and write: formats found, exact round trips, files whole or not at all, and every bad file."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow import HotrowError
from hotrow.tests.tracegen.strategies import traces
from hotrow.tracegen import files
from hotrow.tracegen.trace import TableLookups, Trace, concatenate

EXACT = ("parquet", "npz")  # formats that hold everything


@settings(max_examples=60, deadline=None)
@given(traces(), st.sampled_from(EXACT), st.integers(1, 4), st.data())
def test_exact_round_trip(
    tmp_path_factory: pytest.TempPathFactory, trace: Trace, name: str, samples: int, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("trace") / f"trace.{name}"
    cut = data.draw(st.integers(0, trace.samples))
    files.write([trace.samples_between(0, cut), trace.samples_between(cut, trace.samples)], path)
    assert files.read(path).equals(trace)
    parts = list(files.scan(path, samples=samples))
    assert all(part.samples <= samples for part in parts)
    assert concatenate(parts).equals(trace)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("name", EXACT)
def test_a_trace_without_samples(tmp_path: Path, name: str) -> None:
    tables = (TableLookups("a", 5, np.empty(0, int)), TableLookups("b", 2**40, np.empty(0, int), np.zeros(1, int)))
    trace = Trace(tables, time=np.empty(0), user=np.empty(0, int), dense=np.empty((0, 3)), label=np.empty(0))
    files.write(trace, tmp_path / f"empty.{name}")
    assert files.read(tmp_path / f"empty.{name}").equals(trace)


def test_large_bags_make_small_parts(tmp_path: Path) -> None:
    sizes = np.full(10, 1_000_000)
    trace = Trace.from_ids(np.zeros(10**7, np.int64), rows=1, offsets=np.concatenate(([0], np.cumsum(sizes))))
    for name in EXACT:
        files.write(trace, tmp_path / f"bags.{name}")
        parts = list(files.scan(tmp_path / f"bags.{name}"))
        assert max(part.accesses for part in parts) <= 4_000_000
        assert sum(part.samples for part in parts) == 10


@pytest.mark.parametrize("name", files.FORMATS)
def test_a_format_can_be_forced_where_the_suffix_says_nothing(tmp_path: Path, name: str) -> None:
    path = tmp_path / "trace.data"
    with pytest.raises(HotrowError, match=r"trace.data: no format has this suffix; known are .*--format"):
        files.write(Trace.from_ids([0]), path)
    if files.formats()[name].write is not None:
        files.write(Trace.from_ids([0]), path, format=name, lossy=True)
        assert files.read(path, format=name).samples == 1
        found = files.recognise(path)
        assert found is None or found.name == name


def test_content_decides_before_the_suffix(tmp_path: Path) -> None:
    files.write(Trace.from_ids([3]), tmp_path / "trace.parquet")
    (tmp_path / "trace.parquet").rename(tmp_path / "trace.npz")
    assert files.read(tmp_path / "trace.npz").tables[0].indices.tolist() == [3]


def test_options_are_checked_by_name(tmp_path: Path) -> None:
    path = tmp_path / "trace.npz"
    files.write(Trace.from_ids([3]), path)
    with pytest.raises(HotrowError, match="npz has no option 'max_ind_range' here; it has none"):
        files.read(path, max_ind_range=5)
    with pytest.raises(HotrowError, match="parquet has no option 'level'"):
        files.write(Trace.from_ids([3]), tmp_path / "x.parquet", level=3)
    assert list(files.options("criteo")[0]) == ["max_ind_range"]
    with pytest.raises(HotrowError, match=r"criteo, option max_ind_range: 'x'; it must be a whole number"):
        files.read(path, format="criteo", max_ind_range="x")
    with pytest.raises(HotrowError, match=r"csv, option renumber: 1; it must be true or false"):
        files.read(path, format="csv", renumber=1)
    with pytest.raises(HotrowError, match="unknown format 'hdf5'; known are parquet"):
        files.read(path, format="hdf5")
    with pytest.raises(HotrowError, match="chunks of 0 samples"):
        list(files.scan(path, samples=0))


@pytest.mark.parametrize("name", files.FORMATS)
def test_missing_and_empty_files_are_named(tmp_path: Path, name: str) -> None:
    suffix = files.formats()[name].suffixes[0]
    path = tmp_path / f"trace{suffix}"
    with pytest.raises(HotrowError, match=r"trace.*: no such file"):
        files.read(path)
    path.touch()
    with pytest.raises(HotrowError, match=r"trace.*: the file is empty"):
        files.read(path)


@pytest.mark.parametrize("name", files.FORMATS)
@pytest.mark.parametrize("seed", range(3))
def test_garbage_is_one_clear_line(tmp_path: Path, name: str, seed: int) -> None:
    chosen = files.formats()[name]
    if chosen.scan is None:
        pytest.skip(f"{name} is only written")
    path = tmp_path / f"trace{chosen.suffixes[0]}"
    path.write_bytes(np.random.default_rng(seed).bytes(1001))  # no multiple of any record
    with pytest.raises(HotrowError, match="trace") as raised:
        list(files.scan(path, format=name))
    assert "\n" not in str(raised.value)


def test_garbage_without_a_suffix_is_no_known_format(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    path.write_bytes(bytes(range(255, 128, -1)))
    with pytest.raises(HotrowError, match="no known trace format; known are parquet, npz"):
        files.read(path)


def truncated(path: Path) -> Iterator[Path]:
    whole = path.read_bytes()
    for cut in sorted({1, 3, 50, len(whole) // 3, len(whole) // 2, len(whole) - 1}):
        path.write_bytes(whole[:cut])
        yield path


@pytest.mark.parametrize("name", EXACT)
def test_a_file_cut_off_is_one_clear_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"trace.{name}"
    files.write(Trace.from_ids(np.arange(1000), offsets=np.arange(0, 1001, 10)), path)
    for cut in truncated(path):
        with pytest.raises(HotrowError, match="trace") as raised:
            list(files.scan(cut))
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", EXACT)
def test_a_byte_turned_never_passes_for_a_fault_of_ours(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"trace.{name}"
    trace = Trace.from_ids(np.arange(300), offsets=np.arange(0, 301, 10))
    files.write(trace, path)
    whole = bytearray(path.read_bytes())
    for position in range(0, len(whole), 7):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
        with suppress(HotrowError):
            files.read(path)


def test_the_sample_is_counted_from_the_start_of_the_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "trace.npz", f0=np.array([0, 1, 2, -3]))
    with pytest.raises(HotrowError, match=r"trace.npz: table 'f0', sample 3: index -3"):
        list(files.scan(tmp_path / "trace.npz", samples=3))


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "old.parquet"
    files.write(Trace.from_ids([7]), path)
    return path


@pytest.mark.parametrize("error", [KeyboardInterrupt(), HotrowError("source.npz: broken"), MemoryError()])
@pytest.mark.parametrize("name", files.FORMATS)
def test_an_interrupted_write_leaves_nothing_and_keeps_the_old_file(
    tmp_path: Path, old: Path, error: BaseException, name: str
) -> None:
    chosen = files.formats()[name]
    if chosen.write is None:
        pytest.skip(f"{name} is only read")

    def parts() -> Iterator[Trace]:
        yield Trace.from_ids(np.arange(1000))
        raise error

    for path in (old, tmp_path / f"new{chosen.suffixes[0]}"):
        with pytest.raises(type(error)) as raised:
            files.write(parts(), path, format=name, lossy=True)
        assert raised.value is error
    assert [entry.name for entry in tmp_path.iterdir()] == ["old.parquet"]
    assert files.read(old).tables[0].indices.tolist() == [7]


@pytest.mark.parametrize("name", files.FORMATS)
@pytest.mark.parametrize("real", ["rduflights17", "mooncake_conversation", "lirs_loop"])
def test_real_traces_go_into_every_format_and_back(shared: Path, tmp_path: Path, real: str, name: str) -> None:
    source = shared / "data" / f"{real}.npz"
    there, back = tmp_path / f"trace{files.formats()[name].suffixes[0]}", tmp_path / "back.npz"
    files.write(files.scan(source), there, format=name, lossy=True)
    files.write(files.scan(there, format=name), back)
    first, last = files.read(source), files.read(back)
    if files.formats()[name].holds.bags and name != "mlperf_multi_hot":
        assert all(np.array_equal(a.indices, b.indices) for a, b in zip(first.tables, last.tables, strict=True))
        assert all(np.array_equal(a.bag_sizes(), b.bag_sizes()) for a, b in zip(first.tables, last.tables, strict=True))
    elif files.formats()[name].holds.tables:
        assert first.samples == last.samples
    else:
        assert np.array_equal(first.tables[0].indices, last.tables[0].indices)


def test_nothing_to_write_is_said(tmp_path: Path) -> None:
    with pytest.raises(HotrowError, match=r"trace.npz: nothing to write"):
        files.write(iter(()), tmp_path / "trace.npz")


@pytest.mark.parametrize("name", EXACT)
def test_parts_of_another_form_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(HotrowError, match="parts of a trace differ in their tables"):
        files.write([Trace.from_ids([1]), Trace.from_ids([1], offsets=[0, 1])], tmp_path / f"trace.{name}")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(HotrowError, match=r"trace.npz: cannot be written \(.*\); choose another place"):
        files.write(Trace.from_ids([1]), tmp_path / "file" / "trace.npz")
    with pytest.raises(HotrowError, match="is a folder"):
        (tmp_path / "folder.npz").mkdir()
        files.write(Trace.from_ids([1]), tmp_path / "folder.npz")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(HotrowError, match="cannot be written"):
        files.write(Trace.from_ids([1]), tmp_path / "trace.npz")


def test_a_full_disk_is_named() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    with pytest.raises(HotrowError, match="/dev/full"):
        files.write(Trace.from_ids([1]), "/dev/full/trace.npz")


@pytest.mark.parametrize("name", ["t.npz", "t.parquet"])
def test_reading_says_how_far_it_is(tmp_path: Path, name: str) -> None:
    files.write(Trace.from_ids(np.arange(70_000) % 7), tmp_path / name)
    steps: list[int] = []
    assert files.read(tmp_path / name, advance=steps.append).samples == sum(steps) == 70_000
