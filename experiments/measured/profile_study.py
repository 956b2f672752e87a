"""Question: where does the time go on this machine, by batch, and what do width, threads, precision, memory change?

Every configuration runs in processes of its own; times come from bare runs, shares of operators from traces.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from ... import HotrowError
from ...models.config import ModelConfig
from ...models.cost import bag_statistics, uniform_bags
from ...profiling.configuration import Configuration
from ...profiling.isa import Verified
from ...profiling.measurement import Measurement, OperatorProfile
from ...profiling.py_spy import StackProfile, sample
from ...profiling.runner import Outcome, Plan, Runs, run
from ...profiling.summary import (
    TOLERANCE,
    Latency,
    OutputCheck,
    latency,
    measurement,
    operators,
    output_check,
    speedup,
)
from ...profiling.torch_profiler import CONTENDED
from ...progress import Advance, ignore
from ...tracegen import files
from ...tracegen.trace import Trace
from .axes import varied
from .bottlenecks import RoleRate, rates

BATCHES = (1, 16, 64, 1024)
KEPT_BATCHES = 64  # of the largest size, of a trace given to the processes
BASE = "as it is"
WORKLOAD = f"{__package__}.workloads:dlrm"
ROUNDED = 2e-2  # of bf16's 8 bits, over a model's layers


@dataclass(frozen=True)
class StepProfile:
    """One step at one batch: seconds per call, ungated percentiles, its parts, and how fast each did its work."""

    mode: str
    batch: int
    total: Measurement
    latency: Latency
    operators: OperatorProfile
    rates: tuple[RoleRate, ...]


@dataclass(frozen=True)
class AxisPoint:
    """One setting of one axis at one step: its time, its speedup over the run as it is, or why there is none.

    isa: what each library was seen to use. check: its output beside that of the run as it is.
    """

    axis: str
    setting: str
    step: str
    total: Measurement | None = None
    speedup: Measurement | None = None
    isa: tuple[Verified, ...] = ()
    check: OutputCheck | None = None
    failure: str | None = None
    stack: str | None = None


@dataclass(frozen=True)
class ModelProfile:
    """Where a model's time goes, what each axis changes, and the stacks of a forward step at the largest batch."""

    name: str
    steps: tuple[StepProfile, ...]
    axes: tuple[AxisPoint, ...]
    stacks: StackProfile | None
    notes: tuple[str, ...]


def profile_model(
    config: ModelConfig,
    trace: Trace | None = None,
    batches: Sequence[int] = BATCHES,
    modes: Sequence[str] = ("forward", "training"),
    axes: Mapping[str, Sequence[str]] | None = None,
    threads: int = 1,
    precision: str = "fp32",
    plan: Plan | None = None,
    stacks: bool = True,
    seed: int = 0,
    advance: Advance = ignore,
) -> ModelProfile:
    """Profile `config` on `trace` (ids uniform where None) at every batch, and its forward pass along every axis.

    axes: as axes.parse_axes gives them. `advance` is called after every process; processes() says how many there are.
    Raises HotrowError for an unknown axis or where the run as it is fails; other failures are kept beside the rest.
    """
    plan = plan or Plan(seconds=0.3, traced=5, seed=seed)
    with tempfile.TemporaryDirectory(prefix="hotrow-") as folder:
        arguments = {
            "config": msgspec.to_builtins(config),
            "batches": list(batches),
            "modes": list(modes),
            "trace": None if trace is None else _written(trace, max(batches), Path(folder)),
            "precision": precision,
            "seed": seed,
        }
        base = Configuration(BASE, WORKLOAD, arguments, threads=threads)
        settings = varied(_forward_only(base), axes or {})
        runs = run([base], plan, advance=advance)
        _must_stand(runs.outcome(BASE), config.name)
        steps = _steps(runs.outcome(BASE), batches, modes, config, trace)
        along = run([_forward_only(base), *settings.values()], bare(plan), advance=advance) if settings else None
        seen, notes = _stacks(base, f"{modes[0]} {max(batches)}") if stacks else (None, ())
    points = () if along is None else _points(along, settings)
    traces = (note for step in steps for note in step.operators.notes if not note.startswith(CONTENDED))
    notes += tuple(dict.fromkeys(traces))  # which steps were contended, their totals say
    return ModelProfile(config.name, steps, points, seen, notes)


def processes(axes: Mapping[str, Sequence[str]], plan: Plan) -> int:
    """How many processes profile_model starts, stacks left out."""
    empty = Configuration(BASE, WORKLOAD, {"config": {"tables": [], "bottom": [1], "name": ""}})
    settings = len(varied(empty, axes))
    return plan.processes * (1 + (settings + 1 if settings else 0))


def bare(plan: Plan) -> Plan:
    """`plan` without traces."""
    return replace(plan, traced=0, chrome_traces=None)


def _must_stand(outcome: Outcome, name: str) -> None:
    """HotrowError with the reason, and the stack where it hung, unless a process ended well."""
    if not outcome.processes and outcome.failure is not None:
        stack = f"; it was at\n{outcome.failure.stack}" if outcome.failure.stack else ""
        raise HotrowError(f"{name}: {outcome.failure.reason}{stack}")


def _written(trace: Trace, batch: int, folder: Path) -> str:
    """The part of a trace that batches of up to `batch` samples need, in a file."""
    if trace.samples < batch:
        raise HotrowError(f"a batch of {batch} samples; the trace has {trace.samples}, so choose 1 to {trace.samples}")
    path = folder / "trace.npz"
    files.write(trace.samples_between(0, min(trace.samples, KEPT_BATCHES * batch)), path)
    return str(path)


def _forward_only(configuration: Configuration) -> Configuration:
    return msgspec.structs.replace(configuration, arguments=configuration.arguments | {"modes": ["forward"]})


def _steps(
    outcome: Outcome, batches: Sequence[int], modes: Sequence[str], config: ModelConfig, trace: Trace | None
) -> tuple[StepProfile, ...]:
    made = []
    bags = {b: uniform_bags(config, b) if trace is None else bag_statistics(trace, b) for b in batches}
    for mode in modes:
        for batch in batches:
            step = f"{mode} {batch}"
            total = measurement(outcome, step)
            parts = operators(outcome, step, total)
            if parts is None:
                raise HotrowError(f"{step}: nothing was traced; a plan for profile_model needs traced steps")
            reached = rates(parts, config, bags[batch])
            made.append(StepProfile(mode, batch, total, latency(outcome, step), parts, reached))
    return tuple(made)


def _points(runs: Runs, settings: Mapping[tuple[str, str], Configuration]) -> tuple[AxisPoint, ...]:
    points = []
    steps = runs.outcomes[0].steps
    for (axis, setting), configuration in settings.items():
        outcome = runs.outcome(configuration.name)
        points += [_point(runs, axis, setting, step, outcome) for step in steps]
    return tuple(points)


def _point(runs: Runs, axis: str, setting: str, step: str, outcome: Outcome) -> AxisPoint:
    name = outcome.configuration.name
    failure = outcome.failure
    if not outcome.processes:
        reason = failure.reason if failure else "not run"
        return AxisPoint(axis, setting, step, failure=reason, stack=failure.stack if failure else None)
    same_model = axis not in ("pooling", "dim", "trace")
    return AxisPoint(
        axis,
        setting,
        step,
        measurement(outcome, step),
        speedup(runs, name, step),
        tuple(outcome.processes[0].result.isa),
        output_check(runs, name, ROUNDED if setting == "bf16" else TOLERANCE) if same_model else None,
        failure.reason if failure else None,
        failure.stack if failure else None,
    )


def _stacks(base: Configuration, step: str) -> tuple[StackProfile | None, tuple[str, ...]]:
    """Stacks of the step, or why there are none."""
    try:
        seen = sample(base, step)
    except HotrowError as error:
        return None, (f"no stacks: {error}",)
    return seen, seen.notes
