"""Points: what one setting of a sweep comes to, measured here, simulated, or predicted for a machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ... import HotrowError, __version__
from ...analysis.hierarchy import simulate_trace
from ...analysis.memory.colocation_cache import SharedCaches, simulate_colocation
from ...analysis.memory.layout import Layout
from ...analysis.memory.levels import levels_of
from ...analysis.predict import check_fits, predict
from ...analysis.prediction.calibrated import costs_of
from ...analysis.prediction.coefficients import datasheet
from ...analysis.prediction.operators import Setting
from ...analysis.prediction.traffic import Traffic, traffic_of
from ...models.config import ModelConfig, load_preset
from ...profiling.host import host_facts
from ...profiling.machine_files import load_machine
from ...tracegen.profile import built_in
from ...tracegen.trace import Trace
from ..grid import number_of
from ..inputs import LOOKUPS, UNIFORM, inputs, machine
from . import measuring
from .metric import Found, Metric, exact
from .spec import Point

BATCHES = 4  # at least, of a trace that a step is predicted from
LIBRARIES = {
    "measured": ("torch", "numpy", "numba", "onnxruntime", "jax"),
    "simulated": ("numba",),
    "predicted": ("numpy",),
}
WORDS = {"machine": load_machine, "model": load_preset}


@dataclass(frozen=True)
class Task:
    """A point to work out, with the seed of everything random in it, and where relative file names start."""

    key: str
    point: Point
    seed: int
    folder: str


def task(point: Point, seed: int, folder: Path) -> Task:
    """A task whose key changes with settings, seed, the files that they name, and what made the result.

    Raises HotrowError where a model, trace or machine does not exist.
    """
    named = {axis: _content(axis, point[axis], folder) for axis in ("model", "trace", "machine") if axis in point}
    whole = {"point": point, "seed": seed, "files": named, "about": about(point["kind"])}
    text = json.dumps(whole, sort_keys=True)
    return Task(hashlib.sha256(text.encode()).hexdigest()[:24], point, seed, str(folder))


@lru_cache(maxsize=8)
def about(kind: str) -> dict[str, Any]:
    """What a result of this kind depends on beside its settings: versions, and the host where it was measured."""
    host = host_facts()
    known = {name: version for name, version in host.packages.items() if name in LIBRARIES[kind]}
    made: dict[str, Any] = {"hotrow": __version__, "versions": known}
    return made | ({"host": host.node, "cpu": host.cpu} if kind == "measured" else {})


@lru_cache(maxsize=256)
def _content(axis: str, name: str, folder: Path) -> str:
    """A hash of the file that a setting names; the name itself where it is built in."""
    path = folder / name
    if axis == "trace" and (name == UNIFORM or name in built_in()):
        return name
    if axis == "machine" and name == "this":
        raise HotrowError('machine "this" is measured, or calibrated: write the file that hotrow calibrate made')
    if axis in WORDS and not path.is_file():
        WORDS[axis](name)  # says what is known
        return name
    if not path.exists():
        raise HotrowError(f"{axis} {name!r}: no such file from {folder}, and nothing built in has this name")
    hashed = hashlib.sha256()
    for part in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if part.is_file():
            with part.open("rb") as file:
                hashed.update(hashlib.file_digest(file, "sha256").digest())
    return hashed.hexdigest()


def compute(task: Task) -> dict[str, Any]:
    """The result of a simulated or predicted point, as plain values: metrics by name, and notes."""
    work = {"simulated": _simulated, "predicted": _predicted}[task.point["kind"]]
    return _plain(*work(task))


def measure(task: Task) -> dict[str, Any]:
    """The result of a measured point: this process should have the machine to itself."""
    return _plain(*_measured(task))


def _plain(metrics: Mapping[str, Metric], notes: tuple[str, ...]) -> dict[str, Any]:
    return {"metrics": {name: asdict(metric) for name, metric in metrics.items()}, "notes": list(notes)}


@lru_cache(maxsize=4)
def _inputs(
    model: str, scale: float, trace: str, lookups: int | None, samples: int, seed: int, folder: str
) -> tuple[ModelConfig, Trace]:
    """What points that differ in other axes share."""
    return inputs(model, trace, scale, lookups, samples, seed, Path(folder))


def _simulated(task: Task) -> Found:
    """Lines that each level serves, of one model or of several beside each other that share the last level."""
    point = task.point
    config, trace = _inputs(point["model"], point["scale"], point["trace"], None, 1, task.seed, task.folder)
    levels, inclusion = levels_of(machine(point["machine"], Path(task.folder)))
    layout = Layout.of_rows(trace, 4 * config.dim)
    models = point["models"]
    if models == 1:
        stats = simulate_trace(trace, layout, levels, inclusion=inclusion)
        lookups, samples = trace.accesses, trace.samples
    else:
        caches = SharedCaches(point["machine"], levels[:-1], levels[-1:], inclusion[-1])
        each = trace.samples // models
        parts = [trace.samples_between(k * each, (k + 1) * each) for k in range(models)]
        together = simulate_colocation(parts, [layout] * models, caches, warm_up=each // 10)
        stats, lookups, samples = together.levels, together.lookups, together.samples * models
    lines = max(stats[0].accesses, 1)
    metrics = {f"{level.name} serves": exact(level.hits / lines, "of lines") for level in stats}
    metrics["memory serves"] = exact(stats[-1].misses / lines, "of lines")
    metrics["memory per sample"] = exact(stats[-1].misses * levels[-1].line_bytes / max(samples, 1), "bytes")
    metrics["L2 misses per lookup"] = exact(stats[min(1, len(stats) - 1)].misses / max(lookups, 1), "lines")
    return metrics, (
        f"{number_of(lookups, 'lookup')}, {'cold start' if models == 1 else 'a tenth of the samples to warm up'}",
    )


def _measured(task: Task) -> Found:
    point = task.point
    config, trace = _inputs(
        point["model"], point["scale"], point["trace"], LOOKUPS, point["batch"], task.seed, task.folder
    )
    return measuring.measured(point, config, None if point["trace"] == UNIFORM else trace, task.seed)


def _predicted(task: Task) -> Found:
    """A step by the machine's calibration in fp32, else its datasheet, with the cause that bounds its slowest part."""
    point = task.point
    config, traffic = _traffic(point["model"], point["scale"], point["trace"], point["batch"], task.seed, task.folder)
    computer = machine(point["machine"], Path(task.folder))
    check_fits(config, computer, point["models"])
    isa = None if point["isa"] == "native" else point["isa"]
    fp32 = point["precision"] == "fp32"
    costs = costs_of(computer, isa) if fp32 else datasheet(computer, isa, point["precision"])
    setting = Setting(point["threads"], point["models"])
    found = predict(config, traffic, costs, point["mode"], setting)
    served = point["batch"] * point["models"]
    time = Metric(float(found.seconds), "s", float(found.low), float(found.high))
    metrics = {"time": time, "samples per second": time.reciprocal(float(served), "1/s")}
    slowest = max(found.by_role().values(), key=lambda part: part.seconds)
    return metrics, (f"{slowest.operator.role} takes most, bound by {slowest.bound}",)


@lru_cache(maxsize=16)
def _traffic(model: str, scale: float, trace: str, batch: int, seed: int, folder: str) -> tuple[ModelConfig, Traffic]:
    """A model's lookups at one batch, computed once for all machines."""
    config, lookups = _inputs(model, scale, trace, LOOKUPS, BATCHES * batch, seed, folder)
    return config, traffic_of(lookups, config, batch)


def group(point: Point) -> str:
    """What points take about as long as each other: those of a kind; measured ones also by backend and models."""
    if point["kind"] != "measured":
        return str(point["kind"])
    return f"measured, {point['backend']}, {point['models']}"


def seconds_expected(point: Point, known: Mapping[str, float]) -> float:
    """About how long a point takes: as long as others of its group took, else by what it starts and goes through."""
    if (took := known.get(group(point))) is not None:
        return took
    if point["kind"] == "measured":
        return measuring.seconds_expected(point)
    return 1.0 if point["kind"] == "simulated" else 0.1
