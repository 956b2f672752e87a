"""Curves counted in parts are those of the whole trace, whatever is cut and whoever dies."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hotrow import HotrowError
from hotrow.experiments.lru_curves import LruCurves, lru_curves
from hotrow.experiments.parallel import exact_curves, lru_parts
from hotrow.experiments.parallel.executor import LOCAL_CLUSTER, maker
from hotrow.experiments.parallel.lru_parts import curves_in_parts, number, plan
from hotrow.tracegen import files
from hotrow.tracegen.formats.format import Extent
from hotrow.tracegen.trace import TableLookups, Trace

threads = partial(ThreadPoolExecutor, 2)


@contextmanager
def dying(folder: Path) -> Iterator[Executor]:
    """Local processes, the first of which dies in the middle of its part."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(2, get_context("spawn"), initializer=_armed, initargs=(folder,)) as pool:
        yield pool


def _armed(folder: Path) -> None:
    scan = files.scan_between

    def deadly(*given: object) -> Iterator[Trace]:
        for piece in scan(*given):  # type: ignore[arg-type]
            yield piece
            try:
                (folder / "died").touch(exist_ok=False)
            except FileExistsError:
                continue
            os.kill(os.getpid(), signal.SIGKILL)

    lru_parts.files.scan_between = deadly  # type: ignore[assignment]


def bags(seed: int, tables: int, samples: int, rows: tuple[int, ...]) -> Trace:
    rng = np.random.default_rng(seed)
    made = []
    for k in range(tables):
        own = int(rng.choice(rows))
        offsets = None if k % 2 else np.concatenate(([0], np.cumsum(rng.integers(0, 4, samples))))
        accesses = samples if offsets is None else int(offsets[-1])
        made.append(TableLookups(f"t.{k}", own, (rng.random(accesses) ** 3 * own).astype(np.int64), offsets))
    return Trace(tuple(made))


def written(trace: Trace, path: Path, group: int = 60) -> Path:
    starts = range(0, max(trace.samples, 1), group)
    files.write((trace.samples_between(s, s + group) for s in starts), path)
    return path


def assert_same(found: LruCurves, trace: Trace) -> None:
    whole = lru_curves(trace)
    assert found.names == whole.names
    for a, b in zip((*found.tables, found.shared), (*whole.tables, whole.shared), strict=True):
        assert (a.accesses, a.distinct) == (b.accesses, b.distinct)
        assert np.array_equal(a.histogram, b.histogram)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("WORTH", 10), ("PIECE", 500), ("READ", 37), ("PART_LOOKUPS", 300)):
        monkeypatch.setattr(lru_parts, name, value)


@pytest.mark.parametrize("suffix", [".parquet", ".npz"])
@pytest.mark.parametrize("seed", range(6))
def test_parts_are_the_whole(tmp_path: Path, suffix: str, seed: int) -> None:
    trace = bags(seed, 1 + seed % 4, (0, 1, 50, 333, 400, 1000)[seed], (1, 30, 500, 2**40))
    path = written(trace, tmp_path / f"t{suffix}")
    for workers in (1, 2, 3):
        assert_same(curves_in_parts(path, threads, workers), trace)


def test_a_folder_and_a_file_of_another_hand_are_read_in_parts(tmp_path: Path) -> None:
    trace = bags(1, 3, 500, (1, 30, 500))
    for k, start in enumerate(range(0, 500, 200)):
        columns = {}
        for table in trace.samples_between(start, start + 200).tables:
            values = pa.array(table.indices.astype(np.int64))
            listed = None if table.offsets is None else pa.ListArray.from_arrays(table.offsets.astype(np.int32), values)
            columns[table.name] = values if listed is None else listed
        (tmp_path / "many").mkdir(exist_ok=True)
        pq.write_table(pa.table(columns), tmp_path / "many" / f"{k}.parquet", row_group_size=50, write_statistics=k < 2)
    assert [rows for _, rows in files.extent(tmp_path / "many").tables] == [None] * 3
    assert_same(curves_in_parts(tmp_path / "many", threads, 2), trace)


def test_a_worker_reads_only_its_part(tmp_path: Path) -> None:
    trace = bags(2, 3, 600, (500,))
    path = written(trace, tmp_path / "t.parquet")
    part = list(files.scan_between(path, (2, 0), 130, 250))
    assert [table.name for table in part[0].tables] == ["t.2", "t.0"]
    assert sum(piece.samples for piece in part) == 120
    whole = trace.samples_between(130, 250)
    for k, name in enumerate(("t.2", "t.0")):
        got = np.concatenate([piece.tables[k].indices for piece in part])
        assert np.array_equal(got, whole.table(name).indices)
    raw = bytearray(path.read_bytes())
    raw[100:200] = bytes(100)  # in the first row group
    path.write_bytes(raw)
    assert sum(piece.samples for piece in files.scan_between(path, (0,), 180, 240)) == 60
    with pytest.raises(HotrowError, match="not a whole Parquet file"):
        list(files.scan_between(path, (0,), 0, 60))


def test_a_plan_covers_every_lookup_once_and_holds_to_its_bounds() -> None:
    tables = (("a", 10), ("b", 20), ("c", None))
    by_time = plan(Extent(tables, 4000, (4000, 8000, 0), tuple(range(0, 4000, 10))), Path("x"), None, 2)
    assert [part.start for part in by_time] == [0, *(part.stop for part in by_time[:-1])]
    assert by_time[-1].stop == 4000
    assert all(part.start % 10 == 0 and part.alone and part.lookups < 400 for part in by_time)
    by_table = plan(Extent(tables, 4000, (4000, 8000, 0)), Path("x"), None, 2)
    alone = [part for part in by_table if part.alone]
    assert sorted(k for part in alone for k in part.tables) == [0, 1, 2]
    assert all((part.start, part.stop) == (0, 4000) for part in alone)


@pytest.mark.parametrize("rows", [(5, 7, 3), (2**31, 5, 1), (None, 4, 9), (2**62, 2**62, 2**62)])
def test_no_two_rows_share_an_id(rows: tuple[int | None, ...]) -> None:
    numbering = number([(str(k), count) for k, count in enumerate(rows)])
    ids = np.arange(3)
    shared = numbering.of(Trace(tuple(TableLookups(str(k), count or 9, ids[:1]) for k, count in enumerate(rows))))
    every = [numbering.step * row + base for base in numbering.bases for row in range(3)]
    assert shared.tolist() == list(numbering.bases)
    assert len(set(every)) == 9 or min(count or 9 for count in rows) < 3


def test_ids_too_large_to_tell_apart_are_refused(tmp_path: Path) -> None:
    big = Trace(tuple(TableLookups(f"f{k}", 2**63, np.array([2**63 - 1])) for k in range(3)))
    with pytest.raises(HotrowError, match="leave --workers out"):
        curves_in_parts(written(big, tmp_path / "t.npz"), threads, 1)


def test_a_killed_worker_loses_and_doubles_nothing(tmp_path: Path) -> None:
    trace = bags(3, 2, 800, (50, 500))
    path = written(trace, tmp_path / "t.parquet")
    assert_same(curves_in_parts(path, lambda: dying(tmp_path), 2), trace)
    assert (tmp_path / "died").exists()


def test_a_dask_cluster_comes_to_the_same(tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="pip install hotrow[distributed]")
    trace = bags(4, 2, 800, (50, 500))
    path = written(trace, tmp_path / "t.parquet")
    assert_same(curves_in_parts(path, maker(LOCAL_CLUSTER, 2), 2), trace)


@pytest.mark.parametrize("name", ["mooncake_conversation", "nycflights17"])
def test_real_traces_come_to_the_same(shared: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lru_parts, "PART_LOOKUPS", 100_000)
    monkeypatch.setattr(lru_parts, "READ", 1 << 14)
    trace = files.read(shared / "data" / f"{name}.npz")
    assert_same(curves_in_parts(shared / "data" / f"{name}.npz", threads, 2), trace)
    files.write(files.scan(shared / "data" / f"{name}.npz", samples=5000), tmp_path / "t.parquet")
    assert_same(curves_in_parts(tmp_path / "t.parquet", threads, 2), trace)


def test_what_cannot_be_read_in_parts_or_is_damaged_is_said(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    with pytest.raises(HotrowError, match=r"cannot be read in parts \(parquet, npz can\); hotrow convert makes"):
        curves_in_parts(tmp_path / "t.csv", threads, 2)
    path = written(bags(5, 2, 800, (50,)), tmp_path / "t.parquet")
    raw = bytearray(path.read_bytes())
    raw[200:300] = bytes(100)
    path.write_bytes(raw)
    with pytest.raises(HotrowError, match="not a whole Parquet file"):
        curves_in_parts(path, threads, 2)


def test_sizes_are_the_curves_and_the_shared_caches_come_last(tmp_path: Path) -> None:
    trace = bags(6, 2, 300, (50, 500))
    found = exact_curves.exact_curves(written(trace, tmp_path / "t.npz"), threads, 2, 128, (10,))
    whole = lru_curves(trace)
    assert [size.table for size in found.sizing] == ["t.0", "t.1", exact_curves.ALL]
    hits = [int(curve.hits(10)) / curve.accesses for curve in (*whole.tables, whole.shared)]
    assert [size.asked for size in found.sizing] == [((10, ratio),) for ratio in hits]
    text = "\n".join(exact_curves.grid(found).lines())
    assert "knee" not in text
    assert set(exact_curves.plain(found)["lru"]) == {"t.0", "t.1"}
    assert set(exact_curves.figures(found)) == {"lru-shared", "lru-tables"}
