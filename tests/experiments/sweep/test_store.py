"""The store: what was put is there after any end, for one writer at a time, and what is no store is refused."""

import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hotrow import HotrowError
from hotrow.experiments.sweep.store import Stored, opened, reading

POINT = Stored("k", {"batch": 1}, {"metrics": {}}, None, 0.5, "2026-01-01T00:00:00+00:00", {"hotrow": "1"})


def test_what_was_put_is_there_again(tmp_path: Path) -> None:
    failed = replace(POINT, key="f", result=None, failure="why <b>")
    with opened(tmp_path / "new" / "s.sqlite") as store:
        store.put(POINT)
        store.put(failed)
    with opened(tmp_path / "new" / "s.sqlite") as store:
        assert store.get("k") == POINT
        assert store.get("none") is None
        assert store.all() == [POINT, failed]
        store.put(replace(POINT, key="f"))
        assert {point.failure for point in store.all()} == {None}


WRITER = """
import sys
from dataclasses import replace
sys.path.insert(0, {tests!r})
from test_store import POINT
from hotrow.experiments.sweep.store import opened
with opened({path!r}) as store:
    for k in range(10**6):
        store.put(replace(POINT, key=str(k)))
        print(k, flush=True)
"""


def test_kill_9_loses_nothing_that_was_put(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    program = WRITER.format(tests=str(Path(__file__).parent), path=str(path))
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for _ in range(20):
            last = int(writer.stdout.readline())
        with pytest.raises(HotrowError, match=rf"open in another sweep \(process {writer.pid}\)"), opened(path):
            pass
        with reading(path) as store:  # to look on is allowed
            assert len(store.all()) >= 20
        os.kill(writer.pid, signal.SIGKILL)
        said = writer.stdout.read().split()
        last = int(said[-1]) if said else last
    with opened(path) as store:  # the lock died with its process
        assert [int(point.key) for point in store.all()][: last + 1] == list(range(last + 1))


def test_a_full_disk_is_said_and_nothing_is_lost(tmp_path: Path) -> None:
    with opened(tmp_path / "s.sqlite") as store:
        store.put(POINT)
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
        store._connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(HotrowError, match="full; make room and give the same command again"):
            store.put(replace(POINT, key="big", failure="x" * 100_000))
        assert store.all() == [POINT]


def test_another_version_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    with opened(path):
        pass
    for version, remedy in ((99, "update hotrow"), (0, "sweep again")):
        with sqlite3.connect(path) as connection:
            connection.execute(f"PRAGMA user_version = {version}")
        for way in (opened, reading):
            with pytest.raises(HotrowError, match=f"a store of version {version}.*{remedy}"), way(path):
                pass


def test_what_is_no_store_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a database at all, but longer than a header of one hundred bytes is " * 3)
    with sqlite3.connect(tmp_path / "other") as connection:
        connection.execute("CREATE TABLE mine (a)")
    for name, said in (("text", "not a database"), ("other", "no store of hotrow's")):
        before = (tmp_path / name).read_bytes()
        with pytest.raises(HotrowError, match=said), opened(tmp_path / name):
            pass
        assert (tmp_path / name).read_bytes() == before
    with pytest.raises(HotrowError, match="no such store"), reading(tmp_path / "none"):
        pass


def test_a_reader_beside_the_writer_sees_whole_points(tmp_path: Path) -> None:
    with opened(tmp_path / "s.sqlite") as store, reading(tmp_path / "s.sqlite") as reader:
        for k in range(50):
            store.put(replace(POINT, key=str(k)))
            assert [point.key for point in reader.all()] == [str(n) for n in range(k + 1)]
