"""Figures of what a run costs: steps over batch, speedups, co-location, gathers, latency, flame graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from .plots import DASHES, PALETTE, _axes, _log_x, _look

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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


def colocation(series: Sequence[tuple[str, Sequence[int], Sequence[float], Sequence[float]]]) -> Figure:
    """Milliseconds over the number of models: name, models, p50 and p99 in seconds, one pair of lines each."""
    with _look("colocation"):
        figure, axes = _axes()
        for k, (name, models, p50, p99) in enumerate(series):
            colour = PALETTE[k % len(PALETTE)]
            axes.plot(models, [1e3 * v for v in p99], color=colour, marker="o", label=f"{name}, p99")
            axes.plot(models, [1e3 * v for v in p50], color=colour, marker=".", linestyle="--", label=f"{name}, p50")
        axes.set(xlabel="models on the machine", ylabel="latency, ms", title="Co-location", ylim=(0, None))
        axes.set_xticks(sorted({m for _, models, _, _ in series for m in models}))
        axes.legend(fontsize=8)
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
