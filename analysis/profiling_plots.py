"""Figures of what a run costs: steps over batch, speedups, co-location, gathers, latency, flame graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from .plots import DASHES, MARKERS, PALETTE, _axes, _log_x, _look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

Roof = tuple[str, float]  # name, FLOP/s or bytes/s
Dot = tuple[str, str, float, float, float, float]  # part, batch, FLOP per byte, FLOP/s, low, high
Band = tuple[str, Sequence[float], Sequence[float], Sequence[float], Sequence[float]]  # name, x, y, low, high
Bar = tuple[str, float, float, float]  # name, value, low, high
Stacks = Mapping[tuple[str, ...], int]

FLAME_WIDTH, FLAME_ROW, FLAME_LETTER = 1000, 16, 6.2
FLAME_LEAST = 0.002  # of all samples: narrower frames cannot be seen
FLAME_COLOURS = {"native": "#E9B44C", "python": "#7FB3D5"}


def steps_over_batch(
    bars: Sequence[str], totals: Sequence[tuple[float, float, float]], parts: Sequence[tuple[str, Sequence[float]]]
) -> Figure:
    """Stacked bars of seconds per sample, one per batch; totals: (value, low, high) [bars]; parts: name, shares [bars].

    All in microseconds per sample on a logarithm-free axis, so that heights add up.
    """
    with _look("steps-over-batch"):
        figure, axes = _axes(height=4.2)
        bottom = [0.0] * len(bars)
        for k, (name, shares) in enumerate(parts):
            heights = [1e6 * total * share for (total, _, _), share in zip(totals, shares, strict=True)]
            hatch = "///" if name.endswith("backward") else ""
            axes.bar(bars, heights, bottom=bottom, label=name, color=PALETTE[k % len(PALETTE)], hatch=hatch)
            bottom = [a + b for a, b in zip(bottom, heights, strict=True)]
        errors = [[1e6 * (v - low) for v, low, _ in totals], [1e6 * (high - v) for v, _, high in totals]]
        axes.errorbar(bars, bottom, yerr=errors, fmt="none", color="black", capsize=3, linewidth=1)
        axes.set(xlabel="batch, samples", ylabel="time per sample, µs", title="Where the time goes, by batch")
        axes.grid(axis="x", visible=False)
        figure.legend(loc="outside lower center", ncols=3, fontsize=8)
        return figure


def speedups(bars: Sequence[Bar], title: str, baseline: str) -> Figure:
    """Horizontal bars of speedup over `baseline` with 95 % intervals; the line at 1 is no change."""
    with _look("speedups"):
        figure, axes = _axes(height=1.4 + 0.34 * len(bars))
        names = [name for name, *_ in bars]
        values = [value for _, value, _, _ in bars]
        errors = [[v - low for _, v, low, _ in bars], [high - v for _, v, _, high in bars]]
        axes.barh(names, values, xerr=errors, color=PALETTE[0], ecolor="black", capsize=3)
        axes.axvline(1, color="#666666", linewidth=1)
        axes.invert_yaxis()
        axes.set(xlabel=f"speedup over {baseline}, ratio (95 % interval)", title=title)
        axes.grid(axis="y", visible=False)
        return figure


def bands(series: Sequence[Band], over: str, of: str, title: str, log_y: bool = True) -> Figure:
    """Curves with their intervals shaded: latency over working set, gathers over tables, FLOP/s over batch."""
    with _look(title):
        figure, axes = _axes()
        for k, (name, x, y, low, high) in enumerate(series):
            colour = PALETTE[k % len(PALETTE)]
            axes.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
            axes.plot(x, y, color=colour, linestyle=DASHES[k % len(DASHES)], marker=".", label=name)
        _log_x(axes)
        if log_y:
            axes.set_yscale("log")
        axes.set(xlabel=over, ylabel=of, title=title)
        if len(series) > 1:
            axes.legend(fontsize=8)
        return figure


def roofline(dots: Sequence[Dot], roofs: Sequence[Roof], slopes: Sequence[Roof], title: str) -> Figure:
    """Parts of a step under the ceilings of a machine (Williams, Waterman, Patterson 2009, "Roofline").

    dots: a colour for each part, a marker for each batch, bars for the interval. roofs: FLOP/s of the processor.
    slopes: bytes/s of each kind of memory; both in the order in which they shall be named.
    """
    from matplotlib.lines import Line2D

    with _look("roofline"):
        figure, axes = _axes(width=7.2, height=5.4)
        parts, batches = (list(dict.fromkeys(dot[k] for dot in dots)) for k in (0, 1))
        top = max([speed for _, speed in roofs] + [high for *_, high in dots])
        left = min(x for _, _, x, *_ in dots) / 2
        right = 2 * max([x for _, _, x, *_ in dots] + [top / speed for _, speed in slopes])
        handles = [_ceiling(axes, left, right, top, k, *slope) for k, slope in enumerate(slopes)]
        for k, (name, speed) in enumerate(roofs):
            style = {"color": "black", "linestyle": DASHES[k % len(DASHES)], "linewidth": 1.2}
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
        axes.set_yscale("log")
        axes.set(
            xlabel="arithmetic intensity, FLOP per byte that operators touch",
            ylabel="GFLOP/s (95 % interval)",
            title=title,
            xlim=(left, right),
            ylim=(1e-9 * min(low for *_, low, _ in dots) / 2, 3e-9 * top),
        )
        figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=8)
        return figure


def _ceiling(axes: Axes, left: float, right: float, top: float, k: int, name: str, speed: float) -> Line2D:
    """A memory's ceiling: FLOP/s = bytes/s × FLOP per byte, up to the highest roof."""
    end = min(right, top / speed)
    style = {"color": "#666666", "linestyle": DASHES[k % len(DASHES)], "linewidth": 1.2}
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
            style = {"color": PALETTE[k // 2 % len(PALETTE)], "linestyle": DASHES[k % 2], "marker": MARKERS[k % 4]}
            axes.errorbar(shifted, y, yerr=bars, capsize=3, linewidth=1.2, label=name, **style)
        if limit is not None:
            axes.axhline(1e3 * limit, color="#666666", linestyle=":", label="limit")
        axes.set(xlabel="models on the machine", ylabel="latency, ms (range of repeats)", title="Co-location")
        axes.set(ylim=(0, None), xticks=sorted({m for _, models, *_ in series for m in models}))
        figure.legend(loc="outside lower center", ncols=3, fontsize=8)
        return figure


def latency_over_rate(series: Sequence[tuple[str, Sequence[float], Sequence[float]]], limit: float) -> Figure:
    """Milliseconds over the rate of a Poisson process, requests per second; values and limit in seconds."""
    with _look("latency-over-rate"):
        figure, axes = _axes()
        for k, (name, rates, seconds) in enumerate(series):
            style = {"color": PALETTE[k // 2 % len(PALETTE)], "linestyle": DASHES[k % 2], "marker": MARKERS[k % 4]}
            axes.plot(rates, [1e3 * s for s in seconds], label=name, **style)
        axes.axhline(1e3 * limit, color="black", linestyle=":", label="limit of p99")
        axes.set_yscale("log")
        axes.set(
            xlabel="offered requests per second, all models together",
            ylabel="latency from arrival, ms",
            title="Latency under a Poisson load",
            xlim=(0, None),
        )
        figure.legend(loc="outside lower center", ncols=3, fontsize=8)
        return figure


def flame_graph(stacks: Stacks, title: str) -> str:
    """An SVG element: frames as boxes as wide as their share of samples, callers below callees above them.

    Blue is Python, yellow native. Every box names itself when pointed at. Frames under 0.2 % are left out.
    """
    total = sum(stacks.values()) or 1
    boxes: list[tuple[int, float, float, str]] = []
    _place(sorted(stacks.items()), 0, 0.0, total, boxes)
    depth = 1 + max((level for level, *_ in boxes), default=0)
    height = depth * FLAME_ROW + 24
    safe = escape(title, quote=True)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {FLAME_WIDTH} {height}" role="img" aria-label="{safe}" '
        'font-family="monospace" font-size="10">',
        f'<text x="4" y="14">{safe}</text>',
    ]
    lines += [_box(level, start, share, name, height) for level, start, share, name in boxes]
    return "\n".join([*lines, "</svg>"])


def _place(
    stacks: Sequence[tuple[tuple[str, ...], int]],
    level: int,
    start: float,
    total: int,
    boxes: list[tuple[int, float, float, str]],
) -> None:
    """Boxes (level, start and share of the whole, name) of stacks that agree below `level`."""
    groups: dict[str, list[tuple[tuple[str, ...], int]]] = {}
    for stack, count in stacks:
        if len(stack) > level:
            groups.setdefault(stack[level], []).append((stack, count))
    for name, group in groups.items():
        share = sum(count for _, count in group) / total
        if share >= FLAME_LEAST:
            boxes.append((level, start, share, name))
            _place(group, level + 1, start, total, boxes)
        start += share


def _box(level: int, start: float, share: float, name: str, height: int) -> str:
    x, width = start * FLAME_WIDTH, share * FLAME_WIDTH
    y = height - (level + 1) * FLAME_ROW
    colour = FLAME_COLOURS["python" if ".py:" in name or "(<" in name else "native"]
    letters = int(width / FLAME_LETTER) - 1
    text = escape(name if len(name) <= letters else f"{name[: letters - 1]}…") if letters > 3 else ""
    return (
        f'<g><title>{escape(name)}: {share:.1%}</title><rect x="{x:.1f}" y="{y}" width="{max(width - 0.5, 0.3):.1f}" '
        f'height="{FLAME_ROW - 1}" fill="{colour}"/><text x="{x + 2:.1f}" y="{y + 11}">{text}</text></g>'
    )
