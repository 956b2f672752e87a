"""Question: is the synthetic trace like the real one, as caches and batches see it?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...analysis import plots
from ...analysis.certificate import select_table
from ...analysis.fidelity import FIELDS, Fidelity, cache_sizes, fidelity
from ...analysis.miss_ratio import lru_curve
from ...analysis.recommendation.log_fidelity import paired, shared_pairs
from ...progress import Advance, ignore
from ...tracegen.baselines import BASELINES
from ...tracegen.generate import synthesize, table_rng
from ...tracegen.privacy import PrivacyBudget
from ...tracegen.profile import TableProfile, characterize
from ...tracegen.release import release
from ...tracegen.trace import Trace
from ..grid import Grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Ids = NDArray[np.int64]

HEADS = {
    "lru": "LRU",
    "lru_worst": "worst",
    "popularity": "popularity",
    "fifo": "FIFO",
    "lfu": "LFU",
    "clock": "CLOCK",
    "s3_fifo": "S3-FIFO",
    "set_associative": "8-way",
    "reuse_time": "reuse time",
    "new_rows": "new rows",
    "batch_distinct": "batch distinct",
    "drift": "drift",
}


@dataclass(frozen=True)
class Comparison:
    """One synthetic stream against one table. errors: 0 is perfect; lru_*: the two exact curves at `capacities`."""

    table: str
    generator: str
    errors: Fidelity
    capacities: tuple[int, ...]
    lru_real: tuple[float, ...]
    lru_synthetic: tuple[float, ...]


@dataclass(frozen=True)
class TraceFidelity:
    """Comparisons of a trace's tables; several generators side by side, or one synthetic trace."""

    comparisons: tuple[Comparison, ...]

    def grid(self) -> Grid:
        """One row per comparison."""
        rows = tuple(
            (c.table, c.generator, *(_cell(getattr(c.errors, field)) for field in FIELDS)) for c in self.comparisons
        )
        heads = ("table", "generator", *(HEADS[field] for field in FIELDS))
        return Grid("Errors against the real trace, fractions of 1; 0 is perfect", heads, rows, "measured")


def steps(trace: Trace, budgets: Sequence[PrivacyBudget | None] | None) -> int:
    """Comparisons to be made: one per table, or with every baseline and budget side by side."""
    return len(trace.tables) * (1 if budgets is None else len(BASELINES) + len(budgets))


def compare(
    real: Trace,
    synthetic: Trace,
    generator: str = "synthetic",
    advance: Advance = ignore,
    share: Sequence[Sequence[str]] = (),
) -> TraceFidelity:
    """Errors of every table of `synthetic` against the table of the same name in `real`; by order if no name fits.

    share: groups of features that look up one table, which is compared too.
    Raises HotrowError where the traces differ in their number of tables or a table has no lookups.
    """
    pairs = [*paired(real, synthetic), *shared_pairs(real, synthetic, share)]
    found = []
    for a, b in pairs:
        found.append(compare_ids(a.name, generator, a.indices, b.indices))
        advance(1)
    return TraceFidelity(tuple(found))


def side_by_side(
    trace: Trace,
    budgets: Sequence[PrivacyBudget | None] = (None, PrivacyBudget()),
    seed: int = 0,
    advance: Advance = ignore,
) -> TraceFidelity:
    """The baselines and ours under each budget (None: exact, not private) against every table of `trace`."""
    found = []
    ours = [(_label(budget), _profiles(trace, budget)) for budget in budgets]
    for number, table in enumerate(trace.tables):
        ids = table.indices
        for name, baseline in BASELINES.items():
            found.append(compare_ids(table.name, name, ids, _drawn(baseline, ids, seed, number)))
            advance(1)
        for label, profiles in ours:
            chosen = select_table(profiles[number], seed, number)
            made = synthesize(chosen, table_rng(seed, number, 1)).order
            found.append(compare_ids(table.name, label, ids, made))
            advance(1)
    return TraceFidelity(tuple(found))


def compare_ids(table: str, generator: str, real: NDArray[np.integer], synthetic: NDArray[np.integer]) -> Comparison:
    """One stream of row ids against another."""
    errors = fidelity(real.astype(np.int64), synthetic.astype(np.int64))
    sizes = cache_sizes(len(np.unique(real)))
    curves = [tuple(lru_curve(ids).miss_ratio(sizes).tolist()) for ids in (real, synthetic)]
    return Comparison(table, generator, errors, tuple(sizes.tolist()), *curves)


def figures(result: TraceFidelity) -> dict[str, Figure]:
    """LRU curves of each table: the real one and every generator's."""
    drawn = {}
    for table in dict.fromkeys(c.table for c in result.comparisons):
        mine = [c for c in result.comparisons if c.table == table]
        lines = [("real", mine[0].capacities, mine[0].lru_real)]
        lines += [(c.generator, c.capacities, c.lru_synthetic) for c in mine]
        title = f"LRU miss ratio, table {plots.shown(table)}"
        drawn[f"lru-{table}"] = plots.miss_ratio(lines, title=title, what="generators", reference=True)
    return drawn


def _profiles(trace: Trace, budget: PrivacyBudget | None) -> tuple[TableProfile, ...]:
    return (characterize(trace) if budget is None else release(trace, budget)).tables


def _label(budget: PrivacyBudget | None) -> str:
    return "hotrow, exact" if budget is None else f"hotrow, ε = {budget.epsilon:g} per {budget.unit}"


def _drawn(baseline: Callable[[Ids, np.random.Generator], Ids], ids: NDArray[np.integer], seed: int, table: int) -> Ids:
    return baseline(ids.astype(np.int64), table_rng(seed, table, 0))


def _cell(error: float) -> str:
    return "–" if np.isnan(error) else f"{error:.4f}"
