"""What `hotrow sweep` does: plan, run, and keep page, CSV and JSON beside the store up to date."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ... import HotrowError
from ...atomic import replacing
from ...progress import Advance, ignore
from .. import report as pages
from ..parallel.executor import maker, processors
from . import page
from .spec import read_spec
from .store import Store, Stored, opened, reading
from .sweep import Planned, plan, results, store_path, sweep

FILES = ("index.html", "results.csv", "results.json")


@dataclass(frozen=True)
class Asked:
    """A spec, the folder of its results, and how to work them out."""

    spec: Path
    out: Path
    retry_failed: bool = False
    scheduler: str | None = None
    workers: int | None = None

    @property
    def width(self) -> int:
        """Workers for what only computes."""
        return self.workers or processors()


@dataclass(frozen=True)
class Done:
    """A sweep's finished points and the page that tells them."""

    out: Path
    answer: tuple[str, ...]
    points: tuple[Stored, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """The answer, and where to read on."""
        return (
            *self.answer,
            f"{self.out / 'index.html'}: open it in a browser; results.csv and results.json lie beside it",
        )

    def plain(self) -> dict[str, Any]:
        """All as plain values."""
        return {"out": str(self.out), "answer": list(self.answer), "points": [asdict(p) for p in self.points]}


def look(asked: Asked) -> tuple[Planned, float]:
    """The plan and about how many seconds it takes; nothing is written."""
    planned = _planned(asked)
    return planned, planned.expected(asked.width)


def steps(asked: Asked) -> int:
    """How often `go` advances."""
    return len(_planned(asked).left)


def _planned(asked: Asked) -> Planned:
    spec, path = read_spec(asked.spec), store_path(asked.out)
    if not path.exists():
        return plan(spec, None)
    with reading(path) as store:
        return plan(spec, store, asked.retry_failed)


def go(asked: Asked, command: str, advance: Advance = ignore) -> Done:
    """Work out what is left; page, CSV and JSON are written at the end, however it ends, and now and then before."""
    spec = read_spec(asked.spec)
    make = maker(asked.scheduler, asked.workers)
    with opened(store_path(asked.out)) as store:
        planned = plan(spec, store, asked.retry_failed)
        _sweep_up(asked.out)

        def interim() -> None:
            with suppress(HotrowError):  # the disk may be full: the store matters more
                _publish(asked.out, planned, store, command)

        try:
            sweep(planned, store, make, asked.width, advance, interim)
        except BaseException:
            interim()
            raise
        return _publish(asked.out, planned, store, command)


def _sweep_up(out: Path) -> None:
    """Remove what a sweep that was killed had half written."""
    for name in FILES:
        for left in out.glob(f".partial-*-{name}"):
            left.unlink(missing_ok=True)


def _publish(out: Path, planned: Planned, store: Store, command: str) -> Done:
    """Write the page of what is finished, and the same as CSV and JSON; HotrowError where one cannot be written."""
    points = results(planned, store)
    made = page.report(planned, points, command)
    texts = (
        pages.render(made),
        page.as_csv(points),
        json.dumps([asdict(point) for point in points], indent=1, allow_nan=False),
    )
    for name, text in zip(FILES, texts, strict=True):
        try:
            with replacing(out / name) as beside:
                beside.write_text(text, encoding="utf-8")
        except OSError as error:
            remedy = "make room and give the same command again: what is finished is kept"
            raise HotrowError(f"{out / name}: cannot be written ({error.strerror}); {remedy}") from error
    return Done(out, made.answer, tuple(points))
