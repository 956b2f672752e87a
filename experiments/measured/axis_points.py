"""Points along axes: what one setting changed in a step beside the run as it is, or why there is none to compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...profiling.isa import Verified
from ...profiling.measurement import Measurement
from ...profiling.processes.configuration import Configuration
from ...profiling.processes.runner import Outcome, Runs
from ...profiling.summary import TOLERANCE, OutputCheck, measurement, output_check, speedup

ROUNDED = 2e-2  # of bf16's or int8's 8 bits, over a model's layers


@dataclass(frozen=True)
class AxisPoint:
    """One setting of one axis at one step: its time, its speedup over the run as it is, or why there is none.

    isa: what each library was seen to use. check: its output beside that of the run as it is. failure: why there is no
    time, or, beside a time, why its later processes are missing.
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


def axis_points(runs: Runs, settings: Mapping[tuple[str, str], Configuration]) -> tuple[AxisPoint, ...]:
    """Every setting, by (axis, setting), at every step; `runs` holds the run as it is first."""
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
        speedup(runs, name, step) if _paired(outcome, runs.outcome(runs.baseline)) else None,
        tuple(outcome.processes[0].result.isa),
        output_check(runs, name, TOLERANCE if setting == "fp32" or axis != "precision" else ROUNDED)
        if same_model
        else None,
        failure.reason if failure else None,
        failure.stack if failure else None,
    )


def _paired(one: Outcome, other: Outcome) -> bool:
    """Whether there is a round in which both ended well."""
    return bool({process.round for process in one.processes} & {process.round for process in other.processes})
