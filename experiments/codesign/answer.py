"""The answer: a page in words, with numbers and how sure they are."""

from __future__ import annotations

from ...analysis.knee import Knee
from ..cache_sizing import binary
from ..grid import number_of
from ..measured.operator_grids import role_name
from ..measured.profile_study import StepProfile
from ..prediction.command import Answer as Prediction
from ..prediction.grids import seconds
from ..traffic import Traffic
from .elsewhere import WORTH, Change, Elsewhere
from .sections.devices import cross_words
from .sections.machines import ranking_words
from .sections.memory import certificate_words
from .study import CoDesign

SKEWED = 1.5  # busiest over mean from which a table should be split
FLAT = 0.05  # a knee less deep than this is hardly one


def answer(result: CoDesign) -> tuple[str, ...]:
    """Traffic, knee, bottleneck, width, machine, placement, what would change that, and what to mistrust."""
    lines = [_traffic(result.traffic)]
    if result.shared_knee is not None:
        lines.append(_knee(result, result.shared_knee))
    else:
        lines.append("Fast memory: no row is looked up twice, so that no cache of rows serves anything.")
    if result.subject.certified is not None:
        lines.append(certificate_words(result.subject.certified))
    elif result.subject.assumptions:
        lines.append(f"The lookups are synthetic. {result.subject.assumptions[0].capitalize()}.")
    if result.measured is not None:
        lines += _measured(result)
    if result.elsewhere is not None:
        lines += _predicted(result.elsewhere)
    if result.failure is not None:
        lines.append(f"Measuring did not come to its end: {result.failure}.")
    if result.running:
        lines.append("This page is not finished: measurements are under way, and it is written again when they end.")
    return tuple(lines)


def _traffic(traffic: Traffic) -> str:
    return (
        f"Traffic: {traffic.lookups:,} lookups ask for {number_of(traffic.touched_rows, 'different row')} in "
        f"{number_of(len(traffic.tables), 'table')}. {_head(traffic)}"
    )


def _head(traffic: Traffic) -> str:
    busiest = max(traffic.tables, key=lambda table: (table.lookups, table.touched_rows))
    if not busiest.lookups:
        return "Nobody looked anything up."
    share = 100 * busiest.rows_for_half / busiest.touched_rows
    return (
        f"In the busiest table, {busiest.name}, half of the lookups go to {number_of(busiest.rows_for_half, 'row')}, "
        f"{share:.3g} % of those touched."
    )


def _knee(result: CoDesign, found: Knee) -> str:
    around = (
        "the end of the curve, which has no interval"
        if found.low is None
        else f"90 % interval {found.low:,} to {found.high:,} rows"
    )
    return (
        f"Fast memory: one LRU cache for all tables has its knee at {number_of(found.capacity, 'row')} "
        f"({binary(found.capacity * result.row_bytes)} at {result.row_bytes} bytes a row; {around}) and there serves "
        f"{1 - found.miss_ratio:.1%} of the lookups."
        + (" The curve is nearly straight, so this knee says little." if found.depth < FLAT else "")
    )


def _measured(result: CoDesign) -> list[str]:
    assert result.measured is not None
    profile = result.measured.profile
    lines = [f"Bottleneck here: {'; '.join(_step(step) for step in profile.steps)}."]
    best = max(
        (p for p in profile.axes if p.axis in ("isa", "threads", "precision") and p.speedup is not None),
        key=lambda p: p.speedup.low if p.speedup is not None else 0.0,
        default=None,
    )
    if best is not None and best.speedup is not None:
        s = best.speedup
        worth = f"{s.value:.2f} times as fast (interval {s.low:.2f} to {s.high:.2f})"
        lines.append(
            f"Of the widths, threads and precisions tried here, {best.axis} {best.setting} does best: {worth}."
            if s.low > 1
            else "None of the widths, threads and precisions tried here is surely faster than one thread at full width "
            "in float32."
        )
    disturbed = [f"{s.mode} {s.batch}" for s in profile.steps if s.total.metadata.get("contended")]
    if disturbed:
        lines.append(
            f"Other work shared the processor while {', '.join(disturbed)} was measured: times are too long, and "
            "shares inexact."
        )
    return lines


def _step(step: StepProfile) -> str:
    first, total = step.operators.roles[0], step.total
    return (
        f"a step of {step.mode} on {number_of(step.batch, 'sample')} takes {1e3 * total.value:.3g} ms "
        f"({1e3 * total.low:.3g} to {1e3 * total.high:.3g}) with one thread, the largest part in "
        f"{role_name(first.role)} ({first.share.value:.0%})"
    )


def _predicted(found: Elsewhere) -> list[str]:
    told = found.answer
    name, middle = told.machine.name, told.middle
    slowest = max(middle.by_role().values(), key=lambda part: part.seconds)
    where = " on one core" if told.machine.kind == "cpu" else ""
    lines = [
        f"Predicted for {name}: a step of {number_of(middle.batch, 'sample')} takes {seconds(middle.seconds)} "
        f"({seconds(middle.low)} to {seconds(middle.high)}){where}, the largest part in "
        f"{role_name(slowest.operator.name)}, bound by {slowest.bound}.",
        f"Machine: {ranking_words(found.ranking)}. The limit is {_limit(found)}.",
    ]
    if found.devices:
        lines.append(f"CPU or GPU: {cross_words(found)}")
    lines += [f"Width: {line}" for line in _width(told.widths, told.bits)]
    lines.append(f"Placement: {_placement(told)}.")
    lines.append(f"What would change this: {_changes(found.changes)}.")
    return lines


def _placement(told: Prediction) -> str:
    """The best balanced plan, and the table that no plan of whole tables can balance."""
    plan = min(told.plans, key=lambda p: p.balance)
    devices, total = len(plan.devices), sum(plan.work)
    alike = all(other.balance == plan.balance for other in told.plans)
    words = (
        f"over {number_of(devices, 'device')}, whole tables "
        + ("are balanced alike by every rule" if alike else f"by {plan.rule} are the best balanced")
        + f", the busiest device at {plan.balance:.2f} times the mean"
    )
    held = plan.devices[plan.work.index(max(plan.work))]
    if len(held) == 1 and plan.balance > SKEWED:
        name = told.config.tables[held[0]].name
        words += (
            f"; table {name} alone is {max(plan.work) / total:.0%} of the bytes looked up, so it would have to be split"
        )
    return words


def _limit(found: Elsewhere) -> str:
    """Where the limit of latency comes from."""
    if found.limit_given:
        return "the one asked for"
    batch = number_of(found.answer.middle.batch, "sample")
    return f"five times the upper end of a step of {batch} there, as none was asked for"


def _width(widths: dict[int, dict[str, str]], own: int) -> list[str]:
    """The SIMD width beyond which no part is bound by computing."""
    if not widths:
        return []
    free = [bits for bits, bounds in widths.items() if "compute" not in bounds.values()]
    if not free:
        return [f"{own} bits there; some part is bound by computing at every width up to {max(widths)} bits."]
    return [f"{own} bits there; from {min(free)} bits on no part is bound by computing any more."]


def _changes(changes: tuple[Change, ...]) -> str:
    doubled = sorted((c for c in changes if c.factor == 2), key=lambda c: -c.gain)
    worth = [f"twice the {c.what} brings {c.gain - 1:+.0%} samples/s" for c in doubled if c.gain - 1 >= WORTH]
    idle = [c.what for c in doubled if c.gain - 1 < WORTH]
    if idle:
        worth.append(f"more {' or '.join(idle)} brings less than {WORTH:.0%}")
    return "with the whole machine busy, " + "; ".join(worth)
