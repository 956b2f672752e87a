"""Predict: what a model's step would take on a machine, by operator, with an interval and the bound of each."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from .. import HotrowError
from ..models.config import ModelConfig
from ..profiling.machine import Machine
from .prediction import operators
from .prediction.costs import Coefficients, placed
from .prediction.operators import Parts, Setting
from .prediction.residual import correction
from .prediction.steps import Mode, Operator
from .prediction.steps import operators as operators_of
from .prediction.traffic import ReuseCurve, Traffic

LONG = 1024  # lookups of a call above which its time is no longer that of calling
SHARED_MARGIN = 1.25  # assumed: how much further predictions of several threads or models go astray
EDGE = (-1.2, 0.0, 1.2)  # where a soft edge is looked at, in its width
CAUSES = {"overhead": "overhead", "compute": "compute", "latency": "latency", "translation": "page walks"}


@dataclass(frozen=True)
class OperatorTime:
    """One operator: seconds with the ends of a 90 % interval, its bound, and seconds by cause.

    bound: the cause that takes most: overhead, compute, latency, page walks, a level, or a level's bandwidth.
    """

    operator: Operator
    seconds: float
    low: float
    high: float
    bound: str
    parts: Parts


@dataclass(frozen=True)
class Prediction:
    """A step of a model on a machine: seconds of `batch` samples with the ends of a 90 % interval."""

    model: str
    machine: str
    how: str  # datasheet, calibrated or fitted
    mode: Mode
    batch: int
    setting: Setting
    operators: tuple[OperatorTime, ...]
    seconds: float
    low: float
    high: float

    def by_role(self) -> dict[str, OperatorTime]:
        """Operators of one role as one, in order of first appearance; those that take no time are left out."""
        groups: dict[str, list[OperatorTime]] = {}
        for each in (each for each in self.operators if each.seconds):
            groups.setdefault(each.operator.role, []).append(each)
        return {role: _together(role, group) for role, group in groups.items()}


def predict(
    config: ModelConfig, traffic: Traffic, costs: Coefficients, mode: Mode = "inference", setting: Setting | None = None
) -> Prediction:
    """The step of `traffic`'s batch; costs of a machine that holds the model (check_fits says whether)."""
    setting = setting or Setting()
    costs = placed(costs, setting.models * config.bytes)
    if setting.threads * setting.models > costs.cores and costs.kind == "cpu":
        raise HotrowError(
            f"{setting.models} models of {setting.threads} threads; machine {costs.machine!r} has {costs.cores} cores"
        )
    times = tuple(
        _time(op, traffic, costs, mode, setting) for op in operators_of(config, traffic.per_table, traffic.batch, mode)
    )
    total = sum(each.seconds for each in times)
    low, high = costs.spread.training if mode == "training" else costs.spread.whole
    if costs.mode != "datasheet" and setting != Setting():  # no measurement of several threads or models was fitted
        low, high = low / SHARED_MARGIN, high * SHARED_MARGIN
    return Prediction(
        config.name, costs.machine, costs.mode, mode, traffic.batch, setting, times, total, low * total, high * total
    )


def _time(op: Operator, traffic: Traffic, costs: Coefficients, mode: Mode, setting: Setting) -> OperatorTime:
    spread, recording = costs.spread.linear, mode == "training"
    recorded = costs.framework.record if recording and not op.backward else 0.0
    if op.kind == "gather":
        parts = gather_parts(op, traffic, costs, setting)
        spread = costs.spread.gather_long if op.k > LONG else costs.spread.gather
        parts["overhead"] += costs.framework.table + recorded
    elif op.kind == "linear":
        parts = operators.linear(costs, op, setting)
        factor = costs.framework.backward if op.backward else 1.0
        parts = {cause: seconds * factor for cause, seconds in parts.items()}
        parts["overhead"] += costs.framework.node * op.nodes if op.backward else costs.framework.layer + recorded
    else:
        parts = operators.other(costs, op, setting, recording)
    return timed(op, parts, spread)


def gather_parts(op: Operator, traffic: Traffic, costs: Coefficients, setting: Setting) -> Parts:
    """Seconds by cause of one table's bags among a model's lookups, what physics leaves over included."""
    rows = traffic.table(op.table) if op.table >= 0 else traffic.rows
    stream = 4 + 4 * op.n * op.m / max(op.k, 1)
    in_caches = misses_of(rows, traffic.unit_bytes, stream, _neighbours(costs, setting))
    homes = {level.capacity: level.tables / setting.models for level in costs.levels if level.tables}

    def misses(capacity: float, spread: float) -> float:
        if capacity not in homes:
            return in_caches(capacity, spread)
        return rows.beyond(capacity / setting.models, traffic.unit_bytes, homes[capacity])

    walks = {
        page: traffic.pages[page].misses(reach, _page_bytes(page))
        for page, (reach, _) in costs.gather.walks.items()
        if page in traffic.pages
    }
    parts = operators.gather(costs, op, misses, walks, setting)
    if costs.residual is None:
        return parts
    factor = correction(costs, op, parts, [misses(level.capacity, level.spread) for level in costs.levels[:-1]])
    return {cause: seconds * factor for cause, seconds in parts.items()}


def misses_of(
    rows: ReuseCurve, unit: float, stream: float, neighbours: Callable[[float], float] | float = 1.0
) -> operators.Misses:
    """The share of lookups that miss a cache whose edge may be soft; neighbours: by capacity, or the same for all."""

    def misses(capacity: float, spread: float) -> float:
        beside = neighbours if isinstance(neighbours, float) else neighbours(capacity)
        places = EDGE if spread else (0.0,)
        found = [rows.misses(capacity * math.exp(spread * at), unit, stream, beside) for at in places]
        return sum(found) / len(found)

    return misses


def _neighbours(costs: Coefficients, setting: Setting) -> Callable[[float], float]:
    """By a level's capacity: how many models share one instance of it."""
    sharers = {level.capacity: level.sharers for level in costs.levels}

    def beside(capacity: float) -> float:
        instances = max(1.0, costs.cores / sharers.get(capacity, 1))
        return max(1.0, setting.models / instances)

    return beside


def _page_bytes(page: str) -> float:
    return 4096.0 if page == "4 KiB" else 2.0**21


def timed(op: Operator, parts: Parts, spread: tuple[float, float]) -> OperatorTime:
    """An operator's parts with their sum, its interval and its bound."""
    total = sum(parts.values())
    bound = max(parts, key=lambda cause: parts[cause]) if total else "nothing"
    return OperatorTime(op, total, spread[0] * total, spread[1] * total, CAUSES.get(bound, bound), parts)


def _together(role: str, group: list[OperatorTime]) -> OperatorTime:
    parts: Parts = {}
    for each in group:
        for cause, seconds in each.parts.items():
            parts[cause] = parts.get(cause, 0.0) + seconds
    total = sum(parts.values())
    low = sum(each.low for each in group) / total if total else 1.0
    high = sum(each.high for each in group) / total if total else 1.0
    first = group[0].operator
    return timed(replace(first, name=role), parts, (low, high))


def check_fits(config: ModelConfig, machine: Machine, models: int = 1) -> None:
    """HotrowError where a model's parameters exceed the machine's memory, saying what is missing."""
    held = sum(tier.capacity.base for tier in machine.memory.values())
    needed = models * config.bytes
    if needed > held:
        copies = f" for {models} copies" if models > 1 else ""
        raise HotrowError(
            f"model {config.name!r} needs {_bytes(needed)}{copies}; machine {machine.name!r} has {_bytes(held)}, "
            f"{_bytes(needed - held)} too little: choose --scale, a smaller model, or more memory"
        )


def _bytes(count: float) -> str:
    unit, size = next(((u, s) for u, s in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)) if count >= s), ("B", 1))
    return f"{count / size:,.1f} {unit}"
