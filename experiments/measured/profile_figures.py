"""Figures of a model's profile, a calibrated machine and models side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...analysis import profiling_plots as plots
from ...analysis.flame_graph import flame_graph as draw_flames
from ...profiling.machine import Curve, Machine
from ..grid import number_of
from . import published_split
from .axis_points import AxisPoint
from .colocation import CoLocation
from .operator_grids import role_name
from .profile_grids import contended
from .profile_study import BASE, ModelProfile

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEAST = 0.01  # share of a step below which a part is drawn as "other"
SQUARE = 512  # inputs and outputs of the layers drawn
OTHER = "other"
BACKWARD = " backward"
ORDER = ("data", "check", "bottom", "embedding", "interaction", "top", "release", "loss", "backward", "optimizer")


def figures(profile: ModelProfile) -> dict[str, Figure]:
    """Stacked bars over batch for each kind of step; speedups of every axis; a published split beside ours."""
    made = {mode: _over_batch(profile, mode) for mode in dict.fromkeys(step.mode for step in profile.steps)}
    for axis in dict.fromkeys(point.axis for point in profile.axes):
        bars = [
            (f"{_setting(p)}, {p.step}{contended(p.speedup)}", p.speedup.value, p.speedup.low, p.speedup.high)
            for p in profile.axes
            if p.axis == axis and p.speedup is not None
        ]
        if bars:
            made[f"axis-{axis}"] = plots.speedups(bars, f"{profile.name}: along {axis}", f"the run {BASE}")
    if published_split.compared(profile):
        made["published-split"] = published_split.figure(profile)
    return made


def _setting(point: AxisPoint) -> str:
    """The setting, and which libraries were not seen to take it: a bar must not claim a width not in effect."""
    if point.axis != "isa":
        return point.setting
    without = [v.library for v in point.isa if v.holds is not True]
    return f"{point.setting} (not {', '.join(without)})" if without else point.setting


def flame_graph(profile: ModelProfile) -> str | None:
    """The flame graph as an SVG element; None without stacks."""
    if profile.stacks is None:
        return None
    return draw_flames(profile.stacks.stacks, f"{profile.name}, {profile.stacks.name}")


def _over_batch(profile: ModelProfile, mode: str) -> Figure:
    steps = [step for step in profile.steps if step.mode == mode]
    shares = [{part.role: part.share.value for part in step.operators.roles} for step in steps]
    found = sorted({name for s in shares for name in s} - {OTHER}, key=_place)
    names = [name for name in found if max(s.get(name, 0) for s in shares) >= LEAST]
    parts = [(role_name(name), [s.get(name, 0.0) for s in shares]) for name in names]
    rest = [1 - sum(s.get(name, 0.0) for name in names) for s in shares]
    totals = [(t.value / b, t.low / b, t.high / b) for t, b in ((step.total, step.batch) for step in steps)]
    bars = [f"{step.batch}{contended(step.total)}" for step in steps]
    return plots.steps_over_batch(bars, totals, [*parts, (OTHER, rest)], f"{profile.name}, {mode}")


def _place(role: str) -> tuple[bool, int, str]:
    """Parts in the order in which a step goes through them, those of the backward pass after them."""
    base = role.removesuffix(BACKWARD)
    return base != role, ORDER.index(base) if base in ORDER else len(ORDER), role


def machine_figures(machine: Machine) -> dict[str, Figure]:
    """Latency and reading in order over working set; gathers at the widest SIMD; linear layers by number of threads."""
    curves = machine.calibration.curves if machine.calibration else ()
    loads = [c for c in curves if c.what == "latency"]
    gathers = [c for c in curves if c.what == "gather" and c.threads == 1]
    widest = [c for c in gathers if c.isa == gathers[-1].isa]
    products = [c for c in curves if c.what == "products" and c.detail["inputs"] == c.detail["outputs"] == SQUARE]
    made = {
        "latency": plots.bands(
            [_band("large pages" if c.detail["large_pages"] else "small pages", c, 1e9) for c in loads],
            "working set, bytes",
            "time per dependent load, ns",
            f"{machine.name}: memory latency",
        ),
        "gather": plots.bands(
            [_band(f"rows of {c.detail['row_bytes']} B, {c.isa}", c, 1e-9) for c in widest],
            "table, bytes",
            "embedding rows read, GB/s",
            f"{machine.name}: gathers over the working set, 1 thread",
        ),
    }
    reads = [_band("adding up an array", c, 1e-9) for c in curves if c.what == "read"]
    if reads:
        title = f"{machine.name}: reading in order, one core, large pages"
        made["read"] = plots.bands(reads, "working set, bytes", "GB/s", title)
    for threads in sorted({c.threads for c in products}):
        drawn = [c for c in products if c.threads == threads]
        made[f"products-{threads}"] = plots.bands(
            [_band(f"{c.detail['library']} {c.detail['precision']}, {c.isa}", c, 1e-9) for c in drawn],
            "batch, samples",
            "GFLOP/s",
            f"{machine.name}: linear layers {SQUARE} × {SQUARE}, {number_of(threads, 'thread')}",
        )
    return made


def colocation_figures(found: CoLocation) -> dict[str, Figure]:
    """p50 and p99 over the number of models, pinned and free; the same over the rate of a Poisson process."""
    series: list[plots.Band] = []
    for name, pinned in (("pinned", True), ("free", False)):
        ran = [run for run in found.closed if run.whole.pinned == pinned]
        if not ran:  # stopped before
            continue
        models = [len(run.whole.models) for run in ran]
        for percent in (99, 50):
            made = [run.percentile(percent) for run in ran]
            value, low, high = ([getattr(i, field) for i in made] for field in ("value", "low", "high"))
            series.append((f"{name}, p{percent}", models, value, low, high))
    drawn = {"colocation": plots.colocation(series)}
    curves = []
    for number, bounded in found.bounded:
        tried = sorted(bounded.tried)
        for percent, column in ((99, 2), (50, 1)):
            name = f"{number_of(number, 'model')}, p{percent}"
            curves.append((name, [t[0] for t in tried], [t[column] for t in tried]))
    if curves:
        drawn["poisson"] = plots.latency_over_rate(curves, found.bounded[0][1].limit)
    return drawn


def _band(name: str, curve: Curve, factor: float) -> plots.Band:
    """A curve with value, low and high times `factor`."""
    value, low, high = ([factor * x for x in column] for column in (curve.value, curve.low, curve.high))
    return name, curve.at, value, low, high
