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
from ...analysis.prediction.calibrated import costs_of
from ...analysis.prediction.coefficients import datasheet, nominal
from ...atomic import replacing
from ...profiling.host import host_facts
from ...profiling.machine import Machine
from ...profiling.machine_files import load_machine
from ..grid import Grid
from .host_model import fitted
from .naive import Roof
from .pairs import Pair, Pairs, pairs
from .points import Points

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
    pairs: Pairs
    failures: dict[str, str]


def host_machine(name: str) -> Machine:
    """The machine file of this host; HotrowError where it is another's, was not calibrated, or describes no CPU."""
    machine = load_machine(name)
    if machine.kind != "cpu":
        raise HotrowError(f"machine {machine.name!r} is a {machine.kind}; validation measures this host's processor")
    host, made = host_facts(), machine.calibration
    if made is None:
        raise HotrowError(
            f"machine {machine.name!r} was not calibrated here; write this host's file with hotrow calibrate here.toml "
            "and name it by --machine"
        )
    if (made.node, made.cpu) != (host.node, host.cpu or "unknown"):
        raise HotrowError(
            f"machine {machine.name!r} was calibrated on {made.node} ({made.cpu}), not on this host; "
            "hotrow calibrate writes this one's file"
        )
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
    roof = Roof(machine.peak("fp32", 1), next(iter(machine.memory.values())).bandwidth.base)
    found = pairs(costs, points, traces, "test", roof)
    by_file = pairs(alone, points, traces, "test", roof)
    report = Report(
        machine=machine.name,
        node=points.node,
        spread=points.spread(),
        fitted=tuple(_all_errors(found)),
        machine_alone=tuple(each for each in _all_errors(by_file) if each.what != "Linear, oneDNN"),
        how_alone=alone.mode,
        pairs=found,
        failures=points.failures,
    )
    with replacing(folder / "validation.json") as beside:
        beside.write_text(json.dumps(plain(report), indent=1, allow_nan=False), encoding="utf-8")
    return report


def _all_errors(found: Pairs) -> list[Errors]:
    return [errors(what, own, FIRST_LOOK.get(what)) for what, own in found.items() if own]


def errors(what: str, found: Sequence[Pair], first_look: float | None = None) -> Errors:
    """The errors of some pairs, in %."""
    logs = np.abs([np.log(pair.predicted / pair.measured) for pair in found])
    within = [pair.low <= pair.measured <= pair.high for pair in found]
    naive = {
        model: _percent(float(np.mean([abs(np.log(pair.naive[model] / pair.measured)) for pair in found])))
        for model in found[0].naive
    }
    return Errors(
        what=what,
        count=len(found),
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
