"""Question: does an architect conclude the same from a private synthetic twin as from the real trace?

python -m hotrow.experiments.twins FOLDER [OUT.md] prints it for every trace in a folder that is long enough.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import get_args

from ..analysis.decisions import limit_for
from ..analysis.predict import predict
from ..analysis.prediction.coefficients import datasheet
from ..analysis.prediction.traffic import traffic_of
from ..analysis.recommendation.split import by_gain
from ..analysis.sharding import Plan, Rule, plan
from ..atomic import replacing
from ..models.config import for_trace, load_preset
from ..profiling.machine_files import load_machine
from ..tracegen import files
from ..tracegen.generate import generate
from ..tracegen.privacy import PrivacyBudget
from ..tracegen.trace import Trace
from .fidelity.fitting import fit
from .grid import Grid
from .lru_curves import LruCurves, lru_curves
from .which_machine import which_machine

FEWEST = 100_000  # lookups; below, noise leaves only the LRU curve
MACHINE, BATCH = "skylake", 64
BATCHES = (16, 64, 256)
NEAR = 0.1  # knees apart by less than this agree
DEVICES = 4  # that tables are spread over
ALIKE = 0.02  # balances apart by less than this are as good
BUDGETS = (PrivacyBudget(1.0, "access"), PrivacyBudget(1.0, "sample"))


@dataclass(frozen=True)
class Conclusions:
    """knee: rows of one LRU cache for all tables, None without one. bound: the part of a predicted step that takes
    most, and what bounds its lookups. machine: that serves most. plans: rules of sharding, the best balanced first,
    with "=" between those that are as good. devices: tables of each device by the plan by lookups. order: tables by the
    rows that the knee's capacity gives them.
    """

    knee: int | None
    bound: str
    machine: str
    plans: str
    devices: frozenset[tuple[int, ...]]
    order: tuple[str, ...]


def conclusions(trace: Trace, capacity: int | None = None) -> tuple[Conclusions, LruCurves]:
    """What a report concludes; capacity: in rows, to share out among tables, the trace's own knee if left out."""
    bags = any(table.offsets is not None for table in trace.tables)
    config = for_trace(load_preset("rm1" if bags else "criteo-kaggle"), trace)
    curves = lru_curves(trace)
    knee = None if curves.shared_knee is None else curves.shared_knee.capacity
    traffics = {batch: traffic_of(trace, config, batch) for batch in BATCHES if batch <= trace.samples}
    step = predict(config, traffics[BATCH], datasheet(load_machine(MACHINE)))
    parts = step.by_role()
    slowest = max(parts, key=lambda role: parts[role].seconds)
    best = which_machine(config, traffics, limit_for(step)).best()
    plans = [plan(config, traffics[BATCH].per_table, DEVICES, rule=rule) for rule in get_args(Rule)]
    rows = by_gain(curves.tables, [1] * len(curves.tables), capacity or knee or 1)
    order = sorted(range(len(rows)), key=lambda k: -rows[k])
    return (
        Conclusions(
            knee,
            f"{slowest}; lookups: {parts['embedding'].bound}",
            "none" if best is None else best.name,
            _ordered(plans),
            frozenset(plans[0].devices),
            tuple(curves.names[k] for k in order),
        ),
        curves,
    )


def _ordered(plans: list[Plan]) -> str:
    """Rules by balance; a step apart of less than ALIKE is none."""
    ranked = sorted(plans, key=lambda made: made.balance)
    words: str = ranked[0].rule
    for before, after in pairwise(ranked):
        words += f"{' = ' if after.balance < before.balance * (1 + ALIKE) else ', '}{after.rule}"
    return words


@dataclass(frozen=True)
class Agreement:
    """Conclusions from a trace and from its twin under a budget."""

    trace: str
    budget: PrivacyBudget
    real: Conclusions
    twin: Conclusions

    @property
    def knees(self) -> float | None:
        """How far the twin's knee is from the real one, as a share of it."""
        if self.real.knee is None or self.twin.knee is None:
            return None
        return abs(self.twin.knee / self.real.knee - 1)


def agreement(trace: Trace, name: str, budget: PrivacyBudget, seed: int = 0) -> Agreement:
    """Release, generate a twin of as many samples, and conclude from both."""
    real, _ = conclusions(trace)
    twin = generate(fit(trace, budget, name).profile, trace.samples, seed)
    return Agreement(name, budget, real, conclusions(twin, real.knee)[0])


def grid(found: list[Agreement]) -> Grid:
    """One row per trace and unit."""
    rows = tuple(
        (
            a.trace,
            a.budget.unit,
            f"{a.real.knee or 0:,}",
            f"{a.twin.knee or 0:,}",
            "–" if a.knees is None else f"{a.knees:.1%}",
            _same(a.knees is not None and a.knees <= NEAR),
            f"{_same(a.real.bound == a.twin.bound)} ({a.twin.bound})",
            f"{_same(a.real.machine == a.twin.machine)} ({a.twin.machine})",
            f"{_same(a.real.plans == a.twin.plans)} ({a.twin.plans})",
            _same(a.real.devices == a.twin.devices),
            _same(a.real.order == a.twin.order),
        )
        for a in found
    )
    heads = (
        "trace",
        "unit",
        "knee",
        "twin's knee",
        "apart",
        "same knee",
        "same bound",
        "same machine",
        "same order of plans",
        "same plan",
        "same order of tables",
    )
    return Grid("Conclusions from traces and from their twins at ε = 1", heads, rows, "simulated")


def _same(alike: bool) -> str:
    return "yes" if alike else "no"


def study(folder: Path) -> Iterator[Agreement]:
    """Every trace of a folder with at least FEWEST lookups, under each of BUDGETS."""
    for path in sorted(folder.glob("*.npz")):
        trace = files.read(path)
        if trace.accesses >= FEWEST and trace.samples >= BATCH:
            for budget in BUDGETS:
                yield agreement(trace, path.stem, budget)


def main(folder: str, out: str | None = None) -> None:
    """Print the table as it grows, and write it as Markdown."""
    found: list[Agreement] = []
    for made in study(Path(folder)):
        found.append(made)
        print(*grid([made]).rows[0], sep="  ", flush=True)
    table = grid(found)
    if out is not None:
        lines = ["| " + " | ".join(row) + " |" for row in (table.heads, ("---",) * len(table.heads), *table.rows)]
        with replacing(out) as beside:
            beside.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
