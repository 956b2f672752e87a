"""Figures of a prediction: shares of a step, rooflines with what operators reach on machines, what-if curves."""

from __future__ import annotations

from typing import Any

from ...analysis import plots, prediction_plots
from ...analysis.predict import predict
from ...analysis.prediction.calibrated import costs_of
from ...analysis.prediction.costs import Coefficients
from ...analysis.prediction.operators import Setting
from ...analysis.roofline import roof
from ...models.cost import by_role, forward_cost, uniform_bags
from ...profiling.machine_files import load_machine
from .command import Answer
from .curves import curves_of
from .grids import interval
from .measured_points import Points

PEERS = ("skylake", "emerald-rapids", "genoa", "h100")  # drawn beside the machine itself


def figures(found: Answer, measured: Points | None = None) -> dict[str, Any]:
    """By file name; measured: points of this host for the what-if curves."""
    parts = {
        role: [each.by_role()[role].seconds / each.seconds for each in found.predictions]
        for role in found.middle.by_role()
    }
    names = [f"batch {made.batch:,}: {interval(made)}" for made in found.predictions]
    return {
        "predicted-shares": plots.stacked_shares(
            names, list(parts.items()), "Predicted time by part", "share of the predicted step, %"
        ),
        "roofline": _roofline(found),
        "what-if": _what_if(found, measured or {}),
    }


def _roofline(found: Answer) -> Any:
    peers = [load_machine(name) for name in PEERS if name != found.machine.name]
    machines = [(found.machine, found.costs), *((peer, costs_of(peer)) for peer in peers)]
    drawn = [(roof(machine), reached(found, costs)) for machine, costs in machines]
    return prediction_plots.rooflines(drawn, f"{found.config.name}, batch {found.middle.batch:,}")


def reached(found: Answer, costs: Coefficients) -> dict[str, tuple[float, float]]:
    """By role: FLOPs per byte, and the FLOP/s of a whole machine, a model on every core where memory has room."""
    config, batch = found.config, found.middle.batch
    work = by_role(forward_cost(config, uniform_bags(config, batch)))
    models = max(1, min(costs.cores, int(costs.held // config.bytes))) if costs.kind == "cpu" else 1
    made = predict(config, found.traffic[batch], costs, "inference", Setting(1, models)).by_role()
    return {
        role: (cost.intensity, models * cost.flops / made[role].seconds)
        for role, cost in work.items()
        if cost.flops and role in made
    }


def _what_if(found: Answer, measured: Points) -> Any:
    curves = {axis: curve for axis, curve in curves_of(found).items() if len(curve) > 1}
    points = {axis: [(t.factor, t.seconds, t.low, t.high) for t in own] for axis, own in measured.items()}
    title = f"{found.config.name} on {found.costs.machine}, batch {found.middle.batch:,}: what if"
    return prediction_plots.what_if(curves, points, title)
