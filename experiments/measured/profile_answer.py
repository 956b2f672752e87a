"""Everything that `hotrow profile` answers, put together: a model's steps and axes, its operators, its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from ... import HotrowError
from ...models.config import ModelConfig
from ...profiling.host import host_facts
from ...profiling.isa import NATIVE, widths
from ...profiling.machine import Machine
from ...profiling.processes.runner import Plan
from ...profiling.profilers.py_spy import StackProfile
from ...progress import Advance, ignore
from ...tracegen.trace import Trace
from ..grid import Grid
from . import colocation, isa_sweep, profile_grids
from .ceilings import Ceilings, ceilings
from .ceilings import grid as ceiling_grid
from .colocation import CoLocation, colocate
from .isa_sweep import WidthPoint
from .profile_study import PLAN, ModelProfile, Request, processes, profile_model


@dataclass(frozen=True)
class Question:
    """What to ask of one model.

    request and plan: its steps and axes. operators: whether its libraries' operators are swept over SIMD width.
    colocate: numbers of models side by side, None to leave that out, () for one to as many as processors.
    limit: seconds that the 99th percentile may take there, None for five times a lone model's median.
    machine: calibrated on this host, for the ceilings above the model's parts.
    """

    request: Request = field(default_factory=Request)
    plan: Plan = PLAN
    operators: bool = False
    colocate: Sequence[int] | None = None
    limit: float | None = None
    machine: Machine | None = None


@dataclass(frozen=True, eq=False)
class Answer:
    """A model's profile, its ceilings, its operators by SIMD width (empty where not asked), models side by side.

    missing: what was asked and is not there, and why. stopped: whether Ctrl-C ended it before all was measured.
    """

    profile: ModelProfile
    widths: tuple[WidthPoint, ...] = ()
    together: CoLocation | None = None
    ceilings: Ceilings | None = None
    missing: tuple[str, ...] = ()
    stopped: bool = False

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know beside the numbers."""
        beside = () if self.together is None else self.together.notes
        trap = None if self.together is None else self.together.trap
        return (*self.profile.notes, *self.missing, *beside, *([trap] if trap else ()))


def steps(question: Question) -> int:
    """How often `answer` advances."""
    swept = len((NATIVE, *widths(host_facts().simd))) * len(isa_sweep.PROBES) * isa_sweep.PLAN.processes
    beside = 0 if question.colocate is None else colocation.steps(question.colocate)
    return processes(question.request, question.plan) + question.operators * swept + beside


def answer(config: ModelConfig, trace: Trace | None, question: Question, advance: Advance = ignore) -> Answer:
    """Measure `config` on `trace`, or on uniform ids; HotrowError where the run as it is fails.

    Ctrl-C once one process of the run as it is has ended leaves what is finished.
    """
    request = question.request
    roof = None
    if question.machine is not None:  # refused before the work, not after it
        row_bytes = sum(4.0 * table.dim for table in config.tables) / max(1, len(config.tables))
        roof = ceilings(question.machine, host_facts(), request.threads, request.precision, row_bytes)
    profile = profile_model(config, trace, request, question.plan, advance)
    swept: list[WidthPoint] = []
    beside, missing, stopped = None, [], profile.stopped
    what = "operators by SIMD width"
    try:
        if question.operators and not stopped:
            for points in isa_sweep.isa_sweep(advance=advance):
                swept += points
        what = "models side by side"
        if question.colocate is not None and not stopped:
            beside = _beside(config, trace, question, question.colocate, advance)
            stopped = beside.stopped
    except KeyboardInterrupt:
        missing.append(f"{what}: stopped by Ctrl-C; what was not finished is missing")
        stopped = True
    except HotrowError as error:
        missing.append(f"no {what}: {error}")
    return Answer(profile, tuple(swept), beside, roof, tuple(missing), stopped)


def _beside(
    config: ModelConfig, trace: Trace | None, question: Question, models: Sequence[int], advance: Advance
) -> CoLocation:
    """Models side by side at the middle one of the batches. Raises HotrowError where the model is not on the CPU."""
    request = question.request
    if request.device != "cpu":
        raise HotrowError(f"they are measured on the CPU alone, not on {request.device}")
    batch = sorted(request.batches)[len(request.batches) // 2]
    return colocate(
        config,
        trace,
        batch,
        models,
        request.threads,
        request.precision,
        question.limit,
        seed=request.seed,
        advance=advance,
        isa=request.isa,
        backend=request.backend,
    )


def hangs(found: Answer) -> tuple[str, ...]:
    """Where the settings that hung stood when they were ended."""
    stood = {(p.axis, p.setting): p.stack for p in found.profile.axes if p.stack is not None}
    return tuple(f"{axis} {setting} stood at\n{stack}" for (axis, setting), stack in stood.items())


def grids(found: Answer) -> tuple[Grid, ...]:
    """Everything as tables."""
    swept = (isa_sweep.grid(found.widths),) if found.widths else ()
    beside = () if found.together is None else colocation.grids(found.together)
    roof = () if found.ceilings is None else (ceiling_grid(found.profile, found.ceilings),)
    return (*profile_grids.grids(found.profile), *roof, *swept, *beside)


def plain(found: Answer) -> dict[str, Any]:
    """Everything as plain values, for JSON; stacks as "outer;…;inner" with their samples."""
    profile: dict[str, Any] = msgspec.to_builtins(replace(found.profile, stacks=None))
    if found.profile.stacks is not None:
        profile["stacks"] = _plain_stacks(found.profile.stacks)
    made = {"profile": profile, "notes": list(found.notes), "stopped": found.stopped}
    if found.widths:
        made["operators"] = msgspec.to_builtins(found.widths)
    if found.together is not None:
        made["together"] = colocation.plain(found.together)
    if found.ceilings is not None:
        made["ceilings"] = msgspec.to_builtins(found.ceilings)
    return made


def _plain_stacks(stacks: StackProfile) -> dict[str, Any]:
    made: dict[str, Any] = msgspec.to_builtins(replace(stacks, stacks={}))
    return made | {"stacks": {";".join(stack): count for stack, count in stacks.stacks.items()}}


def whole_numbers(text: str, what: str) -> tuple[int, ...]:
    """ "1,16,64" as numbers from 1; HotrowError names `what` where it is something else."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) for part in parts):
        raise HotrowError(f"{what} {text!r}; write whole numbers from 1 with commas between, as in 1,16,64")
    return tuple(map(int, parts))


def side_by_side(text: str | None) -> tuple[int, ...] | None:
    """Numbers of models from "1,2", () for "all", None for None."""
    if text is None:
        return None
    return () if text == "all" else whole_numbers(text, "--colocate")
