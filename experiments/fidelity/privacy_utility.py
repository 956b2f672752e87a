"""Question: what does privacy cost? Errors over ε, for each unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ... import HotrowError
from ...analysis.certificate import select_table
from ...analysis.fidelity import FIELDS, Fidelity, fidelity
from ...tracegen.generate import synthesize, table_rng
from ...tracegen.privacy import UNITS, PrivacyBudget, Unit
from ...tracegen.profile import characterize
from ...tracegen.release import release
from ...tracegen.trace import Trace
from ..grid import Grid
from .trace_fidelity import HEADS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EPSILONS = (0.1, 0.3, 1.0, 3.0, 10.0)
SHOWN = ("lru", "popularity", "s3_fifo", "drift")


@dataclass(frozen=True)
class Point:
    """One table under one budget. epsilon: None for exact; claim: the certificate's estimate, None if not vouched for;
    refused: why nothing was released."""

    table: str
    unit: str
    epsilon: float | None
    errors: Fidelity | None
    claim: float | None
    refused: str = ""


@dataclass(frozen=True)
class PrivacyUtility:
    """Errors over ε = 0.1 … 10 and exact."""

    points: tuple[Point, ...]

    def grid(self) -> Grid:
        """One row per table and budget."""
        rows = []
        for p in self.points:
            cells = ["refused"] * len(FIELDS) if p.errors is None else [f"{getattr(p.errors, f):.4f}" for f in FIELDS]
            epsilon = "exact" if p.epsilon is None else f"{p.epsilon:g}"
            rows.append((p.table, p.unit, epsilon, *cells, "–" if p.claim is None else f"{p.claim:.4f}"))
        heads = ("table", "unit", "ε", *(HEADS[f] for f in FIELDS), "claimed LRU")
        return Grid("Errors against the real trace by budget; 0 is perfect", heads, tuple(rows), "measured")


def privacy_utility(
    trace: Trace, units: Sequence[Unit] | None = None, epsilons: Sequence[float] = EPSILONS, seed: int = 0
) -> PrivacyUtility:
    """Release, select, generate and compare under every unit and ε, and exactly; units: all that the trace allows."""
    if units is None:
        units = UNITS if trace.user is not None else UNITS[:2]
    points = _points(trace, None, "exact", seed)
    for unit in units:
        for epsilon in epsilons:
            points += _points(trace, PrivacyBudget(epsilon, unit), unit, seed)
    return PrivacyUtility(tuple(points))


def _points(trace: Trace, budget: PrivacyBudget | None, unit: str, seed: int) -> list[Point]:
    epsilon = None if budget is None else budget.epsilon
    try:
        profile = characterize(trace) if budget is None else release(trace, budget)
    except HotrowError as error:
        return [Point(table.name, unit, epsilon, None, None, str(error)) for table in trace.tables]
    points = []
    for number, (table, fitted) in enumerate(zip(trace.tables, profile.tables, strict=True)):
        chosen = select_table(fitted, seed, number)
        made = synthesize(chosen, table_rng(seed, number, 1)).order
        certificate = chosen.certificate
        claim = certificate.estimate if certificate is not None and certificate.vouches else None
        points.append(Point(table.name, unit, epsilon, fidelity(table.indices.astype(np.int64), made), claim))
    return points


def figure(result: PrivacyUtility) -> Figure:
    """Errors over ε, one panel per kind of error, one line per table and unit."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(11, 3.2), layout="constrained")
    axes = drawn.subplots(1, len(SHOWN))
    for axis, field in zip(axes, SHOWN, strict=True):
        for table, unit in dict.fromkeys((p.table, p.unit) for p in result.points if p.epsilon is not None):
            mine = [p for p in result.points if (p.table, p.unit) == (table, unit) and p.errors is not None]
            axis.loglog(
                [p.epsilon for p in mine], [getattr(p.errors, field) for p in mine], "o-", label=f"{table}, {unit}"
            )
        axis.set_xlabel("ε")
        axis.set_title(f"{HEADS[field]} error")
    axes[0].set_ylabel("error (0 is perfect)")
    axes[-1].legend(fontsize=7)
    return drawn
