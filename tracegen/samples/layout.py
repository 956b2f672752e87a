"""Layout: which row numbers a synthetic table's rows get, so that pages of neighbouring rows are shared as in the log.

Real numbers never leave. What is released is the reuse-time histogram of pages of `PAGE_ROWS` rows; a layout is chosen
by the LRU curve of pages that this histogram implies (average eviction time; Hu et al., USENIX ATC 2016).
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..clock import ClockedTable, dense
from ..locality import Reuse, reuse_edges

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Layout = Literal["random", "frequency", "arrival", "last use", "families"]

LAYOUTS: tuple[Layout, ...] = get_args(Layout)
PAGE_ROWS = 32
FAMILY = 8  # rows that arrive together and stay together
POINTS = 24


def page_reuse(table: ClockedTable) -> Ints:
    """Accesses per reuse-time bin of the page they fall on, int64 [bins]; a page is a coarser row on the same clock."""
    pages, page_of_row = dense(table.ids // PAGE_ROWS)
    reuse = Reuse(table.length)
    reuse.add(page_of_row[table.numbers], table.slots, len(pages))
    return reuse.found


def numbered(layout: Layout, order: Ints, rows: int, declared: int, rng: np.random.Generator) -> Ints:
    """A row number for each of `rows` rows, most popular first; order: the rows as a trace looks them up."""
    if layout == "random":
        return rng.choice(declared, rows, replace=False).astype(np.int64)
    if layout == "frequency":
        return np.arange(rows)
    seen = order[::-1] if layout == "last use" else order
    found, first = np.unique(seen, return_index=True)
    when = np.full(rows, len(seen))
    when[found] = first
    rank = np.empty(rows, np.int64)
    rank[np.argsort(when, kind="stable")] = np.arange(rows)
    if layout == "families":
        whole, needed = declared // FAMILY, -(-rows // FAMILY)
        families = np.append(rng.choice(whole, min(whole, needed), replace=False), whole)[:needed]
        return np.asarray(families[rank // FAMILY] * FAMILY + rank % FAMILY, np.int64)
    return rank


def implied_curve(reuse: Ints, accesses: int, length: int, sizes: Floats) -> Floats:
    """LRU miss ratios at `sizes` pages by the average eviction time, from a reuse histogram that may be noisy."""
    edges = reuse_edges(length).astype(np.float64)
    known = np.maximum(reuse.astype(np.float64), 0)
    survival = 1 - np.concatenate(([0], np.cumsum(known))) / max(known.sum() + 1, accesses)
    density = max(accesses, 1) / max(length, 1)  # lookups per slot
    area = np.concatenate(([0], np.cumsum((survival[:-1] + survival[1:]) / 2 * np.diff(edges)))) * density
    return np.asarray(np.interp(sizes, area, survival))


def page_sizes(rows: int) -> Floats:
    """Capacities in pages at which layouts are compared."""
    return np.geomspace(1, max(2, rows / PAGE_ROWS), POINTS)
