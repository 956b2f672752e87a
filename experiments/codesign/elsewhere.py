"""Elsewhere: what the model would do on another machine, on a GPU, crowded, and when one thing of it changes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ... import HotrowError
from ...analysis.predict import Prediction, check_fits, predict
from ...analysis.prediction.coefficients import datasheet
from ...analysis.prediction.operators import Setting
from ...analysis.prediction.traffic import Traffic
from ...analysis.prediction.vary import AXES, vary
from ...models.config import ModelConfig
from ...profiling.machine_files import load_machine
from ...tracegen.trace import Trace
from ..prediction.command import Answer, Request, answer
from ..what_if import panel
from ..which_machine import Ranking, which_machine
from .certified import shifted

BATCHES = (1, 16, 64, 256, 1024, 4096, 16384)  # the last ones for GPUs
FACTORS = (0.5, 2.0, 4.0)
WORTH = 0.05  # a change of time below this is none to speak of


@dataclass(frozen=True)
class Change:
    """One thing of the machine times `factor`, all cores busy: samples per second over those before, and what then
    bounds the part that takes most."""

    what: str
    factor: float
    gain: float
    bound: str


@dataclass(frozen=True)
class Device:
    """One batch on a core, on all cores and on a GPU: seconds of a step; samples per second with a model per core.

    ratio: all cores' time per sample over the GPU's, with the ends of its interval, errors of both independent.
    """

    batch: int
    core: float
    cores_rate: float
    gpu: float
    ratio: float
    low: float
    high: float


@dataclass(frozen=True)
class Crowd:
    """So many models side by side, one thread each: seconds of a step with the ends of its interval, samples/s."""

    models: int
    seconds: float
    low: float
    high: float
    rate: float


@dataclass(frozen=True, eq=False)
class Elsewhere:
    """Predictions for a machine. error: seconds that a synthetic trace's error moves the middle batch's step, either
    way; None where nothing is known of it. devices: by batch, empty where the GPU holds no such model."""

    answer: Answer
    ranking: Ranking
    panel: dict[str, Any] | None
    changes: tuple[Change, ...]
    gpu: str
    devices: tuple[Device, ...]
    crowd: tuple[Crowd, ...]
    error: tuple[float, float] | None
    limit_given: bool


def predicted(
    trace: Trace,
    config: ModelConfig,
    machine: str,
    gpu: str,
    batch: int,
    limit: float | None = None,
    error: float | None = None,
) -> Elsewhere:
    """Predict `config` on `trace` for a machine, shipped or a file.

    batch: that decisions are about, cut to the trace's samples. limit: seconds that a step may take. error: of the
    trace's miss ratios. Raises HotrowError where the machine is unknown or too small.
    """
    chosen = min(batch, trace.samples)
    batches = sorted({chosen, *(size for size in BATCHES if size <= trace.samples)})
    found = answer(config, trace, machine, Request(batches, limit=limit, middle=chosen))
    middle = found.traffic[found.middle.batch]
    cpu = found.machine.kind == "cpu"
    return Elsewhere(
        answer=found,
        ranking=which_machine(config, found.traffic, found.limit),
        panel=panel(trace, config, found.machine) if cpu else None,
        changes=_changes(found, middle),
        gpu=gpu,
        devices=_devices(found, gpu) if cpu else (),
        crowd=_crowd(found, middle) if cpu else (),
        error=None if error is None else _moved(found, middle, error),
        limit_given=limit is not None,
    )


def _busy(found: Answer) -> Setting:
    return Setting(1, found.costs.cores if found.costs.kind == "cpu" else 1)


def _changes(found: Answer, traffic: Traffic) -> tuple[Change, ...]:
    """What each thing of a busy machine is worth, twice and half of it."""
    before = predict(found.config, traffic, found.costs, "inference", _busy(found))
    gpu = found.costs.kind == "gpu"
    made = []
    for axis in AXES:
        if axis == "cores" or (gpu and axis == "SIMD width"):
            continue
        for factor in FACTORS:
            after = predict(found.config, traffic, vary(found.costs, axis, factor), "inference", _busy(found))
            made.append(Change(axis, factor, before.seconds / after.seconds, bound_of(after)))
    return tuple(made)


def bound_of(made: Prediction) -> str:
    """The part that takes most, and what bounds it."""
    slowest = max(made.by_role().values(), key=lambda part: part.seconds)
    return f"{slowest.operator.name}: {slowest.bound}"


def _devices(found: Answer, gpu: str) -> tuple[Device, ...]:
    computer = load_machine(gpu)
    try:
        check_fits(found.config, computer)
    except HotrowError:
        return ()
    costs = datasheet(computer)
    made = []
    for batch, traffic in found.traffic.items():
        core = predict(found.config, traffic, found.costs)
        crowded = predict(found.config, traffic, found.costs, "inference", _busy(found))
        there = predict(found.config, traffic, costs)
        rate = found.costs.cores * batch / crowded.seconds
        ratio = batch / there.seconds / rate
        low, high = ratio_interval(crowded, there)
        made.append(Device(batch, core.seconds, rate, there.seconds, ratio, low * ratio, high * ratio))
    return tuple(made)


def ratio_interval(above: Prediction, below: Prediction) -> tuple[float, float]:
    """Ends of the interval of above/below over their ratio: logarithms of independent errors add in quadrature."""
    low = math.hypot(math.log(above.seconds / above.low), math.log(below.high / below.seconds))
    high = math.hypot(math.log(above.high / above.seconds), math.log(below.seconds / below.low))
    return math.exp(-low), math.exp(high)


def _crowd(found: Answer, traffic: Traffic) -> tuple[Crowd, ...]:
    made = []
    for models in _doubling(found.costs.cores):
        step = predict(found.config, traffic, found.costs, "inference", Setting(1, models))
        rate = models * traffic.batch / step.seconds
        made.append(Crowd(models, step.seconds, step.low, step.high, rate))
    return tuple(made)


def _doubling(most: int) -> Sequence[int]:
    return sorted({*(2**k for k in range(most.bit_length()) if 2**k < most), most})


def _moved(found: Answer, traffic: Traffic, error: float) -> tuple[float, float]:
    ends = [predict(found.config, shifted(traffic, by), found.costs).seconds for by in (-error, error)]
    return ends[0], ends[1]
