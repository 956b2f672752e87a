"""Where a step's time goes: times from bare runs, shares per operator and role from torch.profiler."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch.profiler import ProfilerActivity, profile, record_function

from ... import HotrowError
from ...atomic import replacing
from ..host import host_facts
from ..measurement import Fact, Interval, Measurement, OperatorProfile, Part
from ..timer import RESAMPLES, Step, Timing, bounds, measurement_of, resampled_medians, threads_set, time_step
from .attribution import STEP, StepShares, attribute

TRACE_BYTES = 20 * 2**20
SHORT_SECONDS = 0.01  # of traced steps at least, and at most SHORT_TRACED of them
SHORT_TRACED = 30
_RANGE = getattr(torch._C._profiler, "_RecordFunctionFast", record_function)  # its entry and exit cost least
CONTENDED = "contended"  # how a note of disturbed repeats begins


@dataclass(frozen=True, eq=False)
class Traced:
    """A finished torch.profiler run and how long its steps took."""

    profiler: profile
    timing: Timing


def profile_operators(
    name: str,
    step: Step,
    threads: int | None = 1,
    seconds: float = 1.0,
    traced: int = 10,
    seed: int = 0,
    chrome_trace: Path | None = None,
    metadata: dict[str, Fact] | None = None,
) -> OperatorProfile:
    """Profile `step`: about `seconds` of bare repeats, then `traced` steps under torch.profiler.

    chrome_trace: a file ending in .json or .json.gz for Perfetto (ui.perfetto.dev); of as many steps as 20 MiB hold.
    Nothing is printed, and torch's thread count is restored. Raises HotrowError where the file cannot be written.
    """
    if traced < 1:
        raise HotrowError(f"{traced} traced steps; at least 1 is needed")
    with threads_set(threads):
        return profile_traced(name, step, time_step(step, seconds=seconds), traced, seed, chrome_trace, metadata)


def profile_traced(
    name: str,
    step: Step,
    bare: Timing,
    traced: int = 10,
    seed: int = 0,
    chrome_trace: Path | None = None,
    metadata: dict[str, Fact] | None = None,
) -> OperatorProfile:
    """As profile_operators, for a step whose bare repeats were already timed; short steps are traced more often."""
    often = min(SHORT_TRACED, int(SHORT_SECONDS / float(np.median(bare.wall))))
    traces = _trace(step, max(traced, often))
    notes = list(_contention(bare, traces.timing))
    if chrome_trace is not None:
        notes.append(_keep(traces, step, chrome_trace))
    shares = attribute(traces.profiler.events() or []).only(traces.timing.clean)
    rng = np.random.default_rng(seed)
    total = measurement_of(f"{name} step", bare, seed, metadata)
    total_draws = resampled_medians(bare.wall[bare.clean], rng)
    picks = rng.integers(0, len(shares.steps), (RESAMPLES, len(shares.steps)))
    return OperatorProfile(
        name=name,
        total=total,
        overhead=_overhead(name, shares.steps, total.value, total_draws, rng),
        roles=_parts(shares.by_role(), total.value, total_draws, picks),
        operators=_parts(shares, total.value, total_draws, picks),
        host=host_facts(),
        notes=tuple(notes),
    )


def combined(profiles: Sequence[OperatorProfile], total: Measurement) -> OperatorProfile:
    """The profiles of one step in several processes as one: mean shares, of `total` seconds.

    The intervals of shares reach over those of all processes, and those of seconds also over that of the total.
    """
    first = profiles[0]
    overheads = [profile.overhead for profile in profiles]
    overhead = msgspec.structs.replace(
        first.overhead,
        value=float(np.median([o.value for o in overheads])),
        low=min(o.low for o in overheads),
        high=max(o.high for o in overheads),
    )
    return msgspec.structs.replace(
        first,
        total=total,
        overhead=overhead,
        roles=_joined([profile.roles for profile in profiles], total),
        operators=_joined([profile.operators for profile in profiles], total),
        notes=tuple(dict.fromkeys(note for profile in profiles for note in profile.notes)),
    )


def _joined(processes: Sequence[tuple[Part, ...]], total: Measurement) -> tuple[Part, ...]:
    """Parts of several processes averaged; a part that a process lacks is zero there."""
    found = [{(part.name, part.role): part for part in parts} for parts in processes]
    joined = []
    for name, role in dict.fromkeys(key for parts in found for key in parts):
        same = [parts[name, role] for parts in found if (name, role) in parts]
        share = sum(part.share.value for part in same) / len(found)
        low = min(part.share.low for part in same) if len(same) == len(found) else 0.0
        high = max(part.share.high for part in same)
        interval = Interval(share, min(low, share), max(high, share))
        seconds = Interval(share * total.value, interval.low * total.low, interval.high * total.high)
        joined.append(Part(name, role, interval, seconds, same[0].calls))
    return tuple(sorted(joined, key=lambda part: -part.share.value))


def _trace(step: Step, traced: int) -> Traced:
    """Run a step while the profiler warms up and one as it starts, both left out, then `traced` steps under it."""
    profiler = profile(activities=[ProfilerActivity.CPU])
    with _quiet():
        profiler.prepare_trace()
    step()
    wall, cpu = np.empty(traced), np.empty(traced)
    with _quiet():
        profiler.start_trace()
    step()
    for k in range(traced):
        cpu_began, began = time.process_time(), time.perf_counter()
        with _RANGE(STEP):
            step()
        wall[k], cpu[k] = time.perf_counter() - began, time.process_time() - cpu_began
    with _quiet():
        profiler.stop_trace()
    return Traced(profiler, Timing(wall, cpu, torch.get_num_threads()))


def _contention(bare: Timing, traced: Timing) -> Iterator[str]:
    for name, timing in (("bare repeats", bare), ("traced steps", traced)):
        if timing.contended:
            yield f"{CONTENDED}: fewer than 3 of {len(timing.wall)} {name} had a processor to themselves; all were used"


def _keep(traces: Traced, step: Step, path: Path) -> str:
    """Write the trace to `path`; where it exceeds the limit, trace as many steps again as fit."""
    if not path.name.endswith((".json", ".json.gz")):
        raise HotrowError(f"{path}: a Chrome trace ends in .json or .json.gz")
    with replacing(path) as beside:
        while True:
            with _quiet():
                traces.profiler.export_chrome_trace(str(beside))
            size, steps = beside.stat().st_size, len(traces.timing.wall)
            if size <= TRACE_BYTES or steps == 1:
                break
            traces = _trace(step, max(1, min(steps - 1, int(0.9 * steps * TRACE_BYTES / size))))
    return f"Chrome trace of {steps} steps, {size / 2**20:.1f} MiB: {path} (open it at ui.perfetto.dev)"


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the profiler's C++ side writes to standard error (its start and stop) off the terminal."""
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _parts(
    shares: StepShares, total: float, total_draws: NDArray[np.float64], picks: NDArray[np.int64]
) -> tuple[Part, ...]:
    """Shares and seconds with their intervals: steps are resampled for shares, bare repeats for seconds."""
    whole = sum(shares.microseconds.values(), np.zeros(len(shares.steps)))
    draws_whole = whole[picks].sum(axis=1)
    parts = []
    for (name, role), values in shares.microseconds.items():
        share = float(values.sum() / whole.sum())
        draws = values[picks].sum(axis=1) / draws_whole
        seconds = share * total
        parts.append(
            Part(
                name=name,
                role=role,
                share=Interval(share, *bounds(draws, share)),
                seconds=Interval(seconds, *bounds(draws * total_draws, seconds)),
                calls=round(shares.calls[name, role], 6),
            )
        )
    return tuple(sorted(parts, key=lambda part: -part.share.value))


def _overhead(
    name: str, steps: NDArray[np.float64], total: float, total_draws: NDArray[np.float64], rng: np.random.Generator
) -> Measurement:
    value = float(np.median(steps)) * 1e-6 / total
    low, high = bounds(resampled_medians(steps * 1e-6, rng) / total_draws, value)
    return Measurement(f"{name} profiler overhead", value, low, high, "ratio", "measured", len(steps))
