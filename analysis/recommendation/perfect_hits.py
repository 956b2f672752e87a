"""Perfect hits: samples whose lookups all hit, the ones that need no slow memory at all.

A table's hit ratio says little about them: with 26 keys a sample, tables that hit 60–90 % each left only 1–50 % of the
samples whole (EVStore, ASPLOS 2023).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ... import HotrowError
from ...tracegen.trace import TableLookups, Trace
from ..reuse_distance import stack_distances


def needed_capacity(table: TableLookups, distances: NDArray[np.integer] | None = None) -> NDArray[np.int64]:
    """Per sample, the fewest rows of LRU cache for which all its lookups hit, int64 [samples].

    0 for an empty bag; the largest int64 where a lookup is its row's first. distances: the stack distances of the
    table's lookups, integers [accesses], where they are known already.
    """
    if distances is None:
        distances = stack_distances(table.indices)
    elif distances.shape != (table.accesses,):
        raise HotrowError(f"table {table.name!r}: {distances.shape} stack distances for {table.accesses} lookups")
    needed = np.where(distances < 0, np.iinfo(np.int64).max, distances + np.int64(1))
    if table.offsets is None:
        return needed
    worst = np.zeros(table.samples, np.int64)
    filled = np.flatnonzero(np.diff(table.offsets))
    if len(filled):
        worst[filled] = np.maximum.reduceat(needed, table.offsets[filled])
    return worst


def perfect_hit_ratio(
    trace: Trace, capacities: Sequence[Sequence[int]], distances: Sequence[NDArray[np.integer]] | None = None
) -> NDArray[np.float64]:
    """Share of samples all of whose lookups hit; one LRU cache per table, cold start.

    capacities: settings, each with one capacity in rows per table; the result is float64 [settings]. distances: the
    stack distances of each table's lookups, where they are known already.
    Raises HotrowError where a setting does not have one capacity per table, or a capacity is negative.
    """
    settings = np.array(capacities, np.int64).reshape(len(capacities), -1)
    if settings.shape[1:] != (len(trace.tables),) or settings.min(initial=0) < 0:
        raise HotrowError(
            f"capacities of shape {settings.shape}; each setting needs one number of rows, at least 0, for each of "
            f"the {len(trace.tables)} tables"
        )
    perfect = np.ones((len(settings), trace.samples), bool)
    known = [None] * len(trace.tables) if distances is None else distances
    for k, (table, measured) in enumerate(zip(trace.tables, known, strict=True)):
        perfect &= needed_capacity(table, measured)[None, :] <= settings[:, k, None]
    return perfect.mean(axis=1) if trace.samples else np.zeros(len(settings))
