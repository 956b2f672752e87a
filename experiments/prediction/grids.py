"""Predictions as tables and as plain values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from ...analysis import sharding
from ...analysis.predict import OperatorTime, Prediction
from ...atomic import replacing
from ..grid import Grid, number_of
from .command import Answer
from .curves import curves_of
from .measured_points import Points

FEWEST_OPERATORS = 12


def seconds(value: float) -> str:
    """Three digits with a fitting unit."""
    for factor, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if value >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value / 1e-9:.3g} ns"


def rate(value: float) -> str:
    """Samples per second."""
    return f"{value:,.0f}" if value < 1e6 else f"{value / 1e6:,.2f} M"


def grids(found: Answer, measured: Points | None = None) -> tuple[Grid, ...]:
    """Steps by batch, the middle batch by operator, the decisions, and what was measured of the same steps."""
    made = [
        steps_grid(found),
        operators_grid(found.middle),
        decisions_grid(found),
        tiers_grid(found),
        plans_grid(found),
    ]
    if found.widths:
        made.append(widths_grid(found))
    if measured:
        made.append(measured_grid(found, measured))
    return tuple(made)


def steps_grid(found: Answer) -> Grid:
    """One row per batch: time, rate, what takes most, and shares of the parts."""
    roles = list(found.middle.by_role())
    rows = []
    for made in found.predictions:
        parts = made.by_role()
        shares = tuple(f"{100 * parts[role].seconds / made.seconds:.0f}" for role in roles)
        bound = max(parts.values(), key=lambda each: each.seconds)
        side = made.batch * made.setting.models / made.seconds
        ratio = (f"{found.ratios[made.batch]:.2f}",) if found.ratios else ()
        worst = f"{bound.operator.name}: {bound.bound}"
        rows.append((f"{made.batch:,}", interval(made), rate(side), worst, *shares, *ratio))
    setting = found.middle.setting
    beside = f", {setting.models} side by side" if setting.models > 1 else ""
    caption = (
        f"{found.config.name} on {found.costs.machine} ({found.costs.mode}), {found.middle.mode}, "
        f"{number_of(setting.threads, 'thread')}{beside}; shares in %"
    )
    heads = ("batch", "step (90 % interval)", "samples/s", "largest part and its bound", *roles)
    return Grid(caption, (*heads, "× against") if found.ratios else heads, tuple(rows), "predicted")


def interval(made: Prediction | OperatorTime) -> str:
    """Seconds and the ends of their 90 % interval."""
    return f"{seconds(made.seconds)} ({seconds(made.low)} … {seconds(made.high)})"


def operators_grid(made: Prediction) -> Grid:
    """One row per operator, or per part where there are many."""
    roles = made.by_role()
    listed: list[tuple[str, OperatorTime]] = [("", each) for each in made.operators]
    if len(listed) > FEWEST_OPERATORS:
        listed = list(roles.items())
    rows = tuple(
        (
            role or each.operator.name,
            interval(each),
            f"{100 * each.seconds / made.seconds:.1f}",
            each.bound,
            ", ".join(f"{cause} {100 * s / each.seconds:.0f} %" for cause, s in _largest(each.parts)),
        )
        for role, each in listed
        if each.seconds
    )
    heads = ("part", "time (90 % interval)", "% of the step", "bound", "made of")
    return Grid(f"Batch {made.batch:,} by part", heads, rows, "predicted")


def _largest(parts: Mapping[str, float]) -> list[tuple[str, float]]:
    return [item for item in sorted(parts.items(), key=lambda item: -item[1])[:3] if item[1]]


def decisions_grid(found: Answer) -> Grid:
    """What the machine serves within the limit, and what that costs."""
    rows: list[tuple[str, str]] = [("latency limit", seconds(found.limit))]
    best = found.throughput
    if best is None:
        rows.append(("samples/s within it", "none: no batch keeps it"))
    else:
        rows.append(("samples/s within it", f"{rate(best.samples_per_second)} at batch {best.batch:,}"))
        rows.append(("models side by side", f"{best.models} of {found.costs.cores} cores"))
    if found.economy is not None:
        rows.append(("energy per sample", f"{1e6 * found.economy.joules:.3g} µJ"))
        rows.append(("of which memory", f"{1e6 * found.economy.memory_joules:.3g} µJ"))
        rows.append(("samples/s per watt", f"{found.economy.per_watt:,.0f}"))
        if found.economy.per_usd is not None:
            rows.append(("samples/s per USD", f"{found.economy.per_usd:,.1f}"))
    return Grid("What the machine can serve in inference", ("", "value"), tuple(rows), "predicted")


def tiers_grid(found: Answer) -> Grid:
    """One row per tier of memory."""
    rows = tuple(
        (
            tier.name,
            f"{tier.bytes / 2**30:,.2f}",
            f"{100 * tier.share:.2f}",
            f"{1e-9 * tier.needed:,.2f}",
            f"{100 * tier.load:,.1f}",
            "unknown" if tier.usd is None else f"{tier.usd:,.0f}",
        )
        for tier in found.tiers
    )
    heads = ("tier", "GiB of tables", "% of lookups it serves", "GB/s needed", "% of its bandwidth", "USD")
    return Grid("Memory tiers, hottest rows fastest, at that rate", heads, rows, "predicted")


def plans_grid(found: Answer) -> Grid:
    """One row per rule of sharding."""
    rows = tuple(
        (plan.rule, f"{plan.balance:.3f}", f"{max(plan.held) / 2**30:,.2f}", " ".join(map(str, map(len, plan.devices))))
        for plan in found.plans
    )
    heads = ("whole tables by", "busiest over mean", "GiB on the fullest", "tables per device")
    return Grid(f"Sharding over {number_of(len(found.plans[0].devices), 'device')}", heads, rows, "predicted")


def widths_grid(found: Answer) -> Grid:
    """One row per SIMD width: what bounds each part."""
    roles = list(next(iter(found.widths.values())))
    rows = tuple((f"{bits}", *(bounds[role] for role in roles)) for bits, bounds in found.widths.items())
    return Grid("Bound by SIMD width", ("bits", *roles), rows, "predicted")


def measured_grid(found: Answer, measured: Points) -> Grid:
    """One row per measured step, beside what is predicted where a prediction stands at the same place."""
    curves = curves_of(found)
    rows = []
    for axis, points in measured.items():
        predicted = dict(curves.get(axis, ()))
        for point in points:
            there = predicted.get(point.factor)
            off = "–" if there is None else f"{100 * (there / point.seconds - 1):+.0f} %"
            said = "–" if there is None else seconds(there)
            measured_words = f"{seconds(point.seconds)} ({seconds(point.low)} … {seconds(point.high)})"
            rows.append((f"{axis} × {point.factor:g}", measured_words, said, off))
    heads = ("what", "measured (95 % interval)", "predicted", "off by")
    return Grid(f"Measured on this host, around batch {found.middle.batch:,}", heads, tuple(rows), "measured")


def plain(found: Answer, measured: Points | None = None) -> dict[str, Any]:
    """Everything as plain values, for JSON; times in seconds."""
    return {
        "measured": {axis: [asdict(point) for point in own] for axis, own in (measured or {}).items()},
        "model": found.config.name,
        "machine": found.costs.machine,
        "how": found.costs.mode,
        "notes": list(found.notes),
        "steps": [_plain_step(made) for made in found.predictions],
        "limit": found.limit,
        "throughput": None
        if found.throughput is None
        else {
            "batch": found.throughput.batch,
            "models": found.throughput.models,
            "samples_per_second": found.throughput.samples_per_second,
        },
        "economy": None if found.economy is None else msgspec.to_builtins(found.economy),
        "tiers": msgspec.to_builtins(found.tiers),
        "plans": [msgspec.to_builtins(plan) | {"balance": plan.balance} for plan in found.plans],
        "bounds_by_width": {str(bits): bounds for bits, bounds in found.widths.items()},
        "against": {str(batch): ratio for batch, ratio in found.ratios.items()},
    }


def _plain_step(made: Prediction) -> dict[str, Any]:
    operators = [
        {
            "name": each.operator.name,
            "role": each.operator.role,
            "seconds": each.seconds,
            "low": each.low,
            "high": each.high,
            "bound": each.bound,
            "parts": each.parts,
        }
        for each in made.operators
    ]
    whole = {name: getattr(made, name) for name in ("batch", "mode", "seconds", "low", "high")}
    return whole | {"threads": made.setting.threads, "models": made.setting.models, "operators": operators}


def save(found: Answer, folder: Path) -> None:
    """Write numbers and the TorchRec planner's constraints below `folder`."""
    middle = found.traffic[found.middle.batch]
    constraints = sharding.torchrec_constraints(found.config, middle, found.plans[0])
    for name, value in (("prediction", plain(found)), ("torchrec-constraints", constraints)):
        with replacing(folder / f"{name}.json") as beside:
            beside.write_text(json.dumps(value, indent=1, allow_nan=False), encoding="utf-8")
