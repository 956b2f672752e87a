"""Section: where tables go: tiers of memory on one machine, devices when there are many."""

from __future__ import annotations

from ...cache_sizing import binary
from ...grid import Grid
from ...prediction.grids import plans_grid, tiers_grid
from ...report import Section, short
from ..study import CoDesign


def section(result: CoDesign) -> tuple[Section, ...]:
    """Memory tiers and a sharding plan; empty without predictions."""
    if result.elsewhere is None:
        return ()
    found = result.elsewhere.answer
    words = (
        "A tier holds the rows that are hotter than those of the next one, and serves what an LRU cache of all tiers "
        "before it misses.",
        "A device that looks up more than the mean keeps all others waiting by busiest over mean.",
    )
    return (
        Section(
            "placement", "Placement of tables", words, grids=(tiers_grid(found), plans_grid(found), _devices(result))
        ),
    )


def _devices(result: CoDesign) -> Grid:
    assert result.elsewhere is not None
    plan, tables = result.elsewhere.answer.plans[0], result.subject.config.tables
    total = sum(plan.work) or 1.0
    rows = tuple(
        (
            str(number),
            ", ".join(tables[k].name for k in held) or "none",
            f"{work / total:.1%}",
            binary(size),
        )
        for number, (held, work, size) in enumerate(zip(plan.devices, plan.work, plan.held, strict=True))
    )
    heads = ("device", "tables", "of the bytes looked up", "holds")
    return short(Grid(f"The plan by {plan.rule}", heads, rows, "predicted"), "devices")
