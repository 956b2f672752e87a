"""Question: on which traces is a generator tuned, and on which is it judged? The choice, made before any tuning."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...tracegen import files
from ...tracegen.scenarios import SCENARIOS
from ...tracegen.trace import Trace

MADE = 500_000  # lookups of every made trace


@dataclass(frozen=True)
class Member:
    """One trace of a set: `field` of a real trace file (lookups or bags start … stop − 1), or a made scenario."""

    name: str
    source: str  # a file's stem, or "made"
    field: str = "f0"  # or the scenario
    start: int = 0
    stop: int | None = None
    seed: int = 0
    options: tuple[tuple[str, Any], ...] = ()


TUNING = (
    Member("flight", "nycflights17", "f1"),
    Member("dest", "nycflights17", "f4"),
    Member("household", "completejourney_75k", "f0"),
    Member("product", "completejourney_75k", "f2"),
    Member("c2k_orm_busy, first million", "c2k_orm_busy", "f0", 0, 1_000_000),
    Member("lirs_loop", "lirs_loop"),
    *(Member(f"{name} (made, seed 1)", "made", name, seed=1) for name in SCENARIOS),
)

TEST = (
    Member("arc_oltp", "arc_oltp"),
    Member("c2k_orm_busy, fourth million", "c2k_orm_busy", "f0", 3_000_000, 4_000_000),
    Member("c2k_web07", "c2k_web07"),
    Member("carrier", "nycflights17", "f0"),
    Member("tailnum", "nycflights17", "f2"),
    Member("origin", "nycflights17", "f3"),
    Member("route", "nycflights17", "f5"),
    Member("hour", "nycflights17", "f6"),
    Member("rdu flight", "rduflights17", "f1"),
    Member("rdu tailnum", "rduflights17", "f2"),
    Member("store", "completejourney_75k", "f1"),
    Member("basket", "completejourney_75k", "f3"),
    Member("lirs_multi3", "lirs_multi3"),
    Member("steep Zipf (made)", "made", "zipf", seed=11, options=(("rows", 200_000), ("exponent", 1.2))),
    Member("long sessions (made)", "made", "sessions", seed=12, options=(("mean_length", 25.0), ("pause", 3000.0))),
    Member("slow news (made)", "made", "news", seed=13, options=(("life", 0.03), ("background", 0.5))),
    Member("fast news (made)", "made", "news", seed=14, options=(("life", 0.004), ("background", 0.1))),
    Member("big loop (made)", "made", "loops", seed=15, options=(("loop_rows", 15_000), ("share", 0.3))),
    Member("long phases (made)", "made", "phases", seed=16, options=(("mean_length", 60_000), ("working_set", 8_000))),
    Member("short phases (made)", "made", "phases", seed=17, options=(("mean_length", 6_000), ("working_set", 1_000))),
    Member("loyal retail (made)", "made", "retail", seed=18, options=(("loyalty", 0.85),)),
    Member("slow drift (made)", "made", "drift", seed=19, options=(("turnover", 0.7), ("exponent", 1.1))),
)

TEST_BAGS = (Member("mooncake_conversation", "mooncake_conversation"), Member("words", "tinyshakespeare_words"))


def load(members: tuple[Member, ...], folder: Path, min_lookups: int = 0) -> Iterator[tuple[Member, Trace]]:
    """The members' traces of one table, real ones from `folder`; those shorter than `min_lookups` are left out."""
    for member in members:
        trace = _load(member, folder)
        if trace.accesses >= min_lookups:
            yield member, trace


def _load(member: Member, folder: Path) -> Trace:
    if member.source == "made":
        return Trace.from_ids(SCENARIOS[member.field](MADE, member.seed, **dict(member.options)), name=member.name)
    table = files.read(folder / f"{member.source}.npz").table(member.field)
    stop = table.samples if member.stop is None else member.stop
    part = table.samples_between(member.start, stop)
    dense = np.unique(part.indices, return_inverse=True)[1]
    return Trace.from_ids(dense, name=member.name, offsets=part.offsets)
