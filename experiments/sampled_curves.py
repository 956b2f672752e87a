"""Question: how much fast memory is enough for a trace too long to hold? LRU curves from samples, shown as bands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import HotrowError
from ..analysis import plots
from ..analysis.miss_ratio import checked_capacities
from ..analysis.recommendation.trace_samples import TraceSamples
from ..analysis.sampling import CurveBand, ShardsStream
from ..tracegen.trace import Trace
from .cache_sizing import binary
from .grid import Grid, number_of
from .memory_levels import known_capacities
from .policies_compared import default_capacities
from .traffic import log_spaced

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SAMPLES = 8
ALL = "all in one cache"
LEFT_OUT = "policies, processor caches, batches and drift are left out: they need the whole trace, without --sample"


@dataclass(frozen=True, eq=False)
class SampledCurve:
    """One LRU cache. touched_rows: about how many; curve: over them; asked: at the capacities that were asked for."""

    name: str
    lookups: int
    touched_rows: int
    curve: CurveBand
    asked: CurveBand


@dataclass(frozen=True, eq=False)
class SampledCurves:
    """A cache of its own for every table, and one for all. sample: rows of each sample, or below 1 their share."""

    sample: float
    row_bytes: int
    tables: tuple[SampledCurve, ...]
    shared: SampledCurve

    def grid(self) -> Grid:
        """One row per table, the cache for several last: mean of the samples (lowest … highest)."""
        sizes = self.shared.asked.capacities.tolist()
        heads = ("table", "lookups", "touched, about", *(f"{c:,} ({binary(c * self.row_bytes)})" for c in sizes))
        rows = tuple(
            (curve.name, f"{curve.lookups:,}", f"{curve.touched_rows:,}", *_hits(curve.asked))
            for curve in (self.tables if len(self.tables) == 1 else (*self.tables, self.shared))
        )
        size = (
            f"at most {number_of(round(self.sample), 'row')}" if self.sample >= 1 else f"{self.sample:.3g} of the rows"
        )
        caption = (
            f"LRU hits by capacity in rows (bytes), a cache of its own for every table, cold start; mean (lowest … "
            f"highest) of {SAMPLES} samples of {size} each"
        )
        return Grid(caption, heads, rows, "simulated")

    def figures(self) -> dict[str, Figure]:
        """The curve of one cache for all tables, and those of the busiest tables, with their bands."""
        busiest = sorted((t for t in self.tables if t.lookups), key=lambda t: -t.lookups)
        return {
            "lru-shared": _drawn([self.shared], known_capacities(self.row_bytes)),
            "lru-tables": _drawn(busiest, ()),
        }

    def plain(self) -> dict[str, Any]:
        """The answers as plain values, for JSON."""
        return {
            "how": "simulated on samples",
            "sample": self.sample,
            "samples": SAMPLES,
            "row_bytes": self.row_bytes,
            "lru": {curve.name: _plain(curve) for curve in self.tables},
            "lru_shared": _plain(self.shared),
        }


def sampled_curves(
    parts: Iterable[Trace], sample: float, row_bytes: int, capacities: Sequence[int] = (), seed: int = 0
) -> SampledCurves:
    """LRU curves of a trace that comes in parts, of which it holds one at a time.

    sample: rows that each of eight samples may hold, then memory does not grow with the trace; or below 1 the share of
    all rows, at most 1/8. capacities: in rows; eight of its own for none. Raises HotrowError for another sample or
    capacity, and where there is no part.
    """
    share = sample < 1
    if not share and not float(sample).is_integer():
        raise HotrowError(f"samples of {sample:g} rows; a whole number of rows, or a share of them below 1")
    rate, rows = (sample, None) if share else (None, int(sample))
    found = TraceSamples(rate, rows, SAMPLES, seed)
    checked_capacities(capacities)
    for part in parts:
        found.feed(part)
    if not found.tables:
        raise HotrowError("no samples: the trace has no parts")
    sizes = checked_capacities(capacities or default_capacities(found.shared.distinct()))
    tables = tuple(_curve(name, stream, sizes) for name, stream in zip(found.names, found.tables, strict=True))
    return SampledCurves(sample, row_bytes, tables, _curve(ALL, found.shared, sizes))


def _curve(name: str, stream: ShardsStream, sizes: NDArray[np.int64]) -> SampledCurve:
    touched = stream.distinct()
    return SampledCurve(name, stream.accesses, touched, stream.band(log_spaced(touched)), stream.band(sizes))


def _hits(band: CurveBand) -> tuple[str, ...]:
    """Hits are what does not miss, so the band's ends change places."""
    return tuple(
        "–" if np.isnan(mean) else f"{1 - mean:.1%} ({1 - most:.1%} … {1 - least:.1%})"
        for least, mean, most in zip(band.low, band.middle, band.high, strict=True)
    )


def _drawn(curves: Sequence[SampledCurve], marks: Sequence[tuple[str, int]]) -> Figure:
    series = [(c.name, c.curve.capacities.tolist(), c.curve.middle.tolist()) for c in curves]
    bands = [(c.curve.low.tolist(), c.curve.high.tolist()) for c in curves]
    title = f"LRU miss ratio, mean and range of {SAMPLES} samples"
    return plots.miss_ratio(series, marks=marks, title=title, bands=bands)


def _plain(curve: SampledCurve) -> dict[str, Any]:
    bands = {"curve": _points(curve.curve), "asked": _points(curve.asked)}
    return {"lookups": curve.lookups, "touched_rows": curve.touched_rows} | bands


def _points(band: CurveBand) -> dict[str, Any]:
    columns = {"low": band.low, "miss_ratio": band.middle, "high": band.high}
    ratios = {name: [None if np.isnan(v) else v for v in values.tolist()] for name, values in columns.items()}
    return {"capacity_rows": band.capacities.tolist()} | ratios
