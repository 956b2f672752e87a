"""Figures of predictions: predicted against measured, rooflines, what-if curves, a step's parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

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


def rooflines(roofs: Sequence[Roof], operators: Mapping[str, float]) -> Figure:
    """Attainable GFLOP/s over FLOPs per byte, one line per machine; operators: name → FLOPs per byte, upright lines."""
    with _look("roofline"):
        figure, axes = _axes(6.8, 4.2)
        ends = 0.02, 2000.0
        for k, each in enumerate(roofs):
            x = [ends[0], each.ridge, ends[1]]
            y = [1e-9 * each.attainable(at) for at in x]
            axes.plot(x, y, label=each.machine, color=PALETTE[k % len(PALETTE)], linestyle=DASHES[k % len(DASHES)])
        _log_x(axes)
        _log_y(axes)
        axes.set(title="Rooflines, fp32, every byte from memory")
        axes.set(xlabel="FLOPs per byte", ylabel="attainable GFLOP/s")
        for k, (name, intensity) in enumerate(sorted(operators.items(), key=lambda item: item[1])):
            axes.axvline(intensity, color="#666666", linewidth=0.8, linestyle=":")
            place = (intensity, 0.02 + 0.16 * (k % 4))
            axes.annotate(f" {name}", place, xycoords=("data", "axes fraction"), fontsize=7, rotation=90, va="bottom")
        axes.legend(fontsize=8, loc="upper left")
        return figure


def what_if(factors: Sequence[float], curves: Mapping[str, Sequence[float]], title: str) -> Figure:
    """Seconds of a step over a thing's size times a factor, one line per thing."""
    with _look("what-if"):
        figure, axes = _axes()
        for k, (name, seconds) in enumerate(curves.items()):
            axes.plot(
                factors,
                [1e6 * s for s in seconds],
                label=name,
                marker=MARKERS[k % len(MARKERS)],
                color=PALETTE[k % len(PALETTE)],
                linestyle=DASHES[k % len(DASHES)],
            )
        axes.set_xscale("log", base=2)
        axes.set_xticks(list(factors), [f"{factor:g} ×" for factor in factors])
        axes.set(xlabel="of what the machine has", ylabel="predicted time per step, µs", title=title, ylim=(0, None))
        axes.legend(fontsize=8)
        return figure
