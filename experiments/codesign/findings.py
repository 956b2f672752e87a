"""Findings: what a report says as a list of numbers, each with its interval, unit and how it came about."""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec

from ... import HotrowError
from ..cache_sizing import rows_for
from ..grid import How
from ..measured.operator_grids import role_name
from ..measured.profile_answer import Answer
from .elsewhere import Elsewhere
from .study import CoDesign

GOAL = 0.9  # of the reachable hits


class Finding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One number with the ends of its interval, both its value where it is exact."""

    name: str
    value: float
    low: float
    high: float
    unit: str
    how: How

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low <= self.value <= self.high):
            raise HotrowError(f"{self.name}: {self.value} within {self.low} … {self.high}")

    @property
    def exact(self) -> bool:
        """Whether it has no interval."""
        return self.low == self.high


def findings(result: CoDesign) -> tuple[Finding, ...]:
    """Every number that two reports can be compared by; names do not say which trace or machine they are of."""
    made = list(_traffic(result))
    if result.measured is not None:
        made += _measured(result.measured)
    if result.elsewhere is not None:
        made += _predicted(result.elsewhere)
    return tuple(made)


def exact(name: str, value: float, unit: str, how: How) -> Finding:
    """A number without spread."""
    return Finding(name, float(value), float(value), float(value), unit, how)


def _traffic(result: CoDesign) -> Iterator[Finding]:
    traffic, knee, shared = result.traffic, result.shared_knee, result.curves.shared
    yield exact("lookups", traffic.lookups, "", "measured")
    yield exact("touched rows", traffic.touched_rows, "rows", "measured")
    for table in traffic.tables:
        yield exact(
            f"table {table.name}: lookups of the hottest 1 % of rows", table.top_percent_share, "of 1", "measured"
        )
    if knee is not None:
        if knee.low is not None and knee.high is not None:  # else it is where the rows end, see touched rows
            yield Finding("knee of one LRU cache", knee.capacity, knee.low, knee.high, "rows", "simulated")
        yield exact("hits at the knee", 1 - knee.miss_ratio, "of 1", "simulated")
        yield exact(f"rows for {GOAL:.0%} of the reachable hits", rows_for(shared, GOAL), "rows", "simulated")
    for name, curve in zip(result.curves.names, result.curves.tables, strict=True):
        yield exact(
            f"table {name}: rows for {GOAL:.0%} of its reachable hits", rows_for(curve, GOAL), "rows", "simulated"
        )


def _measured(found: Answer) -> Iterator[Finding]:
    for step in found.profile.steps:
        name, total = f"{step.mode}, batch {step.batch}", step.total
        yield Finding(f"{name}: time", total.value, total.low, total.high, "s", "measured")
        for part in step.operators.roles:
            share = part.share
            yield Finding(f"{name}: {role_name(part.role)}", share.value, share.low, share.high, "of 1", "measured")
    for point in found.profile.axes:
        if point.speedup is not None:
            s = point.speedup
            name = f"{point.step}: speedup with {point.axis} {point.setting}"
            yield Finding(name, s.value, s.low, s.high, "×", "measured")
    if found.together is not None:
        for run in found.together.closed:
            tail = run.percentile(99)
            models = f"{len(run.whole.models)} models {'pinned' if run.whole.pinned else 'free'}"
            yield Finding(f"{models}: p99", tail.value, tail.low, tail.high, "s", "measured")


def _predicted(found: Elsewhere) -> Iterator[Finding]:
    told = found.answer
    for step in told.predictions:
        name = f"predicted step, batch {step.batch}"
        yield Finding(name, step.seconds, step.low, step.high, "s", "predicted")
    if told.throughput is not None:
        step = told.throughput.prediction
        rate = told.throughput.samples_per_second
        low, high = rate * step.seconds / step.high, rate * step.seconds / step.low
        yield Finding("samples/s within the limit", rate, low, high, "1/s", "predicted")
        if told.economy is not None:  # both as sure as the rate
            joules, per_usd = told.economy.joules, told.economy.per_usd
            yield Finding("energy per sample", joules, joules * rate / high, joules * rate / low, "J", "predicted")
            if per_usd is not None:
                ends = per_usd * low / rate, per_usd * high / rate
                yield Finding("samples/s per USD", per_usd, *ends, "1/s/USD", "predicted")
    for plan in told.plans:
        yield exact(f"busiest device over mean, by {plan.rule}", plan.balance, "×", "predicted")
