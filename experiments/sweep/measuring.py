"""Measuring: a point on this machine, one model in processes of its own or several beside each other."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from ... import HotrowError
from ...models.config import ModelConfig
from ...models.memory import require_memory
from ...profiling.measurement import Interval
from ...profiling.processes.configuration import Configuration, allowed_cpus
from ...profiling.processes.runner import Plan, run
from ...profiling.summary import latency, measurement
from ...tracegen.trace import Trace
from ..measured.colocation import closed_loop
from ..measured.profile_study import Request, configuration
from .metric import Found, Metric, exact
from .spec import Point

PLAN = Plan(seconds=0.3, traced=0)
REPEATS = 3  # of models beside each other
SECONDS = 1.0  # of each
PROCESS_SECONDS = 4.0  # to start a process and build a model in it, about
COMPILE_SECONDS = 25.0  # more, of a backend that compiles
COMPILERS = ("compile", "aot", "jax")


def measured(point: Point, config: ModelConfig, trace: Trace | None, seed: int) -> Found:
    """What `point` takes on this machine, which nothing else should use; ids are uniform without a trace.

    Raises HotrowError where it cannot run here, with the reason.
    """
    copies = point["models"]
    require_memory(copies * config.bytes, f"{copies} × {config.name!r}" if copies > 1 else f"model {config.name!r}")
    request = Request(
        (point["batch"],), (point["mode"],), threads=point["threads"], isa=point["isa"], precision=point["precision"],
        backend=point["backend"], stacks=False, seed=seed,
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="hotrow-") as folder:
        base = configuration(config, trace, request, Path(folder))
        return _alone(base, point, seed) if copies == 1 else _beside(base, point, seed)


def _alone(base: Configuration, point: Point, seed: int) -> Found:
    outcome = run([base], replace(PLAN, seed=seed)).outcome(base.name)
    if outcome.failure is not None:
        raise HotrowError(outcome.failure.reason)
    step = f"{point['mode']} {point['batch']}"
    found, spread = measurement(outcome, step), latency(outcome, step)
    time = Metric(found.value, "s", found.low, found.high)
    metrics = {
        "time": time,
        "samples per second": time.reciprocal(point["batch"], "1/s"),
        "p99": exact(spread.p99, "s"),
    }
    return metrics, ("contended",) if found.metadata.get("contended") else ()


def _beside(base: Configuration, point: Point, seed: int) -> Found:
    """Each model calls again as soon as it is done, on processors of its own while there are enough."""
    number = point["models"]
    found = closed_loop(base, number, True, SECONDS, REPEATS, seed)
    metrics = {
        "time": _metric(found.percentile(50), "s"),
        "samples per second": _metric(found.throughput, "1/s", point["batch"]),
        "p99": _metric(found.percentile(99), "s"),
    }
    shared = number * point["threads"] > len(allowed_cpus())
    return metrics, (f"range of {REPEATS} repeats", *(["models share processors"] if shared else []))


def _metric(found: Interval, unit: str, factor: float = 1.0) -> Metric:
    return Metric(factor * found.value, unit, factor * found.low, factor * found.high)


def seconds_expected(point: Point) -> float:
    """About how long a point takes to measure, by the processes that it starts."""
    start = PROCESS_SECONDS + COMPILE_SECONDS * (point["backend"] in COMPILERS)
    models: int = point["models"]
    if models == 1:
        return PLAN.processes * (start + PLAN.seconds)
    return REPEATS * (start * max(1.0, models / len(allowed_cpus())) + SECONDS)
