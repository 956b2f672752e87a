"""Store: a sweep's results in an SQLite file, one transaction per point; what is in it is never lost nor done twice."""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ... import HotrowError
from ...atomic import replacing

VERSION = 1
APPLICATION = 0x686F7472  # "hotr": what SQLite's header says of whose file it is
SCHEMA = """
CREATE TABLE point (
    key TEXT PRIMARY KEY,      -- hash of settings, of the files they name and of versions
    settings TEXT NOT NULL,    -- JSON
    result TEXT,               -- JSON; NULL where it failed
    failure TEXT,              -- one line; NULL where it succeeded
    seconds REAL NOT NULL,     -- that it took
    finished TEXT NOT NULL,    -- UTC
    about TEXT NOT NULL        -- JSON: host, versions
) STRICT
"""


@dataclass(frozen=True)
class Stored:
    """One finished point: its result, or why it failed."""

    key: str
    settings: dict[str, Any]
    result: dict[str, Any] | None
    failure: str | None
    seconds: float
    finished: str
    about: dict[str, Any]


class Store:
    """Finished points by key. Open it with `opened`, or with `reading` to look on while another process writes."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    def put(self, point: Stored) -> None:
        """Keep a finished point, in place of an earlier failure; HotrowError where the disk is full."""
        row = (
            point.key,
            _json(point.settings),
            None if point.result is None else _json(point.result),
            point.failure,
            point.seconds,
            point.finished,
            _json(point.about),
        )
        with _said(self.path):
            self._connection.execute("INSERT OR REPLACE INTO point VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def get(self, key: str) -> Stored | None:
        """The point with this key, if it is finished."""
        return next(self._read("WHERE key = ?", (key,)), None)

    def all(self) -> list[Stored]:
        """Every finished point, in order of finishing."""
        return list(self._read("ORDER BY rowid", ()))

    def _read(self, condition: str, values: tuple[Any, ...]) -> Iterator[Stored]:
        columns = "key, settings, result, failure, seconds, finished, about"
        with _said(self.path):
            rows = self._connection.execute(f"SELECT {columns} FROM point {condition}", values).fetchall()
        for key, settings, result, failure, seconds, finished, about in rows:
            made = None if result is None else json.loads(result)
            yield Stored(key, json.loads(settings), made, failure, seconds, finished, json.loads(about))


@contextmanager
def opened(path: str | Path) -> Iterator[Store]:
    """The store in `path`, made where there is none, for this process alone to write.

    HotrowError where the file is something else, of another version, or open in another sweep.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise HotrowError(f"{path}: cannot be written ({error.strerror}); choose another place") from error
    try:
        _take(lock, path)
        if not path.exists():
            _make(path)
        with _connected(path, "rw") as connection:
            _check(connection, path)
            with _said(path):
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
            yield Store(path, connection)
    finally:
        os.close(lock)


@contextmanager
def reading(path: str | Path) -> Iterator[Store]:
    """The store in `path` to read, also while a sweep writes it; HotrowError where there is none or it is no store."""
    path = Path(path)
    if not path.is_file():
        raise HotrowError(f"{path}: no such store; hotrow sweep SPEC.toml --out FOLDER makes one")
    with _connected(path, "ro") as connection:
        _check(connection, path)
        yield Store(path, connection)


def _take(lock: int, path: Path) -> None:
    """Hold the lock file until it is closed, or this process ends however it ends."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.pread(lock, 20, 0).decode("ascii", "replace").strip()
        raise HotrowError(
            f"{path}: open in another sweep (process {holder or 'unknown'}); wait for it or choose another --out"
        ) from None
    os.ftruncate(lock, 0)
    with suppress(OSError):  # a full disk: the lock holds, it only cannot say whose it is
        os.pwrite(lock, str(os.getpid()).encode(), 0)


@contextmanager
def _connected(path: Path, mode: str) -> Iterator[sqlite3.Connection]:
    with _said(path):
        address = f"{path.absolute().as_uri()}?mode={mode}"
        connection = sqlite3.connect(address, uri=True, timeout=10, isolation_level=None)  # every statement commits
    try:
        yield connection
    finally:
        connection.close()


def _make(path: Path) -> None:
    """An empty store, there whole or not at all, as others may look on."""
    with replacing(path) as beside, _connected(beside, "rw") as connection, _said(path):
        connection.execute(SCHEMA)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {VERSION}")


def _check(connection: sqlite3.Connection, path: Path) -> None:
    with _said(path):
        ours = connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION
        version = connection.execute("PRAGMA user_version").fetchone()[0]
    if not ours:
        raise HotrowError(f"{path}: is a database, but no store of hotrow's; choose another --out")
    if version != VERSION:
        raise HotrowError(
            f"{path}: a store of version {version}, this hotrow writes {VERSION}; "
            + ("update hotrow" if version > VERSION else "move it away and sweep again")
        )


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """What SQLite complains of, in one line."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        text = str(error)
        if "full" in text or "disk I/O" in text:
            remedy = "make room and give the same command again: what is finished is kept"
        elif "not a database" in text or "malformed" in text:
            remedy = "it is damaged or no store; move it away"
        elif "readonly" in text or "unable to open" in text:
            remedy = "choose another place that can be written"
        else:
            remedy = "see whether another program holds it"
        raise HotrowError(f"{path}: {text}; {remedy}") from error


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, allow_nan=False, ensure_ascii=False)
