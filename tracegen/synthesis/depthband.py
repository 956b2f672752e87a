"""Depth-band design: the age matrix's stack distances say how deep, the rows' intensities say who.

A window's multiset of stack-distance bins is used up slot by slot. A bin names a band of the LRU stack; among the
band's rows that have lookups left, one is drawn by weight: its remaining lookups over its remaining time. Counts are
exact by construction, and the LRU curve follows the multiset.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..locality import window_length
from ..profile import TableLocality
from .ages import Ages
from .band_stack import draw
from .band_state import empty_stack
from .depths import depth_edges, implied_depths, whole
from .rows import Rows

Ints = NDArray[np.int64]


class Bands(NamedTuple):
    """Row numbers per filled slot, and the share of accesses whose band held no eligible row."""

    order: Ints
    fallback: float


def depthband(rows: Rows, locality: TableLocality, ages: Ages, slots: Ints, rng: np.random.Generator) -> Bands:
    """Row numbers in time order; slots: rising slots of the clock that are filled, one per access."""
    length = locality.length
    width = window_length(length, len(ages.demand))
    filled = np.bincount(slots // width, minlength=len(ages.demand))
    depths = implied_depths(ages.demand, length, width, len(rows.counts))
    edges = depth_edges(len(rows.counts))
    state = empty_stack(rows.counts, len(rows.activity), edges)
    out = np.empty(len(slots), np.int64)
    missed = draw(
        state,
        out,
        slots,
        whole(depths, filled),
        edges,
        np.argsort(rows.births + rng.random(len(rows.births)), kind="stable"),
        rows.births + rows.spans,
        ages.deaths,
        np.ascontiguousarray(rows.activity.T),
        length,
        width,
        rng,
    )
    return Bands(out, missed / max(len(slots), 1))
