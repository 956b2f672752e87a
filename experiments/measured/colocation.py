"""Question: how many models fit on this machine before their latency breaks, and at what total throughput?"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from ... import HotrowError
from ...models.config import ModelConfig
from ...profiling.colocation import (
    SEARCH_STEPS,
    Bounded,
    Together,
    bounded_throughput,
    merged,
    spinning_trap,
    together,
    with_policy,
)
from ...profiling.isa import NATIVE
from ...profiling.measurement import Interval
from ...profiling.processes.configuration import Configuration, allowed_cpus
from ...progress import Advance, ignore
from ...tracegen.trace import Trace
from ..grid import Grid, number_of
from .profile_study import Request, configuration

FEWEST_REQUESTS = 1000  # in the open loop, so that ten lie beyond the 99th percentile,
LONGEST = 10.0  # unless they take more seconds than this
HOPE = 1.2  # of the closed loop's throughput: the search looks no further


@dataclass(frozen=True)
class Closed:
    """A closed loop's repeats as one, and its repeats; intervals reach over the repeats."""

    whole: Together
    repeats: tuple[Together, ...]

    def percentile(self, percent: float) -> Interval:
        """Of the seconds of all requests, disturbed or not."""
        return self._interval(lambda run: run.percentile(percent))

    @property
    def throughput(self) -> Interval:
        """Requests per second of all models together."""
        return self._interval(lambda run: run.throughput)

    def _interval(self, of: Callable[[Together], float]) -> Interval:
        value, each = of(self.whole), [of(run) for run in self.repeats]
        return Interval(value, min(value, *each), max(value, *each))


@dataclass(frozen=True)
class CoLocation:
    """Models side by side: closed loops by number and placement, the rate that holds the limit, the spinning trap.

    notes: why something is missing. stopped: whether Ctrl-C ended it before all was measured.
    """

    name: str
    batch: int
    closed: tuple[Closed, ...]
    bounded: tuple[tuple[int, Bounded], ...]  # by number of models, pinned
    trap: str | None
    notes: tuple[str, ...] = ()
    stopped: bool = False


def colocate(
    config: ModelConfig,
    trace: Trace | None = None,
    batch: int = 64,
    models: Sequence[int] = (),
    threads: int = 1,
    precision: str = "fp32",
    limit: float | None = None,
    seconds: float = 1.5,
    repeats: int = 3,
    search_steps: int = SEARCH_STEPS,
    seed: int = 0,
    advance: Advance = ignore,
    isa: str = NATIVE,
    backend: str = "eager",
) -> CoLocation:
    """Put several copies of `config` (inference on `trace`, or on uniform ids) on this machine at once.

    models: numbers to try, 1 to one per processor if left out. limit: seconds that the 99th percentile may take in the
    open loop; five times the lone model's median if left out. repeats: runs of every closed loop, in turn.
    search_steps: rates that the search tries. What failed or was stopped by Ctrl-C after the first closed loop is told
    in the notes; before, the HotrowError or KeyboardInterrupt is raised.
    """
    numbers = tuple(models) or numbers_to_try()
    request = Request(
        (batch,), ("inference",), threads=threads, isa=isa, precision=precision, backend=backend, seed=seed
    )
    with tempfile.TemporaryDirectory(prefix="hotrow-") as folder:
        base = msgspec.structs.replace(configuration(config, trace, request, Path(folder)), name=config.name)
        closed: list[Closed] = []
        bounded: list[tuple[int, Bounded]] = []
        notes: tuple[str, ...] = ()
        trap, stopped = None, False
        try:
            for number in numbers:
                for pinned in (True, False):
                    closed.append(closed_loop(base, number, pinned, seconds, repeats, seed))
                    advance(1)
            bound = limit or 5 * closed[0].whole.percentile(50)
            for number, alone in zip(numbers, closed[::2], strict=True):
                at_rate = partial(_open, base, number, seconds, seed)
                highest = HOPE * alone.whole.throughput
                bounded.append((number, bounded_throughput(at_rate, bound, highest, search_steps)))
                advance(1)
            trap = _trap(base, max(numbers), seconds, seed)
            advance(1)
        except (HotrowError, KeyboardInterrupt) as error:
            if not closed:
                raise
            stopped = isinstance(error, KeyboardInterrupt)
            notes = (f"models side by side: {'stopped by Ctrl-C' if stopped else error}; the rest is missing",)
    return CoLocation(config.name, batch, tuple(closed), tuple(bounded), trap, notes, stopped)


def numbers_to_try() -> tuple[int, ...]:
    """One model to one for every processor."""
    return tuple(range(1, len(allowed_cpus()) + 1))


def steps(models: Sequence[int] = ()) -> int:
    """How often colocate advances."""
    return 3 * len(tuple(models) or numbers_to_try()) + 1


def closed_loop(base: Configuration, number: int, pinned: bool, seconds: float, repeats: int, seed: int) -> Closed:
    """`number` copies at once, each calling its step again as soon as it is done, for `seconds`, `repeats` times."""
    runs = tuple(together(base, number, pinned, seconds, seed=seed + k) for k in range(repeats))
    return Closed(merged(runs), runs)


def _open(base: Configuration, number: int, seconds: float, seed: int, rate: float) -> Together:
    """A Poisson process long enough for its 99th percentile to mean something."""
    enough = min(LONGEST, max(seconds, FEWEST_REQUESTS / rate))
    return together(base, number, True, enough, rate, seed=seed)


def _trap(base: Configuration, models: int, seconds: float, seed: int) -> str | None:
    """The spinning trap: models with as many threads as there are processors, free, idle threads spinning or asleep."""
    processors = len(allowed_cpus())
    if processors < 2 or models < 2:
        return None
    wide = msgspec.structs.replace(base, threads=processors)
    active, passive = (
        together(with_policy(wide, policy), models, False, seconds, seed=seed) for policy in ("active", "passive")
    )
    return spinning_trap(active, passive)


def plain(found: CoLocation) -> dict[str, Any]:
    """Everything as plain values, for JSON; latencies as percentiles, in seconds."""
    closed = [
        {
            "models": len(run.whole.models),
            "pinned": run.whole.pinned,
            "requests_per_second": msgspec.to_builtins(run.throughput),
            "latency": {f"p{percent}": msgspec.to_builtins(run.percentile(percent)) for percent in (50, 90, 99)},
        }
        for run in found.closed
    ]
    bounded = [
        {
            "models": number,
            "p99_limit": b.limit,
            "requests_per_second": b.rate,
            "broke_at": b.broke,
            "tried": [list(t) for t in b.tried],
        }
        for number, b in found.bounded
    ]
    return {"name": found.name, "batch": found.batch, "closed": closed, "bounded": bounded, "trap": found.trap}


def grids(found: CoLocation) -> tuple[Grid, ...]:
    """Closed loops, then the rates that hold the limit."""
    closed = tuple(
        (
            str(len(run.whole.models)),
            "pinned" if run.whole.pinned else "free",
            _range(run.throughput, 1),
            f"{run.throughput.value * found.batch:,.4g}",
            _range(run.percentile(50), 1e3),
            _range(run.percentile(99), 1e3),
        )
        for run in found.closed
    )
    bounded = tuple(
        (
            str(number),
            f"{1e3 * b.limit:.3g}",
            f"{b.rate:,.4g}",
            "–" if b.broke is None else f"{b.broke:,.4g}",
            f"{b.rate * found.batch:,.4g}",
            str(len(b.tried)),
        )
        for number, b in found.bounded
    )
    repeats = number_of(len(found.closed[0].repeats), "repeat")
    caption = f"{found.name}, batch {found.batch}: each model calls again as soon as it is done (range of {repeats})"
    heads = ("models", "placed", "requests/s", "samples/s", "p50, ms", "p99, ms")
    bounded_heads = ("models", "p99 limit, ms", "held, requests/s", "broke at", "samples/s", "rates tried")
    loops = Grid(caption, heads, closed, "measured")
    if not bounded:
        return (loops,)
    held = "Largest Poisson rate whose 99th percentile holds the limit, pinned"
    return (loops, Grid(held, bounded_heads, bounded, "measured"))


def _range(found: Interval, factor: float) -> str:
    value, low, high = (factor * x for x in (found.value, found.low, found.high))
    return f"{value:,.3g} ({low:,.3g} … {high:,.3g})"
