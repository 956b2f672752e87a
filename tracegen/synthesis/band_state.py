"""The state of the depth-band design: rows on an LRU stack, bands, and room for a tree of sums of weights."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .band_stack import BLOCK, LEFT, SHIFT, SLOWEST

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Nodes = NDArray[np.int32]


class BandStack(NamedTuple):
    """What changes from access to access.

    node int32 [rows, 8]: the rows above and below in the stack (−1 at the ends), band, weight, place in the tree's
    order (−1 before birth), lookups left. row_at: the row at every place. tree: sums of weights over
    … 1024, 32, 1 places, and 8 zeros; levels: where each begins. ends: newest and oldest row, rows
    born, next free place. first: top row of every band. band float64 [6, bins and some zeros]: weight, accesses to be
    made, usual weight and its inverse, weight over usual, accesses × that ratio. planned: lookups left of a
    hot row in this window. period: accesses between two looks at every band. sums: room for those of blocks of bands.
    """

    node: Nodes
    row_at: Nodes
    tree: Ints
    levels: Ints
    ends: Nodes
    first: Nodes
    band: Floats
    planned: Floats
    period: Ints
    sums: Floats


def empty_stack(counts: Ints, hot: int, edges: Ints) -> BandStack:
    """Room for rows of these lookups, of which the first `hot` have plans, and for bands between `edges`."""
    rows, bins = len(counts), len(edges) - 1
    sizes = [2 * rows + 64]
    while sizes[0] > 2 << SHIFT:
        sizes.insert(0, (sizes[0] >> SHIFT) + 1)
    node = np.full((rows, 8), -1, np.int32)
    band = np.zeros((6, ((bins + 3) // BLOCK + 1) * BLOCK))  # at least 3 zeros behind, see band_stack._sum
    node[:, LEFT] = counts
    return BandStack(
        node=node,
        row_at=np.zeros(sizes[-1], np.int32),
        tree=np.zeros(sum(sizes) + 8, np.int64),
        levels=np.cumsum([0, *sizes[:-1]]),
        ends=np.array([-1, -1, 0, 0], np.int32),
        first=np.full(bins, -1, np.int32),
        band=band,
        planned=np.zeros(hot),
        period=_periods(edges),
        sums=np.zeros(band.shape[1] // BLOCK),
    )


def _periods(edges: Ints) -> Ints:
    """Accesses between two looks at every band: powers of two that never fall, about half the band's rows."""
    period = np.ones(len(edges) - 1, np.int64)
    for b in range(1, len(period)):
        period[b] = period[b - 1]
        while 4 * period[b] <= edges[b + 1] - edges[b] and period[b] < SLOWEST:
            period[b] *= 2
    return period
