"""Question: how do two runs, machines or traces differ? Two reports side by side, differences with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ... import HotrowError
from ...analysis import plots, profiling_plots
from ..grid import Grid, How
from ..report import Picture, Report, Section, picture
from .files import Saved
from .findings import Finding

Verdict = Literal["the same", "higher", "lower", "not told apart"]
MOST_BARS = 24
SHARED = (
    "Both sides carry the whole error of hotrow's model of times. Where the same machine or model stands on both, much "
    "of it cancels, and a difference is surer than its interval says."
)
HOWS: tuple[How, ...] = ("measured", "simulated", "predicted")
LINES = 6  # differences in the answer


@dataclass(frozen=True)
class Difference:
    """One number in both reports; ratio: B's over A's with the ends of its interval, None where A's is not above 0.

    The interval is as wide as both numbers' intervals allow together, which is wider than either confidence.
    """

    a: Finding
    b: Finding

    @property
    def ratio(self) -> tuple[float, float, float] | None:
        """B over A: value, low, high."""
        if self.a.low <= 0:
            return None
        return self.b.value / self.a.value, self.b.low / self.a.high, self.b.high / self.a.low

    @property
    def verdict(self) -> Verdict:
        """Whether the intervals lie apart."""
        a, b = self.a, self.b
        if (a.value, a.low, a.high) == (b.value, b.low, b.high):
            return "the same"
        return "higher" if b.low > a.high else "lower" if b.high < a.low else "not told apart"


@dataclass(frozen=True)
class Comparison:
    """Two reports with what both say, and why some of it may not be comparable."""

    a: Saved
    b: Saved
    differences: tuple[Difference, ...]
    warnings: tuple[str, ...]


def compare(a: Saved, b: Saved) -> Comparison:
    """What both reports say; HotrowError where they have nothing in common."""
    known = {finding.name: finding for finding in b.findings}
    shared = tuple(Difference(f, known[f.name]) for f in a.findings if f.name in known and known[f.name].unit == f.unit)
    if not shared:
        raise HotrowError(f"reports on {a.name} and {b.name} have no number in common; there is nothing to compare")
    return Comparison(a, b, shared, tuple(_warnings(a, b, shared)))


def _warnings(a: Saved, b: Saved, shared: tuple[Difference, ...]) -> list[str]:
    made = []
    measured = any(d.a.how == "measured" and d.a.unit in ("s", "×") for d in shared)
    if measured and (a.host.node, a.host.cpu) != (b.host.node, b.host.cpu):
        made.append(
            f"measured on different machines ({a.host.cpu} and {b.host.cpu}): differences of times are theirs as well"
        )
    if a.hotrow != b.hotrow:
        made.append(f"made by different versions of hotrow ({a.hotrow} and {b.hotrow}): methods may differ")
    names = sorted({*a.host.packages, *b.host.packages})
    differing = [
        f"{name} {a.host.packages.get(name) or 'missing'} and {b.host.packages.get(name) or 'missing'}"
        for name in names
        if a.host.packages.get(name) != b.host.packages.get(name)
    ]
    if measured and differing:
        made.append(f"measured with different libraries: {', '.join(differing)}")
    changed = [what for what, same in _subjects(a, b) if not same]
    if len(changed) > 1:
        made.append(f"{' and '.join(changed)} differ at once: no difference can be put down to one of them")
    if a.limit != b.limit and any(d.a.name.startswith("samples/s within") for d in shared):
        made.append(
            f"served within different limits ({a.limit} s and {b.limit} s): samples/s, energy and cost follow them; "
            "give both the same --limit"
        )
    for which, report in (("A", a), ("B", b)):
        if report.contended:
            made.append(f"{which} was measured while other work shared the processor")
    return made


def _subjects(a: Saved, b: Saved) -> tuple[tuple[str, bool], ...]:
    same_model = (a.model.name, a.model.bottom, a.model.top) == (b.model.name, b.model.bottom, b.model.top)
    return (
        ("the traces", a.digest == b.digest),
        ("the models", same_model),
        ("the batches", a.batch == b.batch),
        ("the machines predicted for", a.machine_digest == b.machine_digest),
    )


def page(found: Comparison, command: str) -> Report:
    """Both side by side; `command` makes it again."""
    a, b = found.a, found.b
    sections = [_subject_section(found), _curves(found)]
    for how in HOWS:
        own = [d for d in found.differences if d.a.how == how]
        if own:
            sections.append(_numbers(how, own))
    title = f"Compared: {_label(a, b)} (A) and {_label(b, a)} (B)"
    return Report(title, _answer(found), tuple(sections), f"Made by {command}")


def _label(own: Saved, other: Saved) -> str:
    """What tells a report from the other."""
    if own.digest != other.digest:
        return own.name
    if own.machine_digest != other.machine_digest:
        return own.machine or "no machine"
    return f"{own.model.name} on {own.name}"


def _answer(found: Comparison) -> tuple[str, ...]:
    apart = [d for d in found.differences if d.verdict in ("higher", "lower")]
    exact = sum(d.a.exact and d.b.exact for d in apart)
    alike = sum(d.verdict == "not told apart" for d in found.differences)
    same = sum(d.verdict == "the same" for d in found.differences)
    lines = [f"Mind: {warning}." for warning in found.warnings]
    lines.append(
        f"Of {len(found.differences)} numbers in both, {len(apart) - exact} differ by more than their intervals, "
        f"{exact} are exact and differ, {alike} are not told apart, and {same} are the same."
    )
    by_size = sorted((d for d in apart if d.ratio), key=lambda d: -abs(_log(d)))
    shown = [d for how in HOWS for d in by_size if d.a.how == how and not d.a.name.startswith("table ")][:LINES]
    lines += [f"{d.a.name} ({d.a.how}): B is {_ratio(d)} of A, {number(d.a)} and {number(d.b)}." for d in shown]
    return tuple(lines)


def _log(difference: Difference) -> float:
    from math import log

    ratio = difference.ratio
    return 0.0 if ratio is None or ratio[0] <= 0 else log(ratio[0])


def _subject_section(found: Comparison) -> Section:
    a, b = found.a, found.b
    rows = (
        ("trace", a.name, b.name),
        ("its digest", a.digest, b.digest),
        ("model", a.model.name, b.model.name),
        ("batch", f"{a.batch:,}", f"{b.batch:,}"),
        ("machine predicted for", a.machine or "none", b.machine or "none"),
        ("its digest", a.machine_digest or "–", b.machine_digest or "–"),
        ("limit of a step, s", f"{a.limit or '–'}", f"{b.limit or '–'}"),
        ("measured on", a.host.cpu or "unknown", b.host.cpu or "unknown"),
        ("hotrow", a.hotrow, b.hotrow),
        ("made by", a.made, b.made),
    )
    grid = Grid("What is compared", ("", "A", "B"), rows, "measured")
    return Section("subjects", "What is compared", points=tuple(f"{w}." for w in found.warnings), grids=(grid,))


def _curves(found: Comparison) -> Section:
    series = [
        (f"{which}: {_label(own, other)}", own.curve.capacity_rows, own.curve.miss_ratio)
        for which, own, other in (("A", found.a, found.b), ("B", found.b, found.a))
    ]
    figure = plots.miss_ratio(series, title="LRU miss ratio, one cache for all tables")
    caption = "One LRU cache for all tables, exact, cold start."
    return Section("curves", "Fast memory", pictures=(picture(figure, caption, "simulated"),))


def _numbers(how: How, own: list[Difference]) -> Section:
    bars = [(d.a.name, *d.ratio) for d in own if d.ratio is not None and not d.a.name.startswith("table ")]
    pictures: tuple[Picture, ...] = ()
    if bars:
        figure = profiling_plots.speedups(bars[:MOST_BARS], f"B over A, {how}", "A", "as both intervals allow", "B")
        left = f" The first {MOST_BARS} of {len(bars)}." if len(bars) > MOST_BARS else ""
        pictures = (picture(figure, f"Numbers of B over those of A.{left}", how),)
    rows = tuple((d.a.name, number(d.a), number(d.b), _ratio(d), d.verdict) for d in own)
    heads = ("number", "A (interval)", "B (interval)", "B / A (interval)", "B is")
    grid = Grid(f"Numbers of both reports, {how}", heads, rows, how)
    words = (SHARED,) if how == "predicted" else ()
    return Section(how, how.capitalize(), words, pictures=pictures, grids=(grid,))


def _ratio(difference: Difference) -> str:
    ratio = difference.ratio
    if ratio is None:
        return "–"
    value, low, high = ratio
    return f"{value:.3g}" if low == high else f"{value:.3g} ({low:.3g} … {high:.3g})"


def number(found: Finding) -> str:
    """A finding with its interval and unit."""
    scale, unit = (1e3, "ms") if found.unit == "s" else (100.0, "%") if found.unit == "of 1" else (1.0, found.unit)

    def text(value: float) -> str:
        return f"{scale * value:,.4g}" if abs(scale * value) < 1e4 else f"{scale * value:,.0f}"

    spread = "" if found.low == found.high else f" ({text(found.low)} … {text(found.high)})"
    return f"{text(found.value)}{spread} {unit}".rstrip()
