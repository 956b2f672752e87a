"""Sweep: work out every point of a spec that the store has not, and lose nothing whatever happens."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ... import HotrowError
from ...progress import Advance, ignore
from ..grid import Grid
from ..parallel.executor import Maker, maker, run_all
from .points import Task, about, compute, group, measure, seconds_expected, task
from .spec import Spec
from .store import Store, Stored

STORE = "results.sqlite"
INTERIM_SECONDS = 10.0  # between two pages while a sweep runs

Notice = Callable[[], None]


@dataclass(frozen=True)
class Timed:
    """What a worker answers: the result and the seconds it took."""

    result: dict[str, Any]
    seconds: float


@dataclass(frozen=True)
class Planned:
    """A spec's tasks and which of them are left to do."""

    spec: Spec
    tasks: tuple[Task, ...]
    left: tuple[Task, ...]
    failed: int  # earlier, and not tried again
    seconds: Mapping[str, float]  # that a point of each group took so far, in the mean

    def expected(self, width: int) -> float:
        """Seconds that the rest takes, about, with `width` workers for what only computes."""
        alone = sum(seconds_expected(t.point, self.seconds) for t in self.left if t.point["kind"] == "measured")
        beside = sum(seconds_expected(t.point, self.seconds) for t in self.left if t.point["kind"] != "measured")
        return alone + beside / width

    def grid(self) -> Grid:
        """Points by kind."""
        every = Counter(t.point["kind"] for t in self.tasks)
        rest = Counter(t.point["kind"] for t in self.left)
        rows = tuple(
            (kind, f"{count:,}", f"{count - rest[kind]:,}", f"{rest[kind]:,}") for kind, count in every.items()
        )
        return Grid(self.spec.title, ("kind", "points", "finished", "to do"), rows, "assumed")


def plan(spec: Spec, store: Store | None, retry_failed: bool = False) -> Planned:
    """What is to be done; HotrowError where a point names a model, trace or machine that does not exist."""
    tasks = tuple(task(point, spec.seed, spec.folder) for point in spec.points)
    known = {} if store is None else {point.key: point for point in store.all()}
    found = [(t, known.get(t.key)) for t in tasks]
    left = tuple(t for t, point in found if point is None or (retry_failed and point.failure is not None))
    failed = sum(point is not None and point.failure is not None for _, point in found)
    took: dict[str, list[float]] = {}
    for point in known.values():
        if point.failure is None:
            took.setdefault(group(point.settings), []).append(point.seconds)
    return Planned(
        spec, tasks, left, 0 if retry_failed else failed, {name: sum(each) / len(each) for name, each in took.items()}
    )


def sweep(
    planned: Planned,
    store: Store,
    make: Maker | None = None,
    width: int = 1,
    advance: Advance = ignore,
    notice: Notice = lambda: None,
) -> None:
    """Work out what is left, each point kept as soon as it is finished; `notice` is called now and then in between.

    make: where points that only compute are worked out; measured points run after them, one by one, in this process's
    children. A point that fails is kept with its reason. HotrowError where the store cannot be written.
    """
    last = time.monotonic()
    for made in _finished(planned.left, make or maker(), width):
        store.put(made)
        advance(1)
        if time.monotonic() - last > INTERIM_SECONDS:
            notice()
            last = time.monotonic()


def _finished(tasks: Sequence[Task], make: Maker, width: int) -> Iterator[Stored]:
    beside = [t for t in tasks if t.point["kind"] != "measured"]
    for t, timed, failure in run_all(make, timed_compute, beside, width):
        yield _stored(t, timed, failure)
    for t in tasks:
        if t.point["kind"] == "measured":
            try:
                yield _stored(t, _timed(measure, t), None)
            except HotrowError as error:
                yield _stored(t, None, " ".join(str(error).split()))


def timed_compute(t: Task) -> Timed:
    """compute, with its time."""
    return _timed(compute, t)


def _timed(work: Callable[[Task], dict[str, Any]], t: Task) -> Timed:
    start = time.perf_counter()
    result = work(t)
    return Timed(result, time.perf_counter() - start)


def _stored(t: Task, timed: Timed | None, failure: str | None) -> Stored:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    made = (None, 0.0) if timed is None else (timed.result, timed.seconds)
    return Stored(t.key, dict(t.point), made[0], failure, made[1], now, about(t.point["kind"]))


def results(planned: Planned, store: Store) -> list[Stored]:
    """The finished points of this spec, in its order."""
    known = {point.key: point for point in store.all()}
    return [known[t.key] for t in planned.tasks if t.key in known]


def store_path(folder: Path) -> Path:
    """Where a sweep keeps its store in its folder."""
    return folder / STORE
