"""Question: what would an architect conclude from this traffic, here and elsewhere? The numbers of the report."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

import msgspec

from ... import HotrowError
from ...analysis.knee import Knee
from ...analysis.recommendation.split import Split, splits
from ...models.config import ModelConfig
from ...profiling.host import Host, host_facts
from ...profiling.isa import widths
from ...profiling.machine import Machine
from ...profiling.machine_files import load_machine
from ...profiling.processes.runner import Plan
from ...progress import Advance, ignore
from ...tracegen.trace import Trace
from ..cache_sizing import CacheSizing, cache_sizing
from ..inputs import LOOKUPS
from ..lru_curves import LruCurves, lru_curves
from ..measured import profile_answer
from ..measured.axes import everything
from ..measured.ceilings import calibrated_here
from ..measured.profile_study import Request as Steps
from ..prediction.grids import plain as plain_prediction
from ..traffic import Traffic, describe
from .certified import Certified
from .elsewhere import Elsewhere, predicted
from .trust import Trust, compared

STAGES = 3  # that codesign advances by, measured processes beside
PLAN = Plan(seconds=0.3, traced=5)
MODES = ("inference", "training")
Measure = Literal["none", "steps", "axes", "all"]


@dataclass(frozen=True)
class Subject:
    """What is studied: a trace with its name, source and what was assumed to make it, and a model on its tables.

    certified: what is known of the error of a synthetic trace, None for a real one or where nothing is.
    """

    trace: Trace
    name: str
    source: str
    config: ModelConfig
    assumptions: tuple[str, ...] = ()
    certified: Certified | None = None


@dataclass(frozen=True)
class Request:
    """How it is studied. batch: samples per step. machine: that times are predicted for, shipped or a file, None for
    no predictions; gpu: that it is compared with. measure: none, steps, axes (SIMD width, threads, precision and
    stacks as well), or all (models side by side as well). here: this host's calibrated machine file, to hold
    predictions against measurements. limit: seconds that a step may take, None for five times a predicted one.
    """

    batch: int = 256
    seed: int = 0
    machine: str | None = "skylake"
    gpu: str = "h100"
    measure: Measure = "axes"
    here: Machine | None = None
    limit: float | None = None

    def __post_init__(self) -> None:
        if self.limit is not None and not 0 < self.limit < math.inf:
            raise HotrowError(f"a latency limit of {self.limit} s; it must be above 0")
        if self.measure not in get_args(Measure):
            raise HotrowError(f"measure {self.measure!r}; known are {', '.join(get_args(Measure))}")
        if self.here is not None:
            if self.measure == "none":
                raise HotrowError("--here holds predictions against measurements; leave it out or measure something")
            calibrated_here(self.here, host_facts())
        if load_machine(self.gpu).kind != "gpu":
            raise HotrowError(f"machine {self.gpu!r} is no GPU; --gpu names one that --machine is compared with")
        if self.machine is not None:
            load_machine(self.machine)  # a mistake is said before the work


@dataclass(frozen=True, eq=False)
class CoDesign:
    """Everything a report says, as numbers; what is not known yet, or was not asked for, is None.

    splits: of the shared curve's knee. elsewhere: predicted. measured: on this host; failure: why nothing was. trust:
    predictions for this host beside what was measured.
    """

    subject: Subject
    request: Request
    host: Host
    traffic: Traffic
    sizing: tuple[CacheSizing, ...]
    curves: LruCurves
    splits: tuple[Split, ...]
    elsewhere: Elsewhere | None = None
    measured: profile_answer.Answer | None = None
    trust: Trust | None = None
    failure: str | None = None
    running: bool = False  # more is to come

    @property
    def shared_knee(self) -> Knee | None:
        """Of one LRU cache for all tables."""
        return self.curves.shared_knee

    @property
    def row_bytes(self) -> int:
        """Bytes of a row in float32."""
        return 4 * self.subject.config.dim


def question(request: Request) -> profile_answer.Question | None:
    """What is measured on this host."""
    if request.measure == "none":
        return None
    wide = request.measure in ("axes", "all")
    asked = Steps((request.batch,), MODES, _axes() if wide else {}, stacks=wide, seed=request.seed)
    together = () if request.measure == "all" else None
    return profile_answer.Question(asked, replace(PLAN, seed=request.seed), colocate=together)


def _axes() -> dict[str, tuple[str, ...]]:
    """Settings that differ from the run as it is, which is of one thread, full width and float32."""
    threads = tuple(setting for setting in everything("threads") if setting != "1")
    made = {"isa": widths(host_facts().simd)[:-1], "threads": threads, "precision": ("bf16", "int8-tables")}
    return {axis: settings for axis, settings in made.items() if settings}


def steps(request: Request) -> int:
    """How often codesign advances."""
    asked = question(request)
    return STAGES + (0 if asked is None else profile_answer.steps(asked))


def codesign(
    subject: Subject,
    request: Request | None = None,
    advance: Advance = ignore,
    notice: Callable[[CoDesign], None] = lambda _: None,
) -> CoDesign:
    """Study the subject: its lookups, then predictions, then measurements; `notice` sees every stage but the last.

    Raises HotrowError where the machine is unknown or too small, or the model does not run here.
    """
    request = request or Request()
    trace, config = subject.trace, subject.config
    if not trace.accesses:
        raise HotrowError(f"trace {subject.name!r}: no lookups; there is nothing to report on")
    curves = lru_curves(trace, request.seed)
    row_bytes = 4 * config.dim
    found = curves.shared_knee
    made = CoDesign(
        subject,
        request,
        host_facts(),
        describe(trace, subject.name, curves.tables),
        cache_sizing(curves, row_bytes),
        curves,
        () if found is None else splits(curves.tables, curves.shared, row_bytes, found.capacity * row_bytes),
        running=True,
    )
    advance(1)
    notice(made)
    if request.machine is not None:
        part = trace.samples_between(0, max(1, trace.samples * LOOKUPS // max(trace.accesses, LOOKUPS)))
        known = None if subject.certified is None else subject.certified.error
        found_there = predicted(part, config, request.machine, request.gpu, request.batch, request.limit, known)
        made = replace(made, elsewhere=found_there)
        notice(made)
    advance(1)
    asked = question(request)
    if asked is not None:
        try:
            made = replace(made, measured=profile_answer.answer(config, trace, asked, advance))
        except HotrowError as error:  # what is finished is not lost for it
            made = replace(made, failure=str(error))
    if request.here is not None and made.measured is not None:
        made = replace(made, trust=compared(trace, config, request.here, made.measured.profile))
    advance(1)
    return replace(made, running=False)


def plain(result: CoDesign) -> dict[str, Any]:
    """The numbers of the report as plain values, for JSON."""
    subject, knee = result.subject, result.shared_knee
    return {
        "name": subject.name,
        "source": subject.source,
        "assumptions": list(subject.assumptions),
        "certificate": None if subject.certified is None else msgspec.to_builtins(subject.certified),
        "model": msgspec.to_builtins(subject.config),
        "batch": result.request.batch,
        "host": msgspec.to_builtins(result.host),
        "traffic": asdict(result.traffic),
        "sizing": [asdict(size) for size in result.sizing],
        "shared_knee": None if knee is None else asdict(knee),
        "splits": [asdict(split) for split in result.splits],
        "failure": result.failure,
        "measured": None if result.measured is None else profile_answer.plain(result.measured),
        "elsewhere": None if result.elsewhere is None else plain_prediction(result.elsewhere.answer),
        "changes": None if result.elsewhere is None else [asdict(c) for c in result.elsewhere.changes],
        "devices": None if result.elsewhere is None else [asdict(d) for d in result.elsewhere.devices],
        "crowd": None if result.elsewhere is None else [asdict(c) for c in result.elsewhere.crowd],
        "ranking": None if result.elsewhere is None else asdict(result.elsewhere.ranking),
        "trust": None if result.trust is None else asdict(result.trust),
    }
