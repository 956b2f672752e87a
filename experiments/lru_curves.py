"""LRU curves of a trace, each computed once: of every table with a cache of its own, and of one cache for all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..analysis.knee import Knee, knee
from ..analysis.miss_ratio import MissRatioCurve
from ..analysis.recommendation.interleave import interleaved
from ..analysis.reuse_distance import stack_distances
from ..tracegen.trace import Trace


@dataclass(frozen=True, eq=False)
class LruCurves:
    """Exact LRU curves, cold start. A knee is None where no row is looked up twice.

    shared: all tables in one cache, lookups in the model's order, capacity in rows whatever table they are of.
    distances: stack distances of each table's lookups, int32 [accesses], −1 for a first lookup; for what asks about
    single lookups; empty where they were not kept.
    """

    names: tuple[str, ...]
    tables: tuple[MissRatioCurve, ...]
    knees: tuple[Knee | None, ...]
    shared: MissRatioCurve
    shared_knee: Knee | None
    distances: tuple[NDArray[np.int32], ...]


def lru_curves(trace: Trace, seed: int = 0) -> LruCurves:
    """Every curve of a trace with its knee; `seed` resamples the knees' intervals."""
    rng = np.random.default_rng(seed)
    own = [_curve(table.indices, rng) for table in trace.tables]
    curves, knees, distances = zip(*own, strict=True)
    shared, shared_knee, _ = own[0] if len(own) == 1 else _curve(interleaved(trace), rng)
    return LruCurves(tuple(table.name for table in trace.tables), curves, knees, shared, shared_knee, distances)


def _curve(ids: NDArray[np.integer], rng: np.random.Generator) -> tuple[MissRatioCurve, Knee | None, NDArray[np.int32]]:
    distances = stack_distances(ids)
    repeated = distances[distances >= 0]
    curve = MissRatioCurve(np.bincount(repeated), len(distances), len(distances) - len(repeated))
    found = knee(distances, rng) if len(repeated) else None
    return curve, found, distances.astype(np.int32)  # there are at most 2^31 distinct rows
