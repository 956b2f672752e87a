"""Figures of predictions: predicted against measured, rooflines, what-if curves, a step's parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .plots import DASHES, MARKERS, PALETTE, _axes, _log_x, _look
from .profiling_plots import _log_y
from .roofline import Roof

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BAND = 1.1
Points = tuple[str, Sequence[float], Sequence[float]]  # name, measured, predicted seconds


def predicted_against_measured(groups: Sequence[Points], title: str) -> Figure:
    """Every configuration as a point, seconds on both axes; the band is 10 % either way."""
    with _look("predicted-measured"):
        figure, axes = _axes(5.4, 5.0)
        every = [1e6 * x for _, measured, predicted in groups for x in (*measured, *predicted)]
        ends = min(every) / 1.5, max(every) * 1.5
        axes.fill_between(ends, [x / BAND for x in ends], [x * BAND for x in ends], color="#666666", alpha=0.2, lw=0)
        axes.plot(ends, ends, color="#666666", linewidth=1)
        for k, (name, measured, predicted) in enumerate(groups):
            axes.plot(
                [1e6 * x for x in measured],
                [1e6 * x for x in predicted],
                linestyle="",
                marker=MARKERS[k % len(MARKERS)],
                markersize=4,
                alpha=0.7,
                color=PALETTE[k % len(PALETTE)],
                label=name,
            )
        _log_x(axes)
        _log_y(axes)
        axes.set(xlim=ends, ylim=ends, title=title)
        axes.set(xlabel="measured, µs per call", ylabel="predicted, µs per call (band: ± 10 %)")
        axes.legend(fontsize=8)
        return figure


def rooflines(machines: Sequence[tuple[Roof, Mapping[str, tuple[float, float]]]], title: str) -> Figure:
    """Attainable GFLOP/s over FLOPs per byte, a line per machine, and on each what operators reach.

    machines: a roof, and by operator FLOPs per byte and predicted FLOP/s. Above its slope: rows came from caches.
    """
    with _look("roofline"):
        figure, axes = _axes(6.8, 4.4)
        ends = 0.02, 2000.0
        operators = list(dict.fromkeys(name for _, reached in machines for name in reached))
        for k, (each, reached) in enumerate(machines):
            colour = PALETTE[k % len(PALETTE)]
            x = [ends[0], each.ridge, ends[1]]
            y = [1e-9 * each.attainable(at) for at in x]
            axes.plot(x, y, label=each.machine, color=colour, linestyle=DASHES[k % len(DASHES)])
            for name, (intensity, flops) in reached.items():
                marker = MARKERS[operators.index(name) % len(MARKERS)]
                axes.plot(intensity, 1e-9 * flops, marker=marker, color=colour, markersize=6, linestyle="")
        for k, name in enumerate(operators):
            axes.plot([], [], marker=MARKERS[k % len(MARKERS)], color="#666666", linestyle="", label=name)
        _log_x(axes)
        _log_y(axes)
        axes.set(title=f"Rooflines of whole machines, fp32, and what is predicted to be reached\n{title}")
        axes.set(xlabel="FLOPs per byte, every byte moved once", ylabel="GFLOP/s")
        axes.legend(fontsize=7, loc="upper left", ncols=2)
        return figure


def what_if(
    curves: Mapping[str, Sequence[tuple[float, float]]],
    points: Mapping[str, Sequence[tuple[float, float, float, float]]],
    title: str,
) -> Figure:
    """Seconds of a step over a thing's size times a factor, one line per thing.

    curves: factors and predicted seconds. points: factors and measured seconds with the ends of their interval, drawn
    in the colour of the curve of the same name.
    """
    with _look("what-if"):
        figure, axes = _axes(6.8, 4.4)
        for k, (name, curve) in enumerate(curves.items()):
            look: dict[str, Any] = {"color": PALETTE[k % len(PALETTE)], "marker": MARKERS[k % len(MARKERS)]}
            x, y = zip(*curve, strict=True)
            axes.plot(x, [1e6 * s for s in y], label=name, markersize=3, linestyle=DASHES[k % len(DASHES)], **look)
            for factor, value, low, high in points.get(name, ()):
                reach = [[1e6 * (value - low)], [1e6 * (high - value)]]
                axes.errorbar(factor, 1e6 * value, yerr=reach, markersize=8, fillstyle="none", capsize=3, **look)
        if any(points.values()):
            axes.plot([], [], linestyle="", marker="o", fillstyle="none", color="#666666", label="measured")
        factors = sorted({factor for curve in curves.values() for factor, _ in curve})
        axes.set_xscale("log", base=2)
        axes.set_xticks(factors, [f"{factor:g} ×" for factor in factors], fontsize=8)
        _log_y(axes)
        axes.set(xlabel="of what the machine, the model or its batch has", ylabel="time per step, µs", title=title)
        axes.legend(fontsize=8)
        return figure
