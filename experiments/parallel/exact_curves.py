"""Question: how much fast memory is enough for a trace too long for one process? Exact LRU sizes, from parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...analysis.miss_ratio import MissRatioCurve, checked_capacities
from ...progress import Advance, ignore
from .. import cache_sizing
from ..cache_sizing import CacheSizing
from ..grid import Grid
from ..lru_curves import LruCurves
from ..memory_levels import known_capacities
from ..traffic import log_spaced
from .executor import Maker
from .lru_parts import curves_in_parts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ALL = "all in one cache"
LEFT_OUT = (
    "knees, policies, processor caches, batches and drift are left out: they need the whole trace in one process, "
    "without --workers and --scheduler"
)


@dataclass(frozen=True, eq=False)
class ExactCurves:
    """Curves of every table and of one cache for all, with their sizes, the shared cache's last."""

    row_bytes: int
    curves: LruCurves
    sizing: tuple[CacheSizing, ...]


def exact_curves(
    path: Path,
    make: Maker,
    workers: int,
    row_bytes: int,
    capacities: Sequence[int] = (),
    format: str | None = None,
    advance: Advance = ignore,
) -> ExactCurves:
    """Exact LRU sizes of a trace in a file, counted in parts; HotrowError as curves_in_parts, or for a capacity."""
    checked_capacities(capacities)
    curves = curves_in_parts(path, make, workers, format, advance)
    whole = replace(
        curves, names=(*curves.names, ALL), tables=(*curves.tables, curves.shared), knees=(*curves.knees, None)
    )
    return ExactCurves(
        row_bytes, curves, cache_sizing.cache_sizing(curves if len(curves.names) == 1 else whole, row_bytes, capacities)
    )


def grid(found: ExactCurves) -> Grid:
    """One row per table, the cache for all tables last."""
    return cache_sizing.grid(found.sizing)


def figures(found: ExactCurves) -> dict[str, Figure]:
    """The curve of one cache for all tables, and a map of every table's hits."""
    return cache_sizing.figures(found.curves, known_capacities(found.row_bytes))


def plain(found: ExactCurves) -> dict[str, Any]:
    """The answers as plain values, for JSON; LRU curves as points evenly spaced on a logarithmic axis."""
    curves = zip(found.curves.names, found.curves.tables, strict=True)
    return {
        "how": "simulated, in parts",
        "row_bytes": found.row_bytes,
        "lru": {name: _points(curve) for name, curve in curves},
        "lru_shared": _points(found.curves.shared),
        "sizing": [asdict(size) for size in found.sizing],
    }


def _points(curve: MissRatioCurve) -> dict[str, Any]:
    capacities = log_spaced(curve.distinct)
    return {"capacity_rows": capacities.tolist(), "miss_ratio": curve.miss_ratio(capacities).tolist()}
