"""Figures of training: learning curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .plots import PALETTE, _look

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Curve = Sequence[tuple[float, float]]  # epochs done, value
STYLES = ("-", "--", "-.", ":")  # so that lines that lie on one another are all seen
MARKED = 30  # points up to which each is marked


def learning_curves(training: Curve, test: Curve, accuracy: Curve, auc: Curve) -> Figure:
    """Loss in training and tests over the epochs and, of tests, accuracy and AUC (fractions of 1)."""
    from matplotlib.figure import Figure

    with _look("learning-curves"):
        panels = 2 if accuracy else 1
        figure = Figure(figsize=(6.4 if panels == 1 else 10.0, 3.8))
        axes = figure.subplots(1, panels, squeeze=False)[0]
        for name, curve, colour in (("training", training, PALETTE[0]), ("test", test, PALETTE[3])):
            _draw(axes[0], name, curve, colour)
        axes[0].set(xlabel="epochs", ylabel="mean loss per sample", title="Loss")
        axes[0].legend(fontsize=8)
        if accuracy:
            for name, curve, colour in (("accuracy", accuracy, PALETTE[2]), ("AUC", auc, PALETTE[4])):
                _draw(axes[1], name, [(x, 100 * y) for x, y in curve], colour)
            axes[1].set(xlabel="epochs", ylabel="of the test samples or pairs, %", title="Test accuracy and AUC")
            axes[1].legend(fontsize=8)
        return figure


Band = Sequence[tuple[float, float, float, float]]  # samples seen, mean, least, most


def compression_curves(
    metrics: Mapping[str, str], columns: Sequence[str], names: Sequence[str], bands: Mapping[tuple[str, str, str], Band]
) -> Figure:
    """A panel per metric (key and words) and column; in it a line per name, and the range over seeds around it."""
    from matplotlib.figure import Figure

    with _look("compression"):
        figure = Figure(figsize=(2.7 * len(columns), 2.2 * len(metrics)), layout="constrained")
        panels = figure.subplots(len(metrics), len(columns), squeeze=False, sharex=True, sharey="row")
        for row, (metric, words) in zip(panels, metrics.items(), strict=True):
            row[0].set_ylabel(words)
            for axes, column in zip(row, columns, strict=True):
                for number, name in enumerate(names):
                    x, middle, least, most = zip(*bands[metric, column, name], strict=True)
                    thousands = [value / 1000 for value in x]
                    style = STYLES[number % len(STYLES)]
                    axes.plot(thousands, middle, style, label=name, color=PALETTE[number], linewidth=1.4)
                    axes.fill_between(thousands, least, most, color=PALETTE[number], alpha=0.12, linewidth=0)
        for axes, column in zip(panels[0], columns, strict=True):
            axes.set_title(column)
        for axes in panels[-1]:
            axes.set_xlabel("thousand samples seen")
        panels[0][0].legend(fontsize=8)
        return figure


def precision_bars(
    names: Sequence[str],
    accuracy: Sequence[tuple[float, float]],
    size: Sequence[float],
    speed: Sequence[tuple[float, float, float]],
) -> Figure:
    """What fewer bits cost and bring, a row per precision, the first the full one.

    accuracy: of the test samples in % and half its 95 % interval. size: parameters' bytes in % of the first's. speed:
    times the first's in inference, with its lower and upper quartile.
    """
    from matplotlib.figure import Figure

    with _look("precisions"):
        figure = Figure(figsize=(10.0, 0.42 * len(names) + 1.4), layout="constrained")
        panels = figure.subplots(1, 3, sharey=True)
        rows = range(len(names))
        middle, half = zip(*accuracy, strict=True)
        panels[0].errorbar(middle, rows, xerr=half, fmt="o", color=PALETTE[0], capsize=3, markersize=5)
        panels[0].axvline(middle[0], color="0.6", linewidth=0.8, zorder=0)
        panels[0].margins(x=0.15)
        panels[1].barh(rows, size, color=PALETTE[2], height=0.6)
        times, low, high = zip(*speed, strict=True)
        below, above = (
            [max(0.0, (t - one) * sign) for t, one in zip(times, ends, strict=True)]
            for ends, sign in ((low, 1), (high, -1))
        )
        panels[2].barh(rows, times, xerr=(below, above), color=PALETTE[3], height=0.6, capsize=3)
        panels[2].axvline(1, color="0.6", linewidth=0.8)
        labels = ([f"{y:.2f} %" for y in middle], [f"{y:.1f} %" for y in size], [f"{y:.2f} ×" for y in times])
        for axes, values, ends, texts in zip(panels, (middle, size, times), (middle, size, high), labels, strict=True):
            for row, end, text in zip(rows, ends, texts, strict=True):
                place, shift = ((end, row), (4, 0)) if axes is not panels[0] else ((end, row), (0, 7))
                aligned = {"ha": "left", "va": "center"} if axes is not panels[0] else {"ha": "center", "va": "bottom"}
                axes.annotate(text, place, shift, textcoords="offset points", fontsize=8, **aligned)
            if axes is not panels[0]:
                axes.set_xlim(0, 1.25 * max(max(values), max(ends)))
        panels[0].set(yticks=list(rows), yticklabels=names, title="Accuracy", xlabel="of the test samples, % (95 %)")
        panels[0].set_ylim(len(names) - 0.4, -0.7)
        panels[1].set(title="Size", xlabel="parameters' bytes, % of 32 bits")
        panels[2].set(title="Speed", xlabel="times as fast as 32 bits (quartiles)")
        return figure


def _draw(axes: object, name: str, curve: Curve, colour: str) -> None:
    if curve:
        x, y = zip(*curve, strict=True)
        marker = "o" if len(curve) <= MARKED else ""
        axes.plot(x, y, label=name, color=colour, marker=marker, markersize=3, linewidth=1.5)  # type: ignore[attr-defined]
