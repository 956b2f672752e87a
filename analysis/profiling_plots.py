"""Figures of what a run costs: steps over batch, speedups, co-location, gathers, latency, rooflines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .plots import DASHES, MARKERS, PALETTE, _axes, _log_x, _look, _short, stacked_bars

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

Roof = tuple[str, float]  # name, FLOP/s or bytes/s
Dot = tuple[str, str, float, float, float, float]  # part, batch, FLOP per byte, FLOP/s, low, high
Band = tuple[str, Sequence[float], Sequence[float], Sequence[float], Sequence[float]]  # name, x, y, low, high
Bar = tuple[str, float, float, float]  # name, value, low, high


def steps_over_batch(
    bars: Sequence[str],
    totals: Sequence[tuple[float, float, float]],
    parts: Sequence[tuple[str, Sequence[float]]],
    title: str,
) -> Figure:
    """Stacked bars of every part's share of a step, one per batch, and beside them the time per sample.

    totals: seconds per sample, (value, low, high) [bars]; parts: name, fractions of 1 [bars]. "X" and "X backward"
    share a colour, the backward one is hatched.
    """
    from matplotlib.figure import Figure

    with _look("steps-over-batch"):
        figure = Figure(figsize=(8, 1.7 + 0.55 * len(bars) + 0.22 * -(-len(parts) // 3)))
        shares_axes, time_axes = figure.subplots(1, 2, sharey=True, width_ratios=(3, 1))
        stacked_bars(shares_axes, bars, parts)
        values = [1e6 * value for value, _, _ in totals]
        errors = [[1e6 * (v - low) for v, low, _ in totals], [1e6 * (high - v) for v, _, high in totals]]
        time_axes.errorbar(values, bars, xerr=errors, fmt="o", color="black", markersize=4, capsize=3)
        time_axes.set(xscale="log", xlabel="µs per sample\n(interval over\nprocesses)")
        _decades(time_axes, [x for t in totals for x in t])
        shares_axes.invert_yaxis()
        shares_axes.set(xlabel="share of the step's time, %", ylabel="batch", xlim=(0, 100), title=title)
        shares_axes.grid(axis="y", visible=False)
        figure.legend(*shares_axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
        return figure


def _decades(axes: Axes, seconds: Sequence[float]) -> None:
    """Ticks at 1, 2, 5 within the range of `seconds`, shown in microseconds, so that even a short range has two."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    low, high = 1e6 * min(seconds) / 1.3, 1e6 * max(seconds) * 1.3
    steps = (1, 10) if high / low > 300 else (1, 3, 10) if high / low > 30 else (1, 2, 5)
    ticks = [
        m * 10.0**e
        for e in range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 1)
        for m in steps
        if m < 10
    ]
    axes.xaxis.set_major_locator(FixedLocator([t for t in ticks if low <= t <= high]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlim(low, high)


def speedups(
    bars: Sequence[Bar], title: str, baseline: str, interval: str = "interval over processes", what: str = "speedup"
) -> Figure:
    """Horizontal bars of speedup over `baseline`; no intervals where `interval` is empty; 1 is no change."""
    with _look("speedups"):
        figure, axes = _axes(height=1.6 + 0.34 * len(bars))
        names = [name for name, *_ in bars]
        values = [value for _, value, _, _ in bars]
        errors = [[v - low for _, v, low, _ in bars], [high - v for _, v, _, high in bars]]
        axes.barh(names, values, xerr=errors if interval else None, color=PALETTE[0], ecolor="black", capsize=3)
        axes.axvline(1, color="#666666", linewidth=1)
        axes.invert_yaxis()
        axes.set(xlabel=f"{what} over {baseline}, ratio" + (f"\n({interval})" if interval else ""), title=title)
        axes.grid(axis="y", visible=False)
        return figure


def bands(series: Sequence[Band], over: str, of: str, title: str, interval: str = "interval over processes") -> Figure:
    """Curves with their intervals shaded, both axes logarithmic: latency over working set, FLOP/s over batch.

    An axis `over` whose words end in "bytes" has ticks at powers of two.
    """
    with _look(title):
        figure, axes = _axes(height=3.6 + 0.22 * -(-len(series) // 3))
        for k, (name, x, y, low, high) in enumerate(series):
            colour = PALETTE[k % len(PALETTE)]
            axes.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
            axes.plot(x, y, color=colour, linestyle=DASHES[k % len(DASHES)], marker=".", label=name)
        _log_x(axes)
        if over.endswith("bytes"):
            _powers_of_two(axes, [x for _, xs, *_ in series for x in xs])
        _log_y(axes)
        axes.set(xlabel=over, ylabel=f"{of}\n({interval})", title=title)
        figure.legend(loc="outside lower center", ncols=3, fontsize=8)
        return figure


def _log_y(axes: Axes) -> None:
    """A logarithmic axis that writes its numbers out, at 1, 2 and 5 of every decade."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(_short))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _powers_of_two(axes: Axes, sizes: Sequence[float]) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    low, high = math.floor(math.log2(min(sizes))), math.ceil(math.log2(max(sizes)))
    every = max(1, -(-(high - low) // 7))
    axes.xaxis.set_major_locator(FixedLocator([2.0**k for k in range(low, high + 1, every)]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda size, _: _binary(size)))


def _binary(size: float) -> str:
    """1048576 as 1 MiB."""
    for power, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if size >= 2**power:
            return f"{size / 2**power:g} {unit}"
    return f"{size:g} B"


def roofline(dots: Sequence[Dot], roofs: Sequence[Roof], slopes: Sequence[Roof], title: str) -> Figure:
    """Parts of a step under the ceilings of a machine (Williams, Waterman, Patterson 2009, "Roofline").

    dots: a colour for each part, a marker for each batch, bars for the interval. roofs: FLOP/s of the processor.
    slopes: bytes/s of each kind of memory; both in the order in which they shall be named.
    """
    from matplotlib.lines import Line2D

    with _look("roofline"):
        figure, axes = _axes(width=7.2, height=5.4)
        parts, batches = (list(dict.fromkeys(dot[k] for dot in dots)) for k in (0, 1))
        top = max(speed for _, speed in roofs)
        left = min(x for _, _, x, *_ in dots) / 2
        right = 2 * max([x for _, _, x, *_ in dots] + [top / speed for _, speed in slopes])
        handles = [_ceiling(axes, left, right, top, k, *slope) for k, slope in enumerate(slopes)]
        for k, (name, speed) in enumerate(roofs):
            style: dict[str, Any] = {"color": "black", "linestyle": DASHES[k % len(DASHES)], "linewidth": 1.2}
            handles += axes.plot(
                [speed / slopes[0][1], right], [1e-9 * speed] * 2, label=f"{name}: {1e-9 * speed:.3g} GFLOP/s", **style
            )
        for part, batch, x, y, low, high in dots:
            bars = [[1e-9 * (y - low)], [1e-9 * (high - y)]]
            colour, marker = PALETTE[parts.index(part) % len(PALETTE)], MARKERS[batches.index(batch) % len(MARKERS)]
            axes.errorbar([x], [1e-9 * y], yerr=bars, fmt=marker, color=colour, markersize=6, capsize=2, linewidth=1)
        handles += [Line2D([], [], color=PALETTE[k % len(PALETTE)], linewidth=5, label=n) for k, n in enumerate(parts)]
        handles += [
            Line2D([], [], color="black", marker=MARKERS[k % len(MARKERS)], linestyle="", label=f"batch {n}")
            for k, n in enumerate(batches)
        ]
        _log_x(axes)
        _log_y(axes)
        axes.set(
            xlabel="arithmetic intensity, FLOP per byte that operators touch",
            ylabel="GFLOP/s (interval over processes)",
            title=title,
            xlim=(left, right),
            ylim=(1e-9 * min(low for *_, low, _ in dots) / 2, 1.5e-9 * max(top, *(high for *_, high in dots))),
        )
        figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=8)
        return figure


def _ceiling(axes: Axes, left: float, right: float, top: float, k: int, name: str, speed: float) -> Line2D:
    """A memory's ceiling: FLOP/s = bytes/s × FLOP per byte, up to the highest roof."""
    end = min(right, top / speed)
    style: dict[str, Any] = {"color": "#666666", "linestyle": DASHES[k % len(DASHES)], "linewidth": 1.2}
    (line,) = axes.plot(
        [left, end], [1e-9 * speed * left, 1e-9 * speed * end], label=f"{name}: {1e-9 * speed:.3g} GB/s", **style
    )
    return line


def colocation(series: Sequence[Band], limit: float | None = None) -> Figure:
    """Milliseconds over the number of models, with the range of the repeats as bars; values in seconds.

    limit: seconds that the 99th percentile may take, as a line.
    """
    with _look("colocation"):
        figure, axes = _axes()
        for k, (name, models, value, low, high) in enumerate(series):
            y = [1e3 * v for v in value]
            bars = [[1e3 * (v - a) for v, a in zip(value, low, strict=True)]]
            bars.append([1e3 * (b - v) for v, b in zip(value, high, strict=True)])
            shifted = [m + 0.03 * (k - (len(series) - 1) / 2) for m in models]  # bars beside one another
            axes.errorbar(shifted, y, yerr=bars, capsize=3, linewidth=1.2, label=name, **_pair(k))
        if limit is not None:
            axes.axhline(1e3 * limit, color="#666666", linestyle=":", label="limit")
        axes.set(xlabel="models on the machine", ylabel="latency, ms (range of repeats)", title="Co-location")
        axes.set(ylim=(0, None), xticks=sorted({m for _, models, *_ in series for m in models}))
        figure.legend(loc="outside lower center", ncols=3, fontsize=8)
        return figure


def _pair(k: int) -> dict[str, Any]:
    """The look of a series of which two follow each other, as a p99 and its p50."""
    return {"color": PALETTE[k // 2 % len(PALETTE)], "linestyle": DASHES[k % 2], "marker": MARKERS[k % 4]}


def latency_over_rate(series: Sequence[tuple[str, Sequence[float], Sequence[float]]], limit: float) -> Figure:
    """Milliseconds over the rate of a Poisson process, requests per second; values and limit in seconds."""
    with _look("latency-over-rate"):
        figure, axes = _axes()
        for k, (name, rates, seconds) in enumerate(series):
            axes.plot(rates, [1e3 * s for s in seconds], label=name, **_pair(k))
        axes.axhline(1e3 * limit, color="black", linestyle=":", label="limit of p99")
        _log_y(axes)
        axes.set(
            xlabel="offered requests per second, all models together",
            ylabel="latency from arrival, ms",
            title="Latency under a Poisson load",
            xlim=(0, None),
        )
        figure.legend(loc="outside lower center", ncols=3, fontsize=8)
        return figure
