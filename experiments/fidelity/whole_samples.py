"""Question: do whole samples of a synthetic log behave like the real ones? Joint misses, bags, pages, one cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...analysis import plots
from ...analysis.recommendation.log_fidelity import LogFidelity
from ..grid import Grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def grids(result: LogFidelity) -> tuple[Grid, ...]:
    """The log as a whole; misses per sample by cache size; pages of each table; shared tables and bags, if any."""
    made = [_summary(result), _misses(result), _pages(result)]
    made += [_features(result)] if result.features else []
    return tuple(made if not result.bags else [*made, _bags(result)])


def figures(result: LogFidelity) -> dict[str, Figure]:
    """One cache for all tables, perfect hits by cache size, and the page curves of the worst table."""
    shared = [(name, result.capacities, y) for name, y in zip(("real", "synthetic"), result.shared_curves, strict=True)]
    drawn = {"shared-cache": plots.miss_ratio(shared, title="LRU miss ratio, one cache for all tables", reference=True)}
    percent = [100 * m.fraction for m in result.misses]
    perfect = [
        (name, percent, [100 * m.perfect[k] for m in result.misses]) for k, name in enumerate(("real", "synthetic"))
    ]
    drawn["perfect-hits"] = plots.over_axis(
        perfect, "cache of each table, % of its rows", "samples without a miss, %", "Perfect hits"
    )
    if result.pages:
        worst = max(result.pages, key=lambda p: p.error)
        lines = [(n, worst.capacities, y) for n, y in zip(("real", "synthetic"), worst.curves, strict=True)]
        title = f"LRU miss ratio by pages, table {plots.shown(worst.table)}"
        drawn["pages"] = plots.miss_ratio(lines, title=title, unit="pages of 32 rows", reference=True)
    return drawn


def _summary(result: LogFidelity) -> Grid:
    bag_sizes = f"{max(b.sizes for b in result.bags):.4f}" if result.bags else "–"
    heads = ("whole log", "shared LRU", "misses per sample", "perfect hits", "pages", "bag sizes")
    row = (
        "error",
        f"{result.shared:.4f}",
        f"{result.miss_distance:.4f}",
        f"{result.perfect_error:.4f}",
        f"{result.page_error:.4f}",
        bag_sizes,
    )
    return Grid("Whole samples: errors against the real log, fractions of 1; 0 is perfect", heads, (row,), "measured")


def _misses(result: LogFidelity) -> Grid:
    heads = ("cache of each table", "Kolmogorov", "perfect, real", "perfect, synthetic", "σ, real", "σ, synthetic")
    rows = tuple(
        (
            f"{m.fraction:.0%} of its rows",
            f"{m.distance:.4f}",
            *(f"{p:.2%}" for p in m.perfect),
            *(f"{d:.3f}" for d in m.deviation),
        )
        for m in result.misses
    )
    return Grid("Misses per sample, an LRU cache for every table; σ: standard deviation", heads, rows, "simulated")


def _features(result: LogFidelity) -> Grid:
    heads = ("table", "feature", "common", "synthetic", "handed", "synthetic")
    rows = tuple((f.table, f.feature, *(f"{v:.2%}" for v in (*f.common, *f.handed))) for f in result.features)
    caption = (
        "Shared tables, lookups of each feature, real and synthetic; common: whose row others look up too; "
        "handed: whose row was asked for by another last"
    )
    return Grid(caption, heads, rows, "measured")


def _pages(result: LogFidelity) -> Grid:
    rows = tuple((p.table, f"{p.error:.4f}") for p in result.pages)
    return Grid("LRU curves of pages of 32 rows, mean difference", ("table", "error"), rows, "measured")


def _bags(result: LogFidelity) -> Grid:
    heads = (
        "table",
        "sizes",
        "empty",
        "synthetic",
        "duplicates",
        "synthetic",
        "succession",
        "synthetic",
        "company",
        "synthetic",
    )
    rows = tuple(
        (
            b.table,
            f"{b.sizes:.4f}",
            *(f"{v:.2%}" for v in (*b.empty, *b.duplicates)),
            *(f"{v:.3f}" for v in b.succession),
            *(f"{v:.2%}" for v in b.company),
        )
        for b in result.bags
    )
    caption = "Bags: Kolmogorov distance of sizes; real and synthetic shares; company: neighbours that were so before"
    return Grid(caption, heads, rows, "measured")
