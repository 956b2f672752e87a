"""Section: how much fast memory is enough, and what a synthetic trace's error means for that."""

from __future__ import annotations

from dataclasses import replace

from ....analysis.recommendation.split import Split
from ...cache_sizing import binary, figures, rows_for
from ...cache_sizing import grid as sizing_grid
from ...grid import Grid, number_of
from ...memory_levels import known_capacities
from ...report import Section, picture, short
from ..certified import Certified, capacities
from ..study import CoDesign

GOAL = 0.9  # of the reachable hits
REACHABLE = (
    "Reachable is the hit ratio of a cache that holds every row: first accesses always miss. The columns name the "
    "smallest LRU cache that gets this share of the reachable hits. The knee is where the curve, over the logarithm of "
    "the capacity, lies furthest below the line between its ends."
)


def section(result: CoDesign) -> Section:
    """LRU capacities, the knee, what a capacity shared out in three ways serves."""
    words = [REACHABLE]
    grids = [_without(short(sizing_grid(result.sizing)), ("lookups", "touched"))]  # the traffic's table has them
    if result.shared_knee is not None:
        capacity = result.shared_knee.capacity
        held = number_of(capacity, "row")
        words.append(
            f"The second table shares out the knee's {held} in three ways: to the table where the next row "
            "gains most, evenly, and as one cache for all tables."
        )
        rows = tuple((split.how, f"{split.hit_ratio:.2%}", _rows(split)) for split in result.splits)
        heads = ("how", "hits", "rows per table")
        grids.append(Grid(f"{held} shared out, LRU, cold start", heads, rows, "simulated"))
    if result.subject.certified is not None:
        words.append(certificate_words(result.subject.certified))
        grids += _certified(result, result.subject.certified)
    drawn = figures(result.curves, known_capacities(result.row_bytes))
    knee = (
        "The knee has its 90 % interval, unless it is the end of the curve; dotted, what published processors' caches"
    )
    pictures = (
        picture(
            drawn["lru-shared"],
            f"One LRU cache for all tables, exact, cold start. {knee} would hold of rows of {result.row_bytes} bytes.",
            "simulated",
        ),
        picture(drawn["lru-tables"], "Hits of an LRU cache of its own for each table, by its capacity.", "simulated"),
    )
    return Section("memory", "How much fast memory is enough", tuple(words), pictures=pictures, grids=tuple(grids))


def certificate_words(known: Certified) -> str:
    """What a profile says of the error of a trace drawn from it."""
    drawn = "are said to be" if known.told else "were"
    if known.error is not None:
        return (
            f"The lookups {drawn} drawn from the {known.origin} profile {known.profile!r}, whose certificate estimates "
            f"each table's LRU miss ratios to be within {known.error:.4f} (their mean) of the real trace's, in the "
            "mean over cache sizes. Here this is taken as the error at every size, of one cache for all tables too, "
            "which is assumed. It says nothing about other policies."
        )
    return (
        f"The lookups {drawn} drawn from the {known.origin} profile {known.profile!r}, which does not vouch for "
        f"{_listed(known.unvouched)}: take what is said of caches as said of the synthetic trace, not of the real one."
    )


def _listed(names: tuple[str, ...], most: int = 5) -> str:
    if len(names) > most:
        return f"{len(names)} of its tables"
    return ", ".join(names)


def _certified(result: CoDesign, known: Certified) -> list[Grid]:
    """Hits and capacities of one cache for all tables, as far as the certificate goes."""
    error, curve, knee = known.error, result.curves.shared, result.shared_knee
    if error is None or knee is None:
        return []
    hits = 1 - knee.miss_ratio
    rows = rows_for(curve, GOAL)
    missed = float(curve.miss_ratio([rows])[0])
    low, high = capacities(curve, missed, error)
    most = "more than any cache of this trace" if high is None else f"{number_of(high, 'row')} ({_bytes(result, high)})"
    cells = (
        (
            f"hits at the knee, {number_of(knee.capacity, 'row')}",
            f"{hits:.2%}",
            f"{max(0.0, hits - error):.2%} to {min(1.0, hits + error):.2%}",
        ),
        (
            f"rows until {missed:.2%} miss ({GOAL:.0%} of the reachable hits)",
            f"{rows:,} ({_bytes(result, rows)})",
            f"{number_of(low or 0, 'row')} ({_bytes(result, low or 0)}) to {most}",
        ),
    )
    heads = ("one LRU cache for all tables", "synthetic trace", "real trace, as far as certified")
    return [Grid("What the certificate's error means", heads, cells, "predicted")]


def _bytes(result: CoDesign, rows: int) -> str:
    return binary(rows * result.row_bytes)


def _without(grid: Grid, heads: tuple[str, ...]) -> Grid:
    """A table without some of its columns."""
    kept = [k for k, head in enumerate(grid.heads) if head not in heads]
    rows = tuple(tuple(row[k] for k in kept) for row in grid.rows)
    return replace(grid, heads=tuple(grid.heads[k] for k in kept), rows=rows)


def _rows(split: Split) -> str:
    if split.rows is None:
        return "all together"
    shown = ", ".join(f"{rows:,}" for rows in split.rows[:12])
    return shown if len(split.rows) <= 12 else f"{shown}, …"
