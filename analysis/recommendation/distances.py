"""Distances: how far a generated table is from released statistics, less what their noise alone would make."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...tracegen import locality as measured
from ...tracegen.clock import ClockedTable
from ...tracegen.generate import Synthesis
from ...tracegen.profile import TableLocality
from ..fidelity import by_lag

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def drift_distance(locality: TableLocality, made: Synthesis) -> float:
    """Mean difference, by lag, of the hot rows' cosine similarity between windows: released against generated."""
    released = locality.windows.array().astype(np.float64)
    if not len(released):
        return 0.0
    hot = made.order < len(released)
    window = made.slots[hot] * measured.SHAPE_WINDOWS // locality.length
    flat = np.bincount(
        made.order[hot] * measured.SHAPE_WINDOWS + window, minlength=len(released) * measured.SHAPE_WINDOWS
    )
    ours = flat.reshape(len(released), measured.SHAPE_WINDOWS).astype(np.float64)
    theirs = _lags(released, locality.noise["windows"])
    return float(np.abs(theirs - _lags(ours, 0.0)).mean())


def _lags(windows: Floats, noise: float) -> Floats:
    """Cosine similarity by lag of the columns; noise, which makes columns longer but not alike, is taken off."""
    lengths = np.maximum((windows**2).sum(0) - len(windows) * noise**2, 0.25 * (windows**2).sum(0) + 1e-9)
    return by_lag((windows / np.sqrt(lengths)).T)


def pairs_distance(locality: TableLocality, seen: measured.History) -> float:
    """Total variation between released and generated consecutive reuse times, less what noise alone would give."""
    released = locality.pairs.array().astype(np.float64)
    total = np.maximum(released, 0).sum()
    if total <= 0:
        return 0.0
    ours = seen.pairs.astype(np.float64)
    noise = released.size * locality.noise["pairs"] / 2 / total
    distance = float(np.abs(released / total - ours / max(ours.sum(), 1)).sum() / 2)
    return max(0.0, float(distance - noise))


def spans_distance(locality: TableLocality, seen: measured.History) -> float:
    """Mean distance of cumulated spans, released against generated, over count classes by their lookups.

    The square of the noise's own part is taken off the squared distance, so that noise favours nobody.
    """
    ours = measured.span_table(seen, locality.length).astype(np.float64)
    rows = np.maximum(ours.sum(1), 1)
    apart = np.cumsum(locality.spans.array() - ours, axis=1)[:, :-1] / rows[:, None]
    cells = np.arange(1, apart.shape[1] + 1)
    noise = cells.mean() * (locality.noise["spans"] / rows) ** 2
    distance = np.sqrt(np.clip((apart**2).mean(1) - noise, 0, 1))
    lookups = np.bincount(measured.count_class(seen.counts), seen.counts, minlength=len(ours)) * (ours.sum(1) > 0)
    return float(distance @ lookups / max(lookups.sum(), 1))


def clocked(locality: TableLocality, made: Synthesis, declared: int) -> ClockedTable:
    """A generated table on the profile's clock."""
    ids = np.arange(int(made.order.max()) + 1)
    return ClockedTable("", declared, locality.samples, locality.per_sample, False, ids, made.order, made.slots)
