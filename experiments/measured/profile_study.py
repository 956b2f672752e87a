"""Question: where does the time go on this machine, by batch, and what do width, threads, precision, memory change?

Every configuration runs in processes of its own; times come from bare runs, shares of operators from traces.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from ... import HotrowError
from ...analysis.prediction.traffic import on_model
from ...models.config import ModelConfig
from ...models.cost import bag_statistics, uniform_bags
from ...models.inputs import Batches
from ...profiling.isa import NATIVE
from ...profiling.measurement import Measurement, OperatorProfile
from ...profiling.processes.configuration import Configuration
from ...profiling.processes.runner import FEWEST_PROCESSES, Outcome, Plan, Runs, Stopped, run
from ...profiling.profilers.py_spy import StackProfile, sample
from ...profiling.profilers.torch_profiler import CONTENDED
from ...profiling.summary import Latency, latency, measurement, operators
from ...progress import Advance, ignore
from ...tracegen.trace import Trace
from .axes import everything, one_of, varied
from .axis_points import AxisPoint, axis_points
from .bottlenecks import RoleRate, rates
from .traces import trace_files, written

BATCHES = (1, 16, 64, 1024)
MODES = ("inference", "training")
PLAN = Plan(processes=5, seconds=0.3, traced=5)  # one process in eight is slow for its whole life: two of five may be
BASE = "as it is"
WORKLOAD = f"{__package__}.workloads:dlrm"
ALL_MODES = ("inference", "forward", "training")


@dataclass(frozen=True)
class Request:
    """What to profile: batches, kinds of step, axes as axes.parse_axes gives them, and the run as it is.

    modes: of workloads.MODES. stacks: whether py-spy looks, at the first mode and the largest batch.
    axis_processes: per setting of an axis. Raises HotrowError for a batch below 1, a mode, precision, device or backend
    that does not exist, or a list without entries.
    """

    batches: Sequence[int] = BATCHES
    modes: Sequence[str] = MODES
    axes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    threads: int = 1
    isa: str = NATIVE
    precision: str = "fp32"
    device: str = "cpu"
    backend: str = "eager"
    stacks: bool = True
    seed: int = 0
    axis_processes: int = FEWEST_PROCESSES

    def __post_init__(self) -> None:
        if not self.batches or min(self.batches) < 1 or len(set(self.batches)) < len(self.batches):
            raise HotrowError(f"batches {list(self.batches)}; give different whole numbers from 1")
        unknown = [mode for mode in self.modes if mode not in ALL_MODES]
        if unknown or not self.modes:
            raise HotrowError(f"mode {unknown[0] if unknown else ''!r}; known are {', '.join(ALL_MODES)}")
        for setting in ("precision", "device", "backend"):
            one_of(setting, getattr(self, setting))


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
class ModelProfile:
    """Where a model's time goes, what each axis changes, and the stacks of a step at the largest batch.

    stopped: whether Ctrl-C ended it before all was measured.
    """

    name: str
    steps: tuple[StepProfile, ...]
    axes: tuple[AxisPoint, ...]
    stacks: StackProfile | None
    notes: tuple[str, ...]
    stopped: bool = False


def profile_model(
    config: ModelConfig,
    trace: Trace | None = None,
    request: Request | None = None,
    plan: Plan | None = None,
    advance: Advance = ignore,
) -> ModelProfile:
    """Profile `config` on `trace` (ids uniform where None) at every batch, and inference along every axis.

    `advance` is called after every process; processes() says how many there are. Ctrl-C after the first process of the
    run as it is leaves what is finished. Raises HotrowError for an unknown axis or where the run as it is fails; other
    failures are kept beside the rest.
    """
    request = request or Request()
    plan = plan or replace(PLAN, seed=request.seed)
    with tempfile.TemporaryDirectory(prefix="hotrow-") as folder:
        base = configuration(config, trace, request, Path(folder))
        traces = trace_files(request.axes.get("trace", ()), trace, config, request.batches, Path(folder))
        settings = varied(_inference_only(base), request.axes, traces)
        along_plan = replace(plan, processes=request.axis_processes, traced=0, chrome_traces=None)
        outcome, stopped = _as_it_is(base, plan, config.name, advance)
        steps = _steps(outcome, request, config, trace)
        points: tuple[AxisPoint, ...] = ()
        if settings and not stopped:
            along, stopped = _finished([_inference_only(base), *settings.values()], along_plan, advance)
            points = axis_points(along, settings)
        seen, notes = None, (*_missing(outcome, plan, stopped), *_beyond_knobs(request))
        notes += () if trace is None else Batches(config, trace, 1, request.seed).notes
        if request.stacks and not stopped:
            seen, said, stopped = _stacks(base, f"{request.modes[0]} {max(request.batches)}")
            notes += said
    others = (note for step in steps for note in step.operators.notes if not note.startswith(CONTENDED))
    notes += tuple(dict.fromkeys(others))  # which steps were contended, their totals say
    if request.device != "cpu":
        notes += ("parts are shares of the processor's time, which launches what the GPU does; totals are the GPU's",)
    return ModelProfile(config.name, steps, points, seen, notes, stopped)


def configuration(config: ModelConfig, trace: Trace | None, request: Request, folder: Path) -> Configuration:
    """The run as it is; what it needs of `trace` is written into `folder`."""
    arguments = {
        "config": msgspec.to_builtins(config),
        "batches": list(request.batches),
        "modes": list(request.modes),
        "trace": None if trace is None else written(trace, config, request.batches, folder / "trace.npz"),
        "precision": request.precision,
        "device": request.device,
        "backend": request.backend,
        "seed": request.seed,
    }
    return Configuration(BASE, WORKLOAD, arguments, isa=request.isa, threads=request.threads)


def processes(request: Request, plan: Plan) -> int:
    """How many processes profile_model starts, stacks left out."""
    settings = sum(len(chosen or everything(axis)) for axis, chosen in request.axes.items())
    return plan.processes + request.axis_processes * (settings + 1 if settings else 0)


def _finished(configurations: Sequence[Configuration], plan: Plan, advance: Advance) -> tuple[Runs, bool]:
    """All runs, or what of them had ended when Ctrl-C came; and whether it came."""
    try:
        return run(configurations, plan, advance=advance), False
    except Stopped as stop:
        return stop.runs, True


def _as_it_is(base: Configuration, plan: Plan, name: str, advance: Advance) -> tuple[Outcome, bool]:
    """The run as it is, and whether Ctrl-C cut it short.

    Raises HotrowError with the reason, and the stack where it hung, or KeyboardInterrupt, where no process ended well.
    """
    runs, stopped = _finished([base], plan, advance)
    outcome = runs.outcome(BASE)
    if not outcome.processes and outcome.failure is not None:
        stack = f"; it was at\n{outcome.failure.stack}" if outcome.failure.stack else ""
        raise HotrowError(f"{name}: {outcome.failure.reason}{stack}")
    if not outcome.processes:
        raise KeyboardInterrupt
    return outcome, stopped


def _missing(outcome: Outcome, plan: Plan, stopped: bool) -> tuple[str, ...]:
    """What of the run as it is, and after it, is missing, and why."""
    ended = f"{len(outcome.processes)} of {plan.processes} processes of the run {BASE} ended well"
    if outcome.failure is not None:
        return (f"only {ended}; the next {outcome.failure.reason}",)
    return (f"stopped by Ctrl-C: {ended}; what was not finished is missing",) if stopped else ()


def _beyond_knobs(request: Request) -> tuple[str, ...]:
    """Where SIMD knobs do not reach all the code that runs."""
    along = request.axes.get("backend")
    ran = (request.backend, *(() if along is None else along or everything("backend")))
    own = ", ".join(dict.fromkeys(name for name in ran if name != "eager"))
    if not own or (request.isa == NATIVE and "isa" not in request.axes):
        return ()
    return (f"SIMD knobs act on PyTorch's libraries; what is compiled or brought along by {own} may use all there is",)


def _inference_only(configuration: Configuration) -> Configuration:
    return msgspec.structs.replace(configuration, arguments=configuration.arguments | {"modes": ["inference"]})


def _steps(outcome: Outcome, request: Request, config: ModelConfig, trace: Trace | None) -> tuple[StepProfile, ...]:
    made = []
    seen = None if trace is None else on_model(trace, config)  # as the model looks its ids up
    bags = {b: uniform_bags(config, b) if seen is None else bag_statistics(seen, b) for b in request.batches}
    for mode in request.modes:
        for batch in request.batches:
            step = f"{mode} {batch}"
            total = measurement(outcome, step)
            parts = operators(outcome, step, total)
            if parts is None:
                raise HotrowError(f"{step}: nothing was traced; a plan for profile_model needs traced steps")
            reached = rates(parts, config, bags[batch]) if request.precision == "fp32" else ()  # bytes are of float32
            made.append(StepProfile(mode, batch, total, latency(outcome, step), parts, reached))
    return tuple(made)


def _stacks(base: Configuration, step: str) -> tuple[StackProfile | None, tuple[str, ...], bool]:
    """Stacks of the step, or why there are none, and whether Ctrl-C came."""
    try:
        seen = sample(base, step)
    except HotrowError as error:
        return None, (f"no stacks: {error}",), False
    except KeyboardInterrupt:
        return None, ("no stacks: stopped by Ctrl-C",), True
    return seen, seen.notes, False
