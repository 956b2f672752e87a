"""Runner: every configuration in processes of its own, in random order, the baseline in every round.

A process in eight can be slow for its whole life, so a number is the median over processes, its interval resamples
processes, and a ratio compares processes of one round. What fails says why and is not started again; the rest goes on.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np

from ... import HotrowError
from ...progress import Advance, ignore
from ..host import host_facts
from ..measurement import Fact
from ..resctrl import l3_group
from .child import Request, Result
from .configuration import Configuration, allowed_cpus
from .watchdog import supervise

FEWEST_PROCESSES = 3


@dataclass(frozen=True)
class Plan:
    """How long and how often: processes per configuration, seconds per step, patience for undisturbed repeats.

    deadline: seconds after which a process counts as hung. traced: steps under torch.profiler, 0 for none; in the first
    three rounds alone, as shares differ less between processes than times.
    chrome_traces: a folder for the traces of the first round. seed: order of configurations and steps.
    """

    processes: int = FEWEST_PROCESSES
    seconds: float = 0.5
    patience: float = 2.0
    least: int = 10
    most: int = 500
    deadline: float = 120.0
    traced: int = 0
    seed: int = 0
    chrome_traces: Path | None = None

    def __post_init__(self) -> None:
        if self.processes < 1:
            raise HotrowError(f"{self.processes} processes; at least 1 is needed")
        if not (self.seconds >= 0 and self.patience >= 0 and self.deadline > 0):
            raise HotrowError(
                f"{self.seconds} s per step, {self.patience} s of patience, {self.deadline} s deadline; "
                "they must not be negative, and the deadline must be above 0"
            )


@dataclass(frozen=True, eq=False)
class Process:
    """One process that ended well, in which round."""

    round: int
    result: Result


@dataclass(frozen=True)
class Failure:
    """Why a configuration has no further processes; stack: what it did when its deadline passed."""

    reason: str
    stack: str | None = None


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of one configuration."""

    configuration: Configuration
    processes: tuple[Process, ...] = ()
    failure: Failure | None = None

    @property
    def steps(self) -> tuple[str, ...]:
        """Names of the workload's steps; none where no process ended well."""
        return tuple(run.name for run in self.processes[0].result.steps) if self.processes else ()


@dataclass(frozen=True, eq=False)
class Runs:
    """All configurations' outcomes, in the order they were given, and which of them is the baseline."""

    outcomes: tuple[Outcome, ...]
    baseline: str

    def outcome(self, name: str) -> Outcome:
        """The outcome of the configuration called `name`."""
        for outcome in self.outcomes:
            if outcome.configuration.name == name:
                return outcome
        known = ", ".join(outcome.configuration.name for outcome in self.outcomes)
        raise HotrowError(f"no configuration {name!r}; there are {known}")


class Stopped(KeyboardInterrupt):
    """Ctrl-C while configurations were measured; `runs` holds the processes that had ended well."""

    def __init__(self, runs: Runs) -> None:
        super().__init__()
        self.runs = runs


def run(
    configurations: Sequence[Configuration], plan: Plan, baseline: str | None = None, advance: Advance = ignore
) -> Runs:
    """Measure every configuration in `plan.processes` rounds; `advance` is called after every process.

    baseline: a configuration's name, the first if left out. Raises HotrowError where names repeat or none is given,
    and Stopped, which holds what is finished, on Ctrl-C.
    """
    names = [configuration.name for configuration in configurations]
    if not names or len(set(names)) < len(names):
        raise HotrowError(f"configurations {names}; at least one is needed, and their names must differ")
    if baseline is not None and baseline not in names:
        raise HotrowError(f"baseline {baseline!r} is none of {', '.join(names)}")
    rng = np.random.default_rng(plan.seed)
    allowed, simd = allowed_cpus(), host_facts().simd
    reasons = [configuration.impossible(allowed, simd) for configuration in configurations]
    outcomes = {
        name: Outcome(configuration, failure=None if reason is None else Failure(reason))
        for name, configuration, reason in zip(names, configurations, reasons, strict=True)
    }
    try:
        for number in range(plan.processes):
            for k in rng.permutation(len(names)):
                outcome = outcomes[names[k]]
                if outcome.failure is None:
                    outcomes[names[k]] = _extended(outcome, number, plan)
                advance(1)
    except KeyboardInterrupt:
        raise Stopped(Runs(tuple(outcomes.values()), baseline or names[0])) from None
    return Runs(tuple(outcomes.values()), baseline or names[0])


def _extended(outcome: Outcome, number: int, plan: Plan) -> Outcome:
    """The outcome with one more process, or with the reason why there is none."""
    made = run_once(outcome.configuration, plan, number)
    if isinstance(made, Failure):
        return replace(outcome, failure=made)
    return replace(outcome, processes=(*outcome.processes, Process(number, made)))


def run_once(configuration: Configuration, plan: Plan, number: int = 0) -> Result | Failure:
    """One process of `configuration`; `number` is its round."""
    try:
        with nullcontext() if configuration.l3_ways is None else l3_group(configuration.l3_ways):
            return _child(configuration, plan, number)
    except HotrowError as error:  # fewer ways, or a group that cannot be made
        return Failure(str(error))


def _child(configuration: Configuration, plan: Plan, number: int) -> Result | Failure:
    with tempfile.TemporaryDirectory(prefix="hotrow-") as folder:
        request, result = Path(folder) / "request.json", Path(folder) / "result.json"
        request.write_bytes(msgspec.json.encode(_request(configuration, plan, number)))
        ended = supervise(module_command("child", request, result), configuration.variables(), plan.deadline)
        made = msgspec.json.decode(result.read_bytes(), type=Result) if result.exists() else None
    if made is not None and made.error is not None:
        return Failure(made.error)
    if ended.failure is not None or made is None:
        return Failure(ended.failure or "ended without a result", ended.stack)
    return made


def module_command(module: str, *arguments: Path) -> list[str]:
    """The command that runs a module of this folder."""
    return [sys.executable, "-m", f"{__package__}.{module}", *map(str, arguments)]


def _request(configuration: Configuration, plan: Plan, number: int) -> Request:
    cpus = configuration.cpus
    traces = plan.chrome_traces if number == 0 else None
    return Request(
        configuration=configuration,
        cpus=least_busy(configuration.threads) if cpus is None else cpus,
        seconds=plan.seconds,
        patience=plan.patience,
        least=plan.least,
        most=plan.most,
        traced=plan.traced if number < FEWEST_PROCESSES else 0,
        seed=plan.seed + number,
        chrome_traces=None if traces is None else str(traces.absolute()),
    )


def least_busy(count: int, watch: float = 0.05) -> tuple[int, ...]:
    """The `count` processors we may use that were idle most during the next `watch` seconds."""
    allowed = allowed_cpus()
    if count >= len(allowed):
        return allowed
    before = _idle()
    time.sleep(watch)
    after = _idle()
    busiest = sorted(allowed, key=lambda cpu: before.get(cpu, 0) - after.get(cpu, 0))
    return tuple(sorted(busiest[:count]))


def _idle() -> dict[int, int]:
    """Idle ticks of every processor so far; nothing where the system does not tell."""
    try:
        lines = Path("/proc/stat").read_text().splitlines()
    except OSError:
        return {}
    words = [line.split() for line in lines if line.startswith("cpu") and line[3].isdigit()]
    return {int(w[0][3:]): int(w[4]) + int(w[5]) for w in words}


def facts_of(outcome: Outcome) -> dict[str, Fact]:
    """Circumstances of an outcome: the settings asked for, those in effect in the first process, SIMD per library."""
    configuration = outcome.configuration
    facts: dict[str, Fact] = {"configuration": configuration.name, "isa_asked": configuration.isa}
    if not outcome.processes:
        return facts
    first = outcome.processes[0].result
    return facts | first.facts | {f"isa_{v.library}": v.words for v in first.isa}
