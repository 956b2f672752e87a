"""Question: where is it tuned which feature of a shared table looks up what, and where judged? Chosen before tuning.

Public logs of features that share a table are hard to find with one numbering of rows. So features are made of what
real ones hold: a line's first word and the others; a product and what the household bought before; airports of origin,
and behind them airports of destination, which nycflights17 numbers each for themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...tracegen.samples.made_logs import airline, clicks
from ...tracegen.trace import TableLookups, Trace
from .log_sets import MADE_SAMPLES, Log, load_logs


@dataclass(frozen=True)
class Shared:
    """A log, how its features are made of its fields, if they are not what it has, and those that share a table."""

    log: Log
    share: tuple[str, ...]
    made_of: Callable[[Trace], Trace] | None = None


def airports(trace: Trace) -> Trace:
    """nycflights17 with its destinations numbered behind its origins: no airport of New York is taken for another."""
    origin, dest = trace.table("f3"), trace.table("f4")
    rows = origin.rows + dest.rows
    behind = replace(dest, rows=rows, indices=dest.indices + origin.rows)
    changed = {"f3": replace(origin, name="origin", rows=rows), "f4": replace(behind, name="dest")}
    return Trace(tuple(changed.get(table.name, table) for table in trace.tables))


def first_words(trace: Trace) -> Trace:
    """A table of bags as two features: a bag's first row, if it has one, and the others."""
    table = trace.tables[0]
    sizes = table.bag_sizes()
    first = np.zeros(table.accesses, np.bool_)
    first[(np.cumsum(sizes) - sizes)[sizes > 0]] = True
    return Trace(
        (
            TableLookups("first", table.rows, table.indices[first], _offsets(np.minimum(sizes, 1))),
            TableLookups("others", table.rows, table.indices[~first], _offsets(np.maximum(sizes - 1, 0))),
        )
    )


def product_before(trace: Trace) -> Trace:
    """completejourney_75k with what the household of a line bought in its line before, if any."""
    household, product = trace.table("f0"), trace.table("f2")
    order = np.argsort(household.indices, kind="stable")
    known = np.diff(household.indices[order], prepend=-1) == 0
    before = np.full(trace.samples, -1, np.int64)
    before[order[known]] = product.indices[order[np.flatnonzero(known) - 1]]
    sizes = (before >= 0).astype(np.int64)
    feature = TableLookups("before", product.rows, before[before >= 0], _offsets(sizes))
    return Trace((*trace.tables, feature))


def _offsets(sizes: np.ndarray[tuple[int], np.dtype[np.int64]]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.concatenate(([0], np.cumsum(sizes)))


MAKERS: dict[str, Callable[..., Trace]] = {"airline": airline, "clicks": clicks}
TUNING_SHARED = (
    Shared(Log("airline (made, seed 1)", "airline", 1), ("origin", "dest")),
    Shared(Log("clicks (made, seed 1)", "clicks", 1), ("item", "history")),
)
TEST_SHARED = (
    Shared(Log("nycflights17", "nycflights17"), ("origin", "dest"), airports),
    Shared(Log("tinyshakespeare_words", "tinyshakespeare_words"), ("first", "others"), first_words),
    Shared(Log("completejourney_75k", "completejourney_75k"), ("f2", "before"), product_before),
    Shared(
        Log("big airline (made, seed 41)", "airline", 41, (("planes", 600), ("airports", 3_000), ("homing", 0.3))),
        ("origin", "dest"),
    ),
    Shared(
        Log("loyal clicks (made, seed 42)", "clicks", 42, (("loyalty", 0.8), ("users", 1_500))), ("item", "history")
    ),
)


def load_shared(logs: tuple[Shared, ...], folder: Path, samples: int = MADE_SAMPLES) -> Iterator[tuple[Shared, Trace]]:
    """The logs with their features; real ones from `folder`."""
    for shared in logs:
        for _, trace in load_logs((shared.log,), folder, MAKERS, samples):
            yield shared, trace if shared.made_of is None else shared.made_of(trace)
