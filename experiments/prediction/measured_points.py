"""Measured points: the same model's steps timed on this host, to stand on the curves of what is predicted for it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ...profiling.host import host_facts
from ...profiling.isa import widths
from ...profiling.processes.configuration import Configuration, allowed_cpus
from ...profiling.processes.runner import FEWEST_PROCESSES, Plan, Runs, run
from ...profiling.summary import measurement
from ...progress import Advance, ignore
from ...tracegen.trace import Trace
from ..measured.traces import written
from .command import Answer

PLAN = Plan(processes=FEWEST_PROCESSES, seconds=0.2, patience=1.0)
WORKLOAD = f"{__package__.rpartition('.')[0]}.measured.workloads:dlrm"
BITS = {"avx2": 256, "avx512": 512}
Points = dict[str, tuple["Timed", ...]]


@dataclass(frozen=True)
class Timed:
    """One measured step: its batch, threads or width over those of the prediction's middle; seconds with interval."""

    factor: float
    seconds: float
    low: float
    high: float


def configurations(found: Answer, trace: str) -> dict[str, tuple[float, Configuration]]:
    """By name: the factor, and the model at every batch, with more threads, and with narrower vectors."""
    batches = [made.batch for made in found.predictions]
    arguments = {"config": msgspec.to_builtins(found.config), "modes": [found.middle.mode], "trace": trace}
    base = Configuration("batch", WORKLOAD, arguments | {"batches": batches})
    alone = msgspec.structs.replace(base, arguments=arguments | {"batches": [found.middle.batch]})
    counts = [2**k for k in range(12) if 2**k <= min(len(allowed_cpus()), found.costs.cores)]
    names = [isa for isa in widths(host_facts().simd) if isa in BITS]
    widest = max((BITS[isa] for isa in names), default=1)
    made = {"batch": (1.0, base)}
    for count in counts:
        made[f"threads {count}"] = (count, msgspec.structs.replace(alone, name=f"threads {count}", threads=count))
    for isa in names:
        name = f"SIMD width {isa}"
        made[name] = (BITS[isa] / widest, msgspec.structs.replace(alone, name=name, isa=isa))
    return made


def processes(found: Answer) -> int:
    """Processes that measure() starts."""
    return PLAN.processes * len(configurations(found, ""))


def measure(found: Answer, trace: Trace, advance: Advance = ignore) -> Points:
    """Time the steps, each in processes of its own; by axis. `advance` is called after every process."""
    with tempfile.TemporaryDirectory(prefix="hotrow-") as folder:
        batches = [made.batch for made in found.predictions]
        path = written(trace, found.config, batches, Path(folder) / "trace.parquet")
        chosen = configurations(found, path)
        ran = run([configuration for _, configuration in chosen.values()], PLAN, advance=advance)
    points: dict[str, list[Timed]] = {}
    for name, (factor, _) in chosen.items():
        axis = name if name == "batch" else name.rpartition(" ")[0]
        for batch in batches if name == "batch" else [found.middle.batch]:
            place = batch / found.middle.batch if name == "batch" else factor
            points.setdefault(axis, []).append(_timed(ran, name, f"{found.middle.mode} {batch}", place))
    return {axis: tuple(own) for axis, own in points.items()}


def _timed(ran: Runs, name: str, step: str, factor: float) -> Timed:
    value = measurement(ran.outcome(name), step)
    return Timed(factor, value.value, value.low, value.high)
