"""A progress bar with rate and remaining time, on standard error, for work that lasts over two seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[int], None]
PATIENCE = 2.0  # seconds before a bar appears


def ignore(amount: int) -> None:
    """An Advance that shows nothing: what library functions use when nobody watches."""


@contextmanager
def bar(what: str, unit: str, total: int | None = None, quiet: bool = False) -> Iterator[Advance]:
    """Yield a function to call with each finished amount; silent when quiet or when nobody sits at a terminal."""
    if quiet or not sys.stderr.isatty():
        yield ignore
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} {task.fields[unit]}, {task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    shown = Progress(*columns, console=Console(stderr=True), transient=True)
    task = shown.add_task(what, total=total, unit=unit, rate="")
    begin = time.monotonic()
    done = 0

    def advance(amount: int) -> None:
        nonlocal done
        done += amount
        elapsed = time.monotonic() - begin
        if elapsed > PATIENCE:
            if not shown.live.is_started:
                shown.start()
            shown.update(task, completed=done, rate=f"{done / elapsed:,.0f} {unit}/s")

    try:
        yield advance
    finally:
        if shown.live.is_started:
            shown.stop()
