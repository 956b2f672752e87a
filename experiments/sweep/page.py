"""Page: a sweep's results as tables and figures, also while it runs."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from ...analysis import plots
from ..grid import Grid, How
from ..report import Picture, Report, Section
from .spec import DEFAULTS
from .store import Stored
from .sweep import Planned

MAX_ROWS = 200  # of a table on the page; the CSV beside it has all
LINES = 8  # of one figure
MAIN: dict[str, tuple[str, bool]] = {  # kind → metric that decides, whether more is better
    "measured": ("samples per second", True),
    "simulated": ("memory per sample", False),
    "predicted": ("samples per second", True),
}


def report(planned: Planned, points: Sequence[Stored], command: str) -> Report:
    """The page of what is finished."""
    kinds = [kind for kind in MAIN if any(p.settings["kind"] == kind and p.result for p in points)]
    good = sum(p.result is not None for p in points)
    failed = [p for p in points if p.failure]
    answer = [
        f"{good:,} of {len(planned.tasks):,} points are finished"
        + (f"; {len(failed):,} failed, the first because: {failed[0].failure}." if failed else "."),
        *(line for kind in kinds for line in _best(kind, _of(kind, points))),
    ]
    sections = [_section(kind, _of(kind, points)) for kind in kinds]
    if failed:
        rows = tuple((_words(p.settings, tuple(p.settings)), p.failure or "") for p in failed[:MAX_ROWS])
        grid = Grid("Points that failed, and why", ("point", "why"), rows, "measured")
        sections.append(Section("failed", "What failed", grids=(grid,)))
    return Report(f"Sweep: {planned.spec.title}", tuple(answer), tuple(sections), f"Made by {command}")


def _of(kind: str, points: Sequence[Stored]) -> list[Stored]:
    return [p for p in points if p.settings["kind"] == kind and p.result is not None]


def _metrics(point: Stored) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = (point.result or {}).get("metrics", {})
    return found


def _best(kind: str, points: Sequence[Stored]) -> list[str]:
    """For every model and trace the setting that does best, and by how much over the next that is told apart."""
    name, more = MAIN[kind]
    lines = []
    for group in dict.fromkeys((p.settings["model"], p.settings["trace"]) for p in points):
        own = [p for p in points if (p.settings["model"], p.settings["trace"]) == group and name in _metrics(p)]
        own.sort(key=lambda p: _metrics(p)[name]["value"], reverse=more)
        if len(own) < 2:
            continue
        best, worst = own[0], own[-1]
        varied = _varied(own)
        lines.append(
            f"{group[0]} on {group[1]}, {kind}: {_words(best.settings, varied)} is best with "
            f"{_number(_metrics(best)[name])}; {_words(worst.settings, varied)} is last with "
            f"{_number(_metrics(worst)[name])}."
        )
    return lines


def _section(kind: str, points: Sequence[Stored]) -> Section:
    how: How = kind  # type: ignore[assignment]
    axes = _varied(points) or ("model",)
    names = list(dict.fromkeys(name for p in points for name in _metrics(p)))
    rows = tuple(
        (
            *(str(p.settings.get(axis, DEFAULTS[axis])) for axis in axes),
            *(_number(_metrics(p)[name]) if name in _metrics(p) else "–" for name in names),
            "; ".join((p.result or {}).get("notes", [])),
        )
        for p in points[:MAX_ROWS]
    )
    fixed = {axis: points[0].settings[axis] for axis in points[0].settings if axis not in axes and axis != "kind"}
    words = ["The same for all: " + ", ".join(f"{axis} {setting}" for axis, setting in fixed.items()) + "."]
    if len(points) > MAX_ROWS:
        words.append(f"The first {MAX_ROWS} of {len(points):,} points; results.csv has them all.")
    grid = Grid(f"Every point, {kind}; in brackets the interval", (*axes, *names, "notes"), rows, how)
    return Section(kind, kind.capitalize(), tuple(words), pictures=_pictures(kind, points), grids=(grid,))


def _pictures(kind: str, points: Sequence[Stored]) -> tuple[Picture, ...]:
    """The deciding metric over the axis of numbers with most settings, a line for each other combination."""
    name, _ = MAIN[kind]
    numeric = [axis for axis in ("batch", "threads", "models", "scale") if axis in _varied(points)]
    if not numeric:
        return ()
    axis = max(numeric, key=lambda a: len({p.settings[a] for p in points}))
    others = tuple(a for a in _varied(points) if a != axis)
    series: dict[str, list[tuple[float, float]]] = {}
    for p in points:
        if name in _metrics(p):
            value = _metrics(p)[name]["value"]
            series.setdefault(_words(p.settings, others) or kind, []).append((float(p.settings[axis]), value))
    lines = [(label, *zip(*sorted(values), strict=True)) for label, values in series.items()][:LINES]
    unit = _metrics(points[0])[name]["unit"]
    figure = plots.over_axis(lines, axis, f"{name}, {unit}", f"{name} over {axis}")  # type: ignore[arg-type]
    more = f" The first {LINES} of {len(series)} lines." if len(series) > LINES else ""
    return (Picture(plots.to_svg(figure, f"{name} over {axis}"), f"{name.capitalize()} over {axis}.{more}", kind),)  # type: ignore[arg-type]


def _varied(points: Sequence[Stored]) -> tuple[str, ...]:
    """Axes on which the points differ."""
    return tuple(a for a in DEFAULTS if a != "kind" and len({p.settings.get(a) for p in points}) > 1)


def _words(settings: dict[str, Any], axes: Sequence[str]) -> str:
    return ", ".join(f"{axis} {settings[axis]}" for axis in axes if axis in settings)


def _number(metric: dict[str, Any]) -> str:
    value, low, high, unit = metric["value"], metric["low"], metric["high"], metric["unit"]
    if unit == "of lines":
        return f"{value:.2%}"
    scale, shown = _scaled(value, unit)
    spread = "" if low == high else f" ({_digits(low * scale)} … {_digits(high * scale)})"
    return f"{_digits(value * scale)}{spread} {shown}"


def _digits(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _scaled(value: float, unit: str) -> tuple[float, str]:
    if unit == "s":
        return (1e3, "ms") if value < 1 else (1.0, "s")
    if unit == "1/s":
        return (1e-3, "k/s") if value >= 1e4 else (1.0, "/s")
    return 1.0, unit


def as_csv(points: Sequence[Stored]) -> str:
    """A line per finished point: its settings, then value, low and high of every metric, unit in the head."""
    units = {name: metric["unit"] for p in points for name, metric in _metrics(p).items()}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    ends = [f"{name} {end} [{unit}]" for name, unit in units.items() for end in ("value", "low", "high")]
    writer.writerow([*DEFAULTS, *ends, "failure", "seconds", "finished"])
    for p in points:
        values = [_metrics(p).get(name, {}).get(end, "") for name in units for end in ("value", "low", "high")]
        writer.writerow(
            [*(p.settings.get(a, "") for a in DEFAULTS), *values, p.failure or "", f"{p.seconds:.3g}", p.finished]
        )
    return out.getvalue()
