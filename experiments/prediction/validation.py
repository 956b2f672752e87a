"""Validation: every prediction of the frozen list beside its measurement, and the naive models beside both.

The error is exp(mean |ln(predicted / measured)|) − 1, which near-zero errors cannot flatter. Coefficients come from the
development part; the test part is predicted, never fitted.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ... import HotrowError
from ...analysis import prediction_plots
from ...analysis.predict import predict
from ...analysis.prediction.calibrated import costs_of
from ...analysis.prediction.coefficients import datasheet, nominal
from ...analysis.prediction.costs import Coefficients
from ...analysis.prediction.fitting import GatherPoint, gather_seconds, linear_seconds
from ...analysis.prediction.residual import correction
from ...atomic import replacing
from ...profiling.host import host_facts
from ...profiling.machine import Machine
from ...profiling.machine_files import load_machine
from ..grid import Grid
from .frozen import TEST_TRACES, Part
from .host_model import Traces, bag_points, fitted, layer_points, model_points
from .points import Points
from .streams import model_config

LONG = 1024
# What the first model that was tried reached on the test part, on 2026-11-24 on an AMD EPYC (Zen 4, 2 cores): physics
# alone for bags, whole models with the interaction's products at one cost per multiply-add.
FIRST_LOOK = {
    "embedding_bag": 8.7,
    "embedding_bag, over 1024 lookups": 12.1,
    "Linear, oneDNN": 2.9,
    "Linear, MKL": 7.8,
    "whole model": 16.9,
    "whole model, inference": 21.1,
    "whole model, training": 12.8,
}


@dataclass(frozen=True)
class Pair:
    """One configuration: measured and predicted seconds with the ends of the 90 % interval; naive models' seconds."""

    name: str
    measured: float
    predicted: float
    low: float
    high: float
    naive: dict[str, float]


@dataclass(frozen=True)
class Errors:
    """Errors in % over some pairs; covered: % of measurements within their interval; naive: the naive models' mean."""

    what: str
    count: int
    mean: float
    median: float
    p90: float
    worst: float
    covered: float
    naive: dict[str, float]
    first_look: float | None = None


@dataclass(frozen=True, eq=False)
class Report:
    """Errors on the test part, fitted and from the machine file alone; pairs by operator; what repeats differ by."""

    machine: str
    node: str
    spread: float
    fitted: tuple[Errors, ...]
    machine_alone: tuple[Errors, ...]
    how_alone: str
    pairs: dict[str, tuple[Pair, ...]]
    failures: dict[str, str]


def host_machine(name: str) -> Machine:
    """The machine file of this host; HotrowError where it was calibrated elsewhere or describes no CPU."""
    machine = load_machine(name)
    host = host_facts()
    made = machine.calibration
    if made is not None and (made.node, made.cpu) != (host.node, host.cpu or "unknown"):
        raise HotrowError(
            f"machine {machine.name!r} was calibrated on {made.node} ({made.cpu}), not on this host; "
            "hotrow calibrate writes this one's file"
        )
    if machine.kind != "cpu":
        raise HotrowError(f"machine {machine.name!r} is a {machine.kind}; validation measures this host's processor")
    return machine


def validate(points: Points, folder: Path, machine: Machine) -> Report:
    """Fit on the development part, keep the coefficients in `folder`/fitted.json, and compare on the test part."""
    kept = np.load(folder / "traces.npz")
    traces = {name: kept[name] for name in kept.files}
    alone = costs_of(machine)
    costs = msgspec.structs.replace(
        fitted(datasheet(nominal(machine)), points, traces), measured_on=f"{points.node} ({points.cpu})"
    )
    with replacing(folder / "fitted.json") as beside:
        beside.write_bytes(msgspec.json.encode(costs))
    roof = machine.peak("fp32", 1), next(iter(machine.memory.values())).bandwidth.base
    pairs = _pairs(costs, points, traces, "test", roof)
    by_file = _pairs(alone, points, traces, "test", roof)
    report = Report(
        machine=machine.name,
        node=points.node,
        spread=points.spread(),
        fitted=tuple(_all_errors(pairs)),
        machine_alone=tuple(each for each in _all_errors(by_file) if each.what != "Linear, oneDNN"),
        how_alone=alone.mode,
        pairs=pairs,
        failures=points.failures,
    )
    with replacing(folder / "validation.json") as beside:
        beside.write_text(json.dumps(plain(report), indent=1, allow_nan=False), encoding="utf-8")
    return report


def _pairs(
    costs: Coefficients, points: Points, traces: Traces, part: Part, roof: tuple[float, float]
) -> dict[str, tuple[Pair, ...]]:
    bags = [(bag, point) for bag, point in bag_points(points, traces, part)]
    made = {
        "embedding_bag": tuple(_bag(costs, bag.name, bag.rows, point, roof) for bag, point in bags),
        "embedding_bag, over 1024 lookups": tuple(
            _bag(costs, bag.name, bag.rows, point, roof) for bag, point in bags if bag.lookups > LONG
        ),
        "embedding_bag, traces not developed on": tuple(
            _bag(costs, bag.name, bag.rows, point, roof) for bag, point in bags if bag.ids in TEST_TRACES
        ),
    }
    for library in ("oneDNN", "MKL"):
        linear = costs if library == "MKL" else _with_layers(costs, points, library)
        layers = []
        for layer, point in layer_points(points, library, part):
            found, (low, high) = linear_seconds(linear, point), linear.spread.linear
            flops, moved = (
                2 * point.m * point.k * point.n,
                4 * (point.m * point.k + point.k * point.n + point.m * point.n),
            )
            naive = {"DRAM roofline": max(flops / roof[0], moved / roof[1])}
            layers.append(Pair(layer.name, point.seconds, found, low * found, high * found, naive))
        made[f"Linear, {library}"] = tuple(layers)
    wholes = [
        (whole.mode, whole.name, seconds, predict(model_config(whole), traffic, costs, whole.mode))
        for whole, traffic, seconds in model_points(points, traces, part)
    ]
    for what, mode in (
        ("whole model", ""),
        ("whole model, inference", "inference"),
        ("whole model, training", "training"),
    ):
        made[what] = tuple(
            Pair(name, seconds, found.seconds, found.low, found.high, {})
            for own, name, seconds, found in wholes
            if mode in ("", own)
        )
    return made


def _with_layers(costs: Coefficients, points: Points, library: str) -> Coefficients:
    """The same with another library's layers, fitted on the development part; a machine file alone knows only MKL's."""
    from ...analysis.prediction.fitting import fit_linear, interval

    if costs.mode != "fitted":
        return costs
    linear, errors = fit_linear([point for _, point in layer_points(points, library, "develop")])
    spread = msgspec.structs.replace(costs.spread, linear=interval(errors))
    return msgspec.structs.replace(costs, linear=linear, spread=spread)


def _bag(costs: Coefficients, name: str, rows: int, point: GatherPoint, roof: tuple[float, float]) -> Pair:
    parts, shares = gather_seconds(costs, point)
    op = point.operator
    found = sum(parts.values()) * correction(costs, op, parts, shares)
    low, high = costs.spread.gather_long if op.k > LONG else costs.spread.gather
    moved = 4 * (op.k * (op.n + 1) + op.m * op.n)
    held = 4.0 * rows * op.n
    level = next((level for level in costs.levels[1:] if held <= level.capacity), costs.levels[-1])
    naive = {
        "DRAM roofline": max(op.k * op.n / roof[0], moved / roof[1]),
        "51 GB/s constant": moved / 51e9,
        "level the table fits in": moved / 64 * max(level.next, 64 / level.bandwidth, 1e-12),
    }
    return Pair(name, point.seconds, found, low * found, high * found, naive)


def _all_errors(pairs: dict[str, tuple[Pair, ...]]) -> list[Errors]:
    return [errors(what, own, FIRST_LOOK.get(what)) for what, own in pairs.items() if own]


def errors(what: str, pairs: Sequence[Pair], first_look: float | None = None) -> Errors:
    """The errors of some pairs, in %."""
    logs = np.abs([np.log(pair.predicted / pair.measured) for pair in pairs])
    within = [pair.low <= pair.measured <= pair.high for pair in pairs]
    naive = {
        model: _percent(float(np.mean([abs(np.log(pair.naive[model] / pair.measured)) for pair in pairs])))
        for model in pairs[0].naive
    }
    return Errors(
        what=what,
        count=len(pairs),
        mean=_percent(float(np.mean(logs))),
        median=_percent(float(np.median(logs))),
        p90=_percent(float(np.percentile(logs, 90))),
        worst=_percent(float(np.max(logs))),
        covered=100 * float(np.mean(within)),
        naive=naive,
        first_look=first_look,
    )


def _percent(log: float) -> float:
    return round(100 * float(np.expm1(log)), 2)


def grids(report: Report) -> tuple[Grid, ...]:
    """The test part's errors, fitted and from the machine file alone."""
    spread = f"{100 * report.spread:.1f} %"
    caption = (
        f"{report.machine}: errors in % on the test part, fitted on the development part; processes differ by {spread}"
    )
    alone = f"The same from the machine file alone ({report.how_alone})"
    return (_grid(caption, report.fitted), _grid(alone, report.machine_alone))


def _grid(caption: str, found: Sequence[Errors]) -> Grid:
    models = list(found[0].naive) if found else []
    rows = tuple(
        (
            each.what,
            f"{each.count}",
            *(f"{value:.1f}" for value in (each.mean, each.median, each.p90, each.worst, each.covered)),
            "–" if each.first_look is None else f"{each.first_look:.1f}",
            *(f"{each.naive[model]:.0f}" if model in each.naive else "–" for model in models),
        )
        for each in found
    )
    heads = ("operator", "n", "error", "median", "p90", "worst", "90 % interval covers", "first look", *models)
    return Grid(caption, heads, rows, "predicted")


def plain(report: Report) -> dict[str, Any]:
    """Everything as plain values, for JSON."""
    return asdict(report)


def figures(report: Report) -> dict[str, Any]:
    """Predicted against measured, of operators and of whole models."""
    bags = ("embedding_bag", "Linear, MKL", "Linear, oneDNN")
    wholes = ("whole model, inference", "whole model, training")
    made = {}
    for name, chosen, title in (("operators", bags, "Operators"), ("models", wholes, "Whole models")):
        groups = [
            (what, [p.measured for p in report.pairs[what]], [p.predicted for p in report.pairs[what]])
            for what in chosen
            if report.pairs.get(what)
        ]
        if groups:
            made[f"validation-{name}"] = prediction_plots.predicted_against_measured(groups, f"{title}, test part")
    return made
