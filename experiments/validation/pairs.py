"""Pairs: every measured configuration beside what is predicted for it, and beside what naive models say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from ...analysis.predict import predict
from ...analysis.prediction.costs import Coefficients
from ...analysis.prediction.fitting import (
    GatherPoint,
    LinearPoint,
    fit_linear,
    gather_seconds,
    interval,
    linear_seconds,
)
from ...analysis.prediction.operators import Setting
from ...analysis.prediction.residual import correction
from ...analysis.prediction.steps import Operator
from ...analysis.prediction.traffic import Traffic
from .frozen import TEST_TRACES, Bag, Part, Whole
from .host_model import PHASES, Phase, Traces, bag_points, in_phase, layer_points, model_points
from .naive import ROOFLINE, Roof, naive
from .points import SIDE, Points
from .streams import model_config

LONG = 1024
ALONE = Setting()


@dataclass(frozen=True)
class Pair:
    """One configuration: measured and predicted seconds with the ends of the 90 % interval; naive models' seconds."""

    name: str
    measured: float
    predicted: float
    low: float
    high: float
    naive: dict[str, float]


Pairs = dict[str, tuple[Pair, ...]]


def pairs(costs: Coefficients, points: Points, traces: Traces, part: Part, roof: Roof) -> Pairs:
    """All pairs of a part by operator; a whole model's also of its training's phases, of threads and of neighbours."""
    return (
        _bags(costs, points, traces, part, roof)
        | _layers(costs, points, part, roof)
        | _models(costs, points, traces, part, roof)
    )


def _bags(costs: Coefficients, points: Points, traces: Traces, part: Part, roof: Roof) -> Pairs:
    made = [(bag, _bag(costs, bag, point, roof)) for bag, point in bag_points(points, traces, part)]
    return {
        "embedding_bag": tuple(pair for _, pair in made),
        "embedding_bag, over 1024 lookups": tuple(pair for bag, pair in made if bag.lookups > LONG),
        "embedding_bag, traces not developed on": tuple(pair for bag, pair in made if bag.ids in TEST_TRACES),
    }


def _bag(costs: Coefficients, bag: Bag, point: GatherPoint, roof: Roof) -> Pair:
    parts, shares = gather_seconds(costs, point)
    op = point.operator
    found = sum(parts.values()) * correction(costs, op, parts, shares)
    low, high = costs.spread.gather_long if op.k > LONG else costs.spread.gather
    return Pair(bag.name, point.seconds, found, low * found, high * found, naive(op, bag.rows, costs, roof))


def _layers(costs: Coefficients, points: Points, part: Part, roof: Roof) -> Pairs:
    made: Pairs = {}
    for library in ("oneDNN", "MKL"):
        own = costs if library == "MKL" else _with_layers(costs, points, library)
        made[f"Linear, {library}"] = tuple(
            _layer(own, layer.name, point, roof) for layer, point in layer_points(points, library, part)
        )
    return made


def _layer(costs: Coefficients, name: str, point: LinearPoint, roof: Roof) -> Pair:
    found, (low, high) = linear_seconds(costs, point), costs.spread.linear
    op = Operator(name, "linear", "linear", m=point.m, k=point.k, n=point.n)
    return Pair(name, point.seconds, found, low * found, high * found, _by_roof(naive(op, 0, costs, roof)))


def _by_roof(found: dict[str, float]) -> dict[str, float]:
    return {ROOFLINE: found[ROOFLINE]}


def _with_layers(costs: Coefficients, points: Points, library: str) -> Coefficients:
    """The same with another library's layers, fitted on the development part; a machine file alone knows only MKL's."""
    if costs.mode != "fitted":
        return costs
    linear, errors = fit_linear([point for _, point in layer_points(points, library, "develop")])
    spread = msgspec.structs.replace(costs.spread, linear=interval(errors))
    return msgspec.structs.replace(costs, linear=linear, spread=spread)


def _models(costs: Coefficients, points: Points, traces: Traces, part: Part, roof: Roof) -> Pairs:
    wholes = model_points(points, traces, part)
    both = [(whole.mode, _model(costs, whole, traffic, seconds, roof)) for whole, traffic, seconds in wholes]
    made: Pairs = {
        "whole model": tuple(pair for _, pair in both),
        "whole model, inference": tuple(pair for mode, pair in both if mode == "inference"),
        "whole model, training": tuple(pair for mode, pair in both if mode == "training"),
    }
    for phase in PHASES:
        chosen = ((w, t, s) for w, t, _ in wholes if (s := points.value(f"{phase} {w.name}")) is not None)
        made[f"training: {phase}"] = tuple(
            _model(costs, whole, traffic, seconds, roof, phase=phase) for whole, traffic, seconds in chosen
        )
    for words, setting in ((f"{SIDE} threads", Setting(SIDE)), (f"{SIDE} models", Setting(1, SIDE))):
        if costs.cores >= SIDE:
            beside = ((w, t, s) for w, t, _ in wholes if (s := points.value(f"{words} {w.name}")) is not None)
            made[f"inference, {words}"] = tuple(
                _model(costs, whole, traffic, seconds, roof, setting) for whole, traffic, seconds in beside
            )
    return made


def _model(
    costs: Coefficients,
    whole: Whole,
    traffic: Traffic,
    measured: float,
    roof: Roof,
    setting: Setting = ALONE,
    phase: Phase | None = None,
) -> Pair:
    """A whole step, or a phase of it."""
    config = model_config(whole)
    made = predict(config, traffic, costs, whole.mode, setting)
    chosen = [each for each in made.operators if in_phase(each.operator.role, phase)]
    found = sum(each.seconds for each in chosen)
    rows = [table.rows for table in config.tables]
    ops = [each.operator for each in chosen]
    by_operator = [naive(op, rows[op.table] if op.table >= 0 else 0, costs, roof) for op in ops]
    scale = found / made.seconds
    return Pair(whole.name, measured, found, scale * made.low, scale * made.high, _summed(by_operator))


def _summed(found: Iterable[dict[str, float]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for each in found:
        for model, seconds in each.items():
            total[model] = total.get(model, 0.0) + seconds
    return total
