"""Page: a sweep's results as tables and figures, also while it runs."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from typing import Any

from ...analysis import plots
from ..grid import Grid, How, number_of
from ..report import Picture, Report, Section
from .findings import GIVEN, METRIC, Best, Effect, along, bests, effects, metrics, varied
from .spec import DEFAULTS
from .store import Stored
from .sweep import Planned

MAX_ROWS = 60  # of a table on the page; the CSV beside it has all
LINES = 8  # of one figure
SENTENCES = 3  # of the answer about single workloads, for each kind
TELLING = 1.05  # an axis that changes less is not worth a word
FIGURES = ("batch", "threads", "models")


def report(planned: Planned, points: Sequence[Stored], command: str) -> Report:
    """The page of what is finished."""
    by_kind = {kind: own for kind in METRIC if (own := [p for p in points if _decides(p, kind)])}
    good = sum(p.result is not None for p in points)
    failed = [p for p in points if p.failure]
    answer = [
        f"Finished: {good:,} of {number_of(len(planned.tasks), 'point')}"
        + (f"; {len(failed):,} failed, the first because: {failed[0].failure}." if failed else "."),
        *(line for kind, own in by_kind.items() for line in _answer(kind, own)),
    ]
    sections = [_section(kind, own) for kind, own in by_kind.items()]
    if failed:
        rows = tuple((_words(p.settings, tuple(p.settings)), p.failure or "") for p in failed[:MAX_ROWS])
        grid = Grid("Points that failed, and why", ("point", "why"), rows, "measured")
        sections.append(Section("failed", "What failed", grids=(grid,)))
    return Report(f"Sweep: {planned.spec.title}", tuple(answer), tuple(sections), f"Made by {command}")


def _decides(point: Stored, kind: str) -> bool:
    return point.settings["kind"] == kind and METRIC[kind][0] in metrics(point)


def _answer(kind: str, points: Sequence[Stored]) -> list[str]:
    """Which setting is best, for how many workloads; what matters most; the first workloads one by one."""
    found = bests(kind, points)
    told = [best for best in found if best.next is not None]
    axes = tuple(a for a in varied(points) if a not in GIVEN[kind])
    lines = []
    if len(told) > 1:
        axis, setting, count = _commonest(told, axes)
        if axis:
            lines.append(
                f"{kind.capitalize()}, {len(found)} workloads: {axis} {setting} is best in {count} of them"
                f"{'' if count == len(found) else '; the table of best settings has the others'}."
            )
    strong = [e for e in _strongest(effects(kind, points)) if max(e.ratio, 1 / e.ratio) >= TELLING]
    if strong:
        lines.append(f"{kind.capitalize()}, what changes {METRIC[kind][0]} most, all else equal: {_effects(strong)}.")
    lines += [_sentence(kind, best, varied(points)) for best in found[:SENTENCES]]
    return lines


def _commonest(found: Sequence[Best], axes: Sequence[str]) -> tuple[str, Any, int]:
    """The setting that most bests share, of the axis whose setting matters to a buyer first."""
    for axis in ("machine", "backend", *axes):
        if axis in axes:
            setting, count = Counter(best.point.settings[axis] for best in found).most_common(1)[0]
            return axis, setting, count
    return "", None, 0


def _strongest(found: Sequence[Effect]) -> list[Effect]:
    """Each axis's setting that differs most from its first."""
    strongest: dict[str, Effect] = {}
    for effect in found:
        if effect.ratio > 0:
            other = strongest.get(effect.axis)
            if other is None or max(effect.ratio, 1 / effect.ratio) > max(other.ratio, 1 / other.ratio):
                strongest[effect.axis] = effect
    return list(strongest.values())


def _effects(found: Sequence[Effect]) -> str:
    return ", ".join(f"{e.axis} {e.setting} instead of {e.first} (×{_digits(e.ratio)})" for e in found)


def _sentence(kind: str, best: Best, shown: Sequence[str]) -> str:
    """A workload's best, what cannot be told from it, and the next that can; shown: axes that vary."""
    where = f"{_workload(kind, best.workload, shown)}, {kind}"
    axes = tuple(axis for axis in shown if axis not in GIVEN[kind])
    if best.next is None:
        return f"{where}: none of {best.tried} settings is told apart from the others, {_value(best.point)}."
    text = f"{where}: {_words(best.point.settings, axes)} is best with {_value(best.point)}"
    if best.alike:
        text += f"; {len(best.alike)} of {best.tried - 1} others cannot be told from it"
    if best.next is not None:
        text += (
            f"; the next{' that can' if best.alike else ''} is {_words(best.next.settings, axes)}, {_value(best.next)}"
        )
    return f"{text}."


def _workload(kind: str, settings: Sequence[Any], shown: Sequence[str]) -> str:
    """Model and trace, and what else is given where it varies and is not as always."""
    named = dict(zip(GIVEN[kind], settings, strict=True))
    rest = (f"{axis} {named[axis]}" for axis in GIVEN[kind][2:] if axis in shown and named[axis] != DEFAULTS[axis])
    return ", ".join((f"{named['model']} on {named['trace']}", *rest))


def _value(point: Stored) -> str:
    return _number(metrics(point)[METRIC[point.settings["kind"]][0]])


def _section(kind: str, points: Sequence[Stored]) -> Section:
    axes = varied(points) or ("model",)
    fixed = {axis: setting for axis, setting in points[0].settings.items() if axis not in axes and axis != "kind"}
    words = ["The same for all: " + ", ".join(f"{axis} {setting}" for axis, setting in fixed.items()) + "."]
    if len(points) > MAX_ROWS:
        words.append(f"The last table has the first {MAX_ROWS} of {len(points):,} points; results.csv has them all.")
    grids = (*_best_grid(kind, points), *_effect_grid(kind, points), _point_grid(kind, points, axes))
    return Section(kind, kind.capitalize(), tuple(words), pictures=_pictures(kind, points), grids=grids)


def _best_grid(kind: str, points: Sequence[Stored]) -> list[Grid]:
    """The best setting of every workload."""
    found = bests(kind, points)
    axes = tuple(a for a in varied(points) if a not in GIVEN[kind])
    if not found or not axes:
        return []
    name = METRIC[kind][0]
    rows = tuple(
        (
            _workload(kind, best.workload, varied(points)),
            *("any" if best.next is None else str(best.point.settings[axis]) for axis in axes),
            _value(best.point),
            f"{len(best.alike)} of {best.tried - 1}",
            "–" if best.next is None else _value(best.next),
        )
        for best in found[:MAX_ROWS]
    )
    heads = ("workload", *axes, name, "not told from it", "next that is told apart")
    return [Grid(f"The best setting of every workload by {name}; in brackets the interval", heads, rows, _how(kind))]


def _effect_grid(kind: str, points: Sequence[Stored]) -> list[Grid]:
    """What each setting changes."""
    found = effects(kind, points)
    rows = tuple(
        (
            e.axis, f"{e.setting}", f"{e.first}", f"×{_digits(e.ratio)}", f"×{_digits(e.least)} … ×{_digits(e.most)}",
            f"{e.pairs:,}",
        )
        for e in found[:MAX_ROWS]
    )  # fmt: skip
    heads = ("axis", "setting", "instead of", "median", "least … most", "pairs")
    caption = f"What a setting changes in {METRIC[kind][0]}, all else equal"
    return [Grid(caption, heads, rows, _how(kind))] if rows else []


def _point_grid(kind: str, points: Sequence[Stored], axes: Sequence[str]) -> Grid:
    names = list(dict.fromkeys(name for p in points for name in metrics(p)))
    rows = tuple(
        (
            *(str(p.settings.get(axis, DEFAULTS[axis])) for axis in axes),
            *(_number(metrics(p)[name]) if name in metrics(p) else "–" for name in names),
            "; ".join((p.result or {}).get("notes", [])),
        )
        for p in points[:MAX_ROWS]
    )
    return Grid(f"Every point, {kind}; in brackets the interval", (*axes, *names, "notes"), rows, _how(kind))


def _how(kind: str) -> How:
    return kind  # type: ignore[return-value]


def _pictures(kind: str, points: Sequence[Stored]) -> tuple[Picture, ...]:
    """The deciding metric over every numeric axis, a line for each workload, other axes at their best."""
    name, more = METRIC[kind]
    made = []
    shown = varied(points)
    for axis in (axis for axis in FIGURES if axis in shown and axis not in GIVEN[kind]):
        lines = [
            (_workload(kind, workload, shown), [x for x, _ in line], [y for _, y in line])
            for workload, line in along(kind, points, axis).items()
        ]
        if not lines:
            continue
        figure = plots.over_axis(lines[:LINES], axis, f"{name}, × that of the first", f"{name} over {axis}")
        ticks = sorted({x for _, xs, _ in lines for x in xs})
        figure.axes[0].set_xticks(ticks, [f"{x:g}" for x in ticks])
        figure.axes[0].set_xticks([], minor=True)
        left = f" The first {LINES} of {len(lines)} workloads." if len(lines) > LINES else ""
        caption = (
            f"{'Most' if more else 'Least'} {name} by {axis}, over that at the smallest; other axes at their best of "
            f"what was tried at all of these.{left}"
        )
        made.append(Picture(plots.to_svg(figure, f"{name} over {axis}"), caption, _how(kind)))
    return tuple(made)


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
    units = {name: metric["unit"] for p in points for name, metric in metrics(p).items()}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    ends = [f"{name} {end} [{unit}]" for name, unit in units.items() for end in ("value", "low", "high")]
    writer.writerow([*DEFAULTS, *ends, "failure", "seconds", "finished"])
    for p in points:
        values = [metrics(p).get(name, {}).get(end, "") for name in units for end in ("value", "low", "high")]
        writer.writerow(
            [*(p.settings.get(a, "") for a in DEFAULTS), *values, p.failure or "", f"{p.seconds:.3g}", p.finished]
        )
    return out.getvalue()
