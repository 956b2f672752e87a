"""Question: on which whole logs is coupling tuned, and on which is it judged? The choice, made before any tuning."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...tracegen import files
from ...tracegen.samples.made_logs import clicks, groceries, independent_fields
from ...tracegen.trace import TableLookups, Trace

MAKERS: dict[str, Callable[..., Trace]] = {"clicks": clicks, "groceries": groceries, "independent": independent_fields}
MADE_SAMPLES = 100_000


@dataclass(frozen=True)
class Log:
    """A whole log: a real file, or a made one with its seed and options."""

    name: str
    source: str  # a file's stem, or a maker's name
    seed: int | None = None
    options: tuple[tuple[str, Any], ...] = ()


TUNING_LOGS = (
    Log("rduflights17", "rduflights17"),
    Log("clicks (made, seed 1)", "clicks", 1),
    Log("independent (made, seed 1)", "independent", 1),
    Log("groceries (made, seed 1)", "groceries", 1),
    Log("long baskets (made, seed 2)", "groceries", 2, (("lines", 8.0), ("households", 3_000))),
)
TEST_LOGS = (
    Log("nycflights17", "nycflights17"),
    Log("completejourney_75k", "completejourney_75k"),
    Log("mooncake_conversation", "mooncake_conversation"),
    Log("tinyshakespeare_words", "tinyshakespeare_words"),
    Log("loyal clicks (made, seed 21)", "clicks", 21, (("loyalty", 0.8), ("users", 1_500))),
    Log("many users (made, seed 22)", "clicks", 22, (("users", 20_000), ("loyalty", 0.3))),
)


def load_logs(
    logs: tuple[Log, ...],
    folder: Path,
    makers: Mapping[str, Callable[..., Trace]] = MAKERS,
    samples: int = MADE_SAMPLES,
) -> Iterator[tuple[Log, Trace]]:
    """The logs with all their tables; real ones from `folder`, others of so many samples by their maker."""
    for log in logs:
        if log.seed is None:
            yield log, files.read(folder / f"{log.source}.npz")
        else:
            yield log, makers[log.source](samples, log.seed, **dict(log.options))


def hashed(trace: Trace, seed: int = 0) -> Trace:
    """The same log under row numbers drawn at random, as a hash gives them."""
    rng = np.random.default_rng(seed)
    tables = []
    for table in trace.tables:
        numbers: Any = rng.permutation(table.rows)[table.indices]
        tables.append(TableLookups(table.name, table.rows, numbers, table.offsets))
    return Trace(tuple(tables), trace.time, trace.user, trace.dense, trace.label)
