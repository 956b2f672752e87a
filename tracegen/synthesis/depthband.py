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
from ..packed import Packed
from ..profile import TableLocality, TableProfile
from .ages import Ages, fitted_ages
from .band_stack import draw
from .band_state import empty_stack
from .depths import depth_edges, implied_depths, whole
from .rows import Rows

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

PARTS = 1_000  # factors are stored in thousandths
RARE = 1e-5  # share of lookups below which a bin's part is not told from another
LARGEST_STEP = 2.0  # of a factor


class Demand(NamedTuple):
    """What a table's statistics ask of every window: ages as fitted, and lookups per window × stack-distance bin."""

    ages: Ages
    depths: Floats

    @classmethod
    def of(cls, table: TableProfile, locality: TableLocality) -> Demand:
        """The same for every trace of the table, so made once where several are generated."""
        ages = fitted_ages(table, locality)
        width = window_length(locality.length, len(ages.demand))
        return cls(ages, implied_depths(ages.demand, locality.length, width, table.distinct))

    def corrected(self, factors: Packed | None) -> Demand:
        """The same with every bin's lookups, but for first ones, multiplied; factors: a profile's, in thousandths."""
        if factors is None:
            return self
        depths = self.depths.copy()
        depths[:, :-1] *= factors.array() / PARTS
        return self._replace(depths=depths)


def lacking(asked: Floats, made: Floats, before: Packed | None) -> Packed:
    """Factors that ask of every bin for what a trace made by the factors `before` lacks or has too much.

    asked, made: lookups per stack-distance bin, without first ones.
    """
    floor = asked.sum() * RARE
    steps = np.clip((asked + floor) / (made + floor), 1 / LARGEST_STEP, LARGEST_STEP)
    known = np.ones(len(asked)) if before is None else before.array() / PARTS
    return Packed.of(np.round(known * steps * PARTS).astype(np.int64))


class Bands(NamedTuple):
    """Row numbers per filled slot, and the share of accesses whose band held no eligible row."""

    order: Ints
    fallback: float


def depthband(rows: Rows, locality: TableLocality, asked: Demand, slots: Ints, rng: np.random.Generator) -> Bands:
    """Row numbers in time order; slots: rising slots of the clock that are filled, one per access."""
    length = locality.length
    width = window_length(length, len(asked.depths))
    filled = np.bincount(slots // width, minlength=len(asked.depths))
    edges = depth_edges(len(rows.counts))
    state = empty_stack(rows.counts, len(rows.activity), edges)
    out = np.empty(len(slots), np.int64)
    missed = draw(
        state,
        out,
        slots,
        whole(asked.depths, filled),
        edges,
        np.argsort(rows.births + rng.random(len(rows.births)), kind="stable"),
        rows.births + rows.spans,
        asked.ages.deaths,
        np.ascontiguousarray(rows.activity.T),
        length,
        width,
        rng,
    )
    return Bands(out, missed / max(len(slots), 1))
