"""Times a step: warm up, repeat, gate out repeats that something else ran in, median with a bootstrap interval."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .. import HotrowError
from .measurement import Fact, Measurement

resource: ModuleType | None
try:
    import resource
except ImportError:  # Windows
    resource = None

RESAMPLES = 2000
SHORTEST_SECONDS = 100e-6  # quicker steps are timed several at once, so that the clock's cost stays below 0.1 %
CLEAN = 0.97  # processor time over wall time
FEWEST = 3
METHOD = f"median of clean repeats; 95 % percentile bootstrap, {RESAMPLES} resamples"

Step = Callable[[], Any]


@dataclass(frozen=True, eq=False)
class Timing:
    """Seconds of every repeat [repeats], the processor seconds this process used meanwhile, calls per repeat.

    A repeat is undisturbed if, with one thread, it had a processor for more than 97 % of its time and, with several,
    none of them was taken off its processor (switches: how often, [repeats], where the system tells). Otherwise
    something else ran instead, and its time says nothing about the step.
    """

    wall: NDArray[np.float64]
    cpu: NDArray[np.float64]
    threads: int
    switches: NDArray[np.int64] | None = None
    calls: int = 1

    @property
    def undisturbed(self) -> NDArray[np.bool_]:
        """Which repeats had their processors to themselves [repeats]."""
        if self.threads == 1:
            alone: NDArray[np.bool_] = self.cpu > CLEAN * self.wall
            return alone
        return np.ones(len(self.wall), bool) if self.switches is None else self.switches == 0

    @property
    def clean(self) -> NDArray[np.bool_]:
        """The undisturbed repeats [repeats]; all, where the timing is contended."""
        return np.ones(len(self.wall), bool) if self.contended else self.undisturbed

    @property
    def contended(self) -> bool:
        """Whether fewer than 3 repeats are undisturbed, so that all had to be used."""
        return int(np.sum(self.undisturbed)) < FEWEST


@contextmanager
def threads_set(threads: int | None) -> Iterator[int]:
    """Torch with `threads` threads inside the block, as before after it; None changes nothing."""
    before = torch.get_num_threads()
    if threads is not None and threads < 1:
        raise HotrowError(f"{threads} threads; at least 1 is needed")
    torch.set_num_threads(threads or before)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)


def time_step(
    step: Step,
    warm_up: int = 3,
    seconds: float = 1.0,
    least: int = 10,
    most: int = 500,
    patience: float = 0.0,
) -> Timing:
    """Call `step` `warm_up` times, then time it for about `seconds`, at least `least` and at most `most` times.

    Where fewer than `least` repeats were undisturbed it goes on for up to `patience` seconds more.
    """
    if warm_up < 1 or not FEWEST <= least <= most:
        raise HotrowError(
            f"{warm_up} warm-up calls, {least} to {most} repeats; at least 1, and {FEWEST} to more, are needed"
        )
    for _ in range(warm_up):
        began = time.perf_counter()
        step()
        estimate = time.perf_counter() - began
    calls = max(1, math.ceil(SHORTEST_SECONDS / max(estimate, 1e-9)))
    threads = torch.get_num_threads()
    repeats: list[tuple[float, float, int]] = []
    good = 0
    end = time.perf_counter() + seconds
    while len(repeats) < least or (
        time.perf_counter() < end + (patience if good < least else 0) and (len(repeats) < most or good < least)
    ):
        repeats.append(_repeat(step, calls))
        wall, cpu, switches = repeats[-1]
        good += cpu > CLEAN * wall if threads == 1 else switches == 0
    wall_all, cpu_all, switches_all = map(np.array, zip(*repeats, strict=True))
    return Timing(wall_all, cpu_all, threads, switches_all, calls)


def _repeat(step: Step, calls: int) -> tuple[float, float, int]:
    """Seconds and processor seconds per call, and how often a thread of ours was taken off its processor."""
    switches, cpu, wall = _switches(), time.process_time(), time.perf_counter()
    for _ in range(calls):
        step()
    wall = time.perf_counter() - wall
    return wall / calls, (time.process_time() - cpu) / calls, _switches() - switches


def _switches() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw if resource else 0


def resampled_medians(values: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Medians of bootstrap resamples of `values` [RESAMPLES]."""
    picks = rng.integers(0, len(values), (RESAMPLES, len(values)))
    return np.median(values[picks], axis=1)


def bounds(draws: NDArray[np.float64], value: float) -> tuple[float, float]:
    """The central 95 % of `draws`, widened to hold `value` itself."""
    low, high = np.percentile(draws, (2.5, 97.5))
    return min(float(low), value), max(float(high), value)


def measure(
    name: str, step: Step, threads: int | None = 1, seed: int = 0, metadata: dict[str, Fact] | None = None, **how: Any
) -> Measurement:
    """Median seconds of `step` over the clean repeats; `how` goes to time_step."""
    with threads_set(threads):
        return measurement_of(name, time_step(step, **how), seed, metadata)


def measurement_of(name: str, timing: Timing, seed: int = 0, metadata: dict[str, Fact] | None = None) -> Measurement:
    """The median of a timing's clean repeats as a Measurement; its metadata says whether they were contended."""
    wall = timing.wall[timing.clean]
    value = float(np.median(wall))
    low, high = bounds(resampled_medians(wall, np.random.default_rng(seed)), value)
    facts: dict[str, Fact] = {
        "statistic": METHOD,
        "threads": timing.threads,
        "repeats": len(timing.wall),
        "contended": timing.contended,
    }
    return Measurement(name, value, low, high, "s", "measured", len(wall), facts | (metadata or {}))
