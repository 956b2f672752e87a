"""Figures: numbers in, matplotlib figures out; one look for all of them.

The first seven colours are those of Okabe and Ito ("Color Universal Design", 2008), four more are of Tol's muted scheme
("Colour schemes", SRON/EPS/TN/09-002), told apart by people who see red and green alike; dashes and markers differ too.
Every axis names its unit.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PALETTE = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#F0E442",
    "#666666",
    "#332288",
    "#882255",
    "#999933",
    "#44AA99",
)
INK = "#111111"  # on a light ground of its own, also on a dark page
DASHES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
FEW_POINTS = 12  # points of a line are marked up to here
BACKWARD = " backward"
MAX_SERIES = 16  # more lines than this cannot be told apart
LINE = 0.17  # inches of a legend's line
ROOM = 90  # letters that a figure is wide, in a legend
LONGEST = 40  # letters of a series' name that are shown
INSIDE = 5  # series that a legend inside the axes has room for

Series = tuple[str, Sequence[float], Sequence[float]]  # name, x, y


@contextmanager
def _look(salt: str) -> Iterator[None]:
    import matplotlib as mpl

    style: Any = {
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.3,
        "legend.frameon": False,
        "svg.fonttype": "none",
        "text.parse_math": False,  # a table may be called $x$
        "svg.hashsalt": salt,
        "figure.constrained_layout.use": True,
    }
    with mpl.rc_context(style):
        yield


def _axes(width: float = 6.4, height: float = 3.8) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    return figure, figure.subplots()


def _log_x(axes: Axes) -> None:
    """A logarithmic axis; one too short for its powers of ten alone has numbers between them."""
    from matplotlib.ticker import FuncFormatter

    def between(value: float, position: int) -> str:
        low, high = axes.get_xlim()
        leading = int(f"{value:e}"[0])
        return _short(value) if leading in _labelled(math.log10(high / low)) else ""

    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(_short))
    axes.xaxis.set_minor_formatter(FuncFormatter(between))


def _labelled(decades: float) -> tuple[int, ...]:
    """Leading digits that have a number beside 1, on an axis of so many decades."""
    return (2, 3, 5) if decades < 2 else (3,) if decades < 3 else ()


def _short(value: float, position: int = 0) -> str:
    """1000 as 1 k, 2e6 as 2 M."""
    for factor, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= factor:
            return f"{value / factor:g}{unit}"
    return f"{value:g}"


def _lines(figure: Figure, axes: Axes, series: Sequence[Series], what: str = "tables", reference: bool = False) -> None:
    """Draw the first MAX_SERIES with a legend; `what` they are, to say so where some are left out.

    reference: the first is a wide line, to be seen beneath those that cover it.
    """
    for k, (name, x, y) in enumerate(series[:MAX_SERIES]):
        colour, dash = PALETTE[k % len(PALETTE)], DASHES[k % len(DASHES)]
        marker = MARKERS[k % len(MARKERS)] if len(x) <= FEW_POINTS else ""
        axes.plot(x, y, label=shown(name), color=colour, linestyle=dash, linewidth=1.8, marker=marker, markersize=4)
    if reference:
        axes.lines[0].set(linewidth=4.5, alpha=0.45, marker="")
    _legend(figure, axes, len(series), what)


def shown(name: str) -> str:
    """A name as far as a figure has room for it."""
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def _legend(figure: Figure, axes: Axes, count: int, what: str, title: str | None = None) -> None:
    """Inside the axes where there is room, below them for many; says how many were left out."""
    if count > MAX_SERIES:
        title = f"{title + '; ' if title else ''}the first {MAX_SERIES} of {count} {what}"
    if count > INSIDE or title:
        longest = max((len(str(line.get_label())) for line in axes.lines), default=1)
        columns = max(1, min(5, ROOM // (longest + 8)))
        lines = -(-min(count, MAX_SERIES) // columns) + bool(title)
        figure.set_figheight(figure.get_figheight() + LINE * lines)
        figure.legend(loc="outside lower center", ncols=columns, fontsize=8, title=title, title_fontsize=8)
    elif count > 1:
        axes.legend(fontsize=8)


def popularity(series: Sequence[Series]) -> Figure:
    """Share of lookups that the hottest share of touched rows takes; x and y are fractions of 1."""
    with _look("popularity"):
        figure, axes = _axes()
        _lines(figure, axes, [(name, [100 * v for v in x], [100 * v for v in y]) for name, x, y in series])
        _log_x(axes)
        axes.set(
            ylim=(0, 102),
            xlabel="hottest rows, % of the rows looked up",
            ylabel="share of lookups, %",
            title="Popularity",
        )
        return figure


def miss_ratio(
    series: Sequence[Series],
    knee: tuple[float, float | None, float | None] | None = None,
    marks: Sequence[tuple[str, float]] = (),
    title: str = "LRU miss ratio",
    what: str = "tables",
    bands: Sequence[tuple[Sequence[float], Sequence[float]]] = (),
    unit: str = "rows",
    reference: bool = False,
) -> Figure:
    """Miss-ratio curves; x is the capacity in rows, or another `unit`, y the miss ratio.

    knee: capacity with the ends of its interval, or None for both. marks: names and capacities in rows to draw as
    upright lines. what: the lines are of. bands: lowest and highest miss ratios over the x of each of the first series.
    reference: the first is what the others are compared with.
    """
    with _look("miss-ratio"):
        figure, axes = _axes()
        _lines(figure, axes, [(name, x, [100 * v for v in y]) for name, x, y in series], what, reference)
        _log_x(axes)
        for line, (_, x, _), (least, most) in zip(axes.lines, series, bands, strict=False):
            edges = [100 * v for v in least], [100 * v for v in most]
            axes.fill_between(x, *edges, color=line.get_color(), alpha=0.2, linewidth=0)
        if knee is not None:
            at, low, high = knee
            if low is not None and high is not None:
                axes.axvspan(low, high, color="#666666", alpha=0.2, linewidth=0)
            axes.axvline(at, color="#666666", linewidth=1)
            axes.annotate("knee", (at, 1), xycoords=("data", "axes fraction"), ha="right", va="top", fontsize=8)
        shown = sorted((mark for mark in marks if mark[1] >= 1), key=lambda mark: mark[1])
        for k, (name, capacity) in enumerate(shown):
            axes.axvline(capacity, color="#666666", linewidth=1, linestyle=":")
            side = "left" if k + 1 == len(shown) else "right"  # so that the two largest stand apart
            axes.annotate(
                f" {name} ", (capacity, 0.02), xycoords=("data", "axes fraction"), fontsize=7, rotation=90, ha=side
            )
        axes.set(ylim=(0, 102), xlabel=f"capacity, {unit}", ylabel="lookups that miss, %", title=title)
        return figure


def reuse_time(series: Sequence[Series]) -> Figure:
    """Share of lookups whose row was asked for again within x lookups of its table; y is a fraction of 1."""
    with _look("reuse-time"):
        figure, axes = _axes()
        _lines(figure, axes, [(name, x, [100 * v for v in y]) for name, x, y in series])
        _log_x(axes)
        axes.set(
            ylim=(0, 102),
            xlabel="lookups since the row was last asked for",
            ylabel="lookups within, %",
            title="Reuse time",
        )
        return figure


def drift(series: Sequence[tuple[str, Sequence[float], Sequence[float]]]) -> Figure:
    """Share of lookups that a table's own hot set (solid) and its first one (dashed) takes, window by window."""
    with _look("drift"):
        figure, axes = _axes()
        for k, (name, own, first) in enumerate(series[:MAX_SERIES]):
            windows, colour = range(1, len(own) + 1), PALETTE[k % len(PALETTE)]
            marker = MARKERS[k // len(PALETTE)] if k >= len(PALETTE) else ""
            axes.plot(windows, [100 * v for v in own], color=colour, label=shown(name), marker=marker)
            axes.plot(windows, [100 * v for v in first], color=colour, linestyle="--", marker=marker)
        _legend(figure, axes, len(series), "tables", "solid: own hot set; dashed: the first")
        axes.set(
            ylim=(0, None),
            xlabel="window (equal parts of the table's lookups)",
            ylabel="lookups in the hot set, %",
            title="Drift of the hot set",
        )
        return figure


def heat_map(rows: Sequence[str], columns: Sequence[str], values: Sequence[Sequence[float]], title: str) -> Figure:
    """Fractions of 1 as a map of tables by capacities; dark is much, every cell says its number."""
    with _look("heat-map"):
        figure, axes = _axes(height=1.6 + 0.28 * len(rows))
        percent = [[100 * v for v in row] for row in values]
        image = axes.imshow(percent, aspect="auto", cmap="cividis_r", vmin=0, vmax=100)
        axes.set_xticks(range(len(columns)), columns)
        axes.set_yticks(range(len(rows)), rows)
        axes.grid(visible=False)
        for y, row in enumerate(percent):
            for x, value in enumerate(row):
                axes.text(
                    x, y, f"{value:.0f}", ha="center", va="center", fontsize=8, color="white" if value > 55 else INK
                )
        figure.colorbar(image, label="hits, %")
        axes.set(xlabel="capacity, rows", title=title)
        return figure


def stacked_shares(
    bars: Sequence[str],
    parts: Sequence[tuple[str, Sequence[float]]],
    title: str,
    label: str = "share of the step's time, %",
) -> Figure:
    """Horizontal bars split into parts; every part has one fraction of 1 per bar.

    "X" and "X backward" share a colour, the backward one is hatched.
    """
    with _look("shares"):
        figure, axes = _axes(height=1.4 + 0.5 * len(bars) + 0.22 * -(-len(parts) // 3))
        stacked_bars(axes, bars, parts)
        axes.invert_yaxis()
        axes.set(xlabel=label, xlim=(0, 100), title=title)
        axes.grid(axis="y", visible=False)
        figure.legend(loc="outside lower center", ncols=3, fontsize=8)
        return figure


def stacked_bars(axes: Axes, bars: Sequence[str], parts: Sequence[tuple[str, Sequence[float]]]) -> None:
    """Draw horizontal bars of parts, fractions of 1, in per cent; a number in every part that has room for it."""
    left = [0.0] * len(bars)
    bases = list(dict.fromkeys(name.removesuffix(BACKWARD) for name, _ in parts))
    for name, shares in parts:
        colour = PALETTE[bases.index(name.removesuffix(BACKWARD)) % len(PALETTE)]
        widths = [100 * share for share in shares]
        hatch = "///" if name.endswith(BACKWARD) else ""
        drawn = axes.barh(bars, widths, left=left, label=name, color=colour, hatch=hatch, edgecolor="white")
        numbers = axes.bar_label(drawn, [f"{w:.0f}" if w >= 4 else "" for w in widths], label_type="center")
        for number in numbers:
            number.set(color=INK, fontsize=8, bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1})
        left = [a + b for a, b in zip(left, widths, strict=True)]


def bars(names: Sequence[str], values: Sequence[float], label: str, title: str) -> Figure:
    """One horizontal bar per name, from 0, with its value beside it."""
    with _look(title):
        figure, axes = _axes(height=1.4 + 0.28 * len(names))
        drawn = axes.barh(names, values, color=PALETTE[0])
        axes.bar_label(drawn, [_short(float(f"{value:.3g}")) for value in values], padding=3, fontsize=8)
        axes.invert_yaxis()
        axes.set(xlabel=label, title=title, xlim=(0, 1.12 * max(values, default=1.0)))
        axes.xaxis.set_major_formatter(lambda value, _: _short(value))
        axes.grid(axis="y", visible=False)
        return figure


def over_axis(series: Sequence[Series], x_label: str, y_label: str, title: str) -> Figure:
    """Lines over a logarithmic axis, both axes as labelled; y from 0."""
    with _look(title):
        figure, axes = _axes()
        _lines(figure, axes, series)
        _log_x(axes)
        axes.set(ylim=(0, None), xlabel=x_label, ylabel=y_label, title=title)
        return figure


def to_svg(figure: Figure, label: str) -> str:
    """The figure as an SVG element to put into a page, in the page's colour of text; `label` is for screen readers."""
    buffer = io.StringIO()
    with _look(label):
        figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace("#000000", "currentColor")
    described = re.sub(r'\b(width|height)="[^"]*pt"', "", text[: text.index(">")])
    safe = label.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return f'{described} fill="currentColor" role="img" aria-label="{safe}"{text[text.index(">") :]}'


def save(figure: Figure, path: Any) -> None:
    """Write the figure as the suffix of `path` says: .svg, the same bytes for the same figure, or .png at 150 dpi."""
    with _look("hotrow"):
        figure.savefig(path, dpi=150, metadata={"Date": None} if str(path).endswith(".svg") else None)
