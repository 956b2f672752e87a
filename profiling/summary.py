"""Summary: the numbers of a run's processes as Measurements, with intervals over processes and paired ratios."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from .. import HotrowError
from .measurement import Fact, Measurement, OperatorProfile
from .processes.runner import Outcome, Runs, facts_of
from .profilers.torch_profiler import combined
from .timer import FEWEST, RESAMPLES, bounds, resampled_medians

Statistic = Literal["median", "p25"]
PERCENTILE = {"median": 50.0, "p25": 25.0}
TOLERANCE = 1e-4  # of the baseline's largest number: what another order of summation may change in float32


@dataclass(frozen=True)
class Latency:
    """Seconds per call of all repeats of all processes, disturbed ones too.

    calls: averaged within one repeat; above 1 the tails are of such averages.
    """

    p50: float
    p90: float
    p99: float
    n: int
    calls: int


@dataclass(frozen=True)
class OutputCheck:
    """The largest difference from the baseline's output, as a fraction of the baseline's largest number."""

    difference: float
    agrees: bool


def measurement(outcome: Outcome, step: str, statistic: Statistic = "median", seed: int = 0) -> Measurement:
    """Seconds per call of `step`: the median over processes of each process's median (or 25th percentile).

    Within a process only undisturbed repeats count. Processes with fewer than 3 of them are left out; where fewer
    than 3 processes are left all repeats count and the metadata says "contended": true. The interval resamples the
    processes' values: with three or five it is their range, which holds the true median three times in four, or 94
    times in a hundred. With one process it resamples repeats, which cannot know how processes differ.
    """
    values, contended = process_values(outcome, step, statistic)
    if not len(values):
        reason = outcome.failure.reason if outcome.failure else "it was not run"
        raise HotrowError(f"{outcome.configuration.name}: no measurement; {reason}")
    value = float(np.median(values))
    drawn = values if len(values) > 1 else _repeats(outcome, step)
    low, high = bounds(resampled_medians(drawn, np.random.default_rng(seed)), value)
    over = "processes" if len(values) > 1 else "the repeats of one process"
    facts: dict[str, Fact] = {
        "statistic": f"median over processes of their {statistic}; 95 % percentile bootstrap over {over}",
        "contended": contended,
        "processes": len(values),
    }
    if outcome.failure is not None:
        facts["failure"] = outcome.failure.reason
    return Measurement(step, value, low, high, "s", "measured", len(values), facts_of(outcome) | facts)


def _repeats(outcome: Outcome, step: str) -> NDArray[np.float64]:
    """Seconds of all repeats of `step` in the first process, the undisturbed ones where there are enough."""
    run = next(run for run in outcome.processes[0].result.steps if run.name == step)
    wall, undisturbed = np.array(run.wall), np.array(run.undisturbed)
    repeats: NDArray[np.float64] = wall[undisturbed] if undisturbed.sum() >= FEWEST else wall
    return repeats


def process_values(outcome: Outcome, step: str, statistic: Statistic) -> tuple[NDArray[np.float64], bool]:
    """Every process's statistic of `step` [processes], and whether they are contended."""
    rounds, contended = _by_round(outcome, step, statistic)
    return np.array(list(rounds.values())), contended


def _by_round(outcome: Outcome, step: str, statistic: Statistic) -> tuple[dict[int, float], bool]:
    good, every = _rounds(outcome, step, statistic)
    enough = len(good) >= min(FEWEST, max(len(every), 1))
    return (good, False) if enough else (every, True)


def _rounds(outcome: Outcome, step: str, statistic: Statistic) -> tuple[dict[int, float], dict[int, float]]:
    """The statistic by round: of undisturbed repeats where there are enough of them, and of all repeats."""
    good: dict[int, float] = {}
    every: dict[int, float] = {}
    for process in outcome.processes:
        run = next((run for run in process.result.steps if run.name == step), None)
        if run is None:
            raise HotrowError(f"{outcome.configuration.name} has no step {step!r}; it has {', '.join(outcome.steps)}")
        wall, undisturbed = np.array(run.wall), np.array(run.undisturbed)
        every[process.round] = float(np.percentile(wall, PERCENTILE[statistic]))
        if undisturbed.sum() >= FEWEST:
            good[process.round] = float(np.percentile(wall[undisturbed], PERCENTILE[statistic]))
    return good, every


def latency(outcome: Outcome, step: str) -> Latency:
    """Ungated percentiles of `step` over all processes."""
    runs = [run for process in outcome.processes for run in process.result.steps if run.name == step]
    if not runs:
        raise HotrowError(f"{outcome.configuration.name}: no repeats of {step!r}")
    wall = np.concatenate([np.array(run.wall) for run in runs])
    p50, p90, p99 = (float(p) for p in np.percentile(wall, (50, 90, 99)))
    return Latency(p50, p90, p99, len(wall), max(run.calls for run in runs))


def speedup(runs: Runs, name: str, step: str, statistic: Statistic = "median", seed: int = 0) -> Measurement:
    """The baseline's time over that of `name`, each round's processes paired; the median over rounds.

    Where fewer than 3 rounds are undisturbed in both, all rounds count and the metadata says "contended": true.
    With one round the interval resamples repeats, which cannot know how processes differ.
    """
    outcome, baseline = runs.outcome(name), runs.outcome(runs.baseline)
    (good, every), (good_theirs, every_theirs) = (_rounds(o, step, statistic) for o in (outcome, baseline))
    both = sorted(set(every) & set(every_theirs))
    undisturbed = [k for k in both if k in good and k in good_theirs]
    contended = len(undisturbed) < min(FEWEST, len(both))
    ours, theirs = (every, every_theirs) if contended else (good, good_theirs)
    both = both if contended else undisturbed
    if not both:
        raise HotrowError(f"{name} and {runs.baseline}: no round in which both were measured")
    ratios = np.array([theirs[k] / ours[k] for k in both])
    value = float(np.median(ratios))
    rng = np.random.default_rng(seed)
    if len(both) > 1:
        draws = resampled_medians(ratios, rng)
    else:
        draws = resampled_medians(_repeats(baseline, step), rng) / resampled_medians(_repeats(outcome, step), rng)
    low, high = bounds(draws, value)
    over = "rounds" if len(both) > 1 else "the repeats of one round"
    facts: dict[str, Fact] = {
        "baseline": runs.baseline,
        "statistic": f"median of paired ratios, one per round; {RESAMPLES} bootstrap resamples over {over}",
        "contended": contended,
    }
    return Measurement(f"{step} speedup", value, low, high, "ratio", "measured", len(both), facts_of(outcome) | facts)


def output_check(runs: Runs, name: str, tolerance: float = TOLERANCE) -> OutputCheck | None:
    """How far the output of `name` is from the baseline's; None where either has none."""
    ours, theirs = (_output(runs.outcome(n)) for n in (name, runs.baseline))
    if ours is None or theirs is None:
        return None
    if ours.shape != theirs.shape:
        return OutputCheck(float("inf"), False)
    scale = float(np.abs(theirs).max(initial=0.0)) or 1.0
    difference = float(np.abs(ours - theirs).max(initial=0.0)) / scale
    return OutputCheck(difference, bool(np.isfinite(ours).all()) and difference <= tolerance)


def _output(outcome: Outcome) -> NDArray[np.float64] | None:
    made = outcome.processes[0].result.output if outcome.processes else None
    return None if made is None else np.array(made)


def operators(outcome: Outcome, step: str, total: Measurement) -> OperatorProfile | None:
    """The step's traced profiles of all processes as one; None where none was traced."""
    runs = [run for process in outcome.processes for run in process.result.steps if run.name == step]
    profiles = [run.profile for run in runs if run.profile is not None]
    if not profiles:
        return None
    return msgspec.structs.replace(combined(profiles, total), name=step)
