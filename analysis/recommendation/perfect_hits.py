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


def needed_capacity(table: TableLookups) -> NDArray[np.int64]:
    """Per sample, the fewest rows of LRU cache for which all its lookups hit, int64 [samples].

    0 for an empty bag; the largest int64 where a lookup is its row's first.
    """
    distances = stack_distances(table.indices)
    needed = np.where(distances < 0, np.iinfo(np.int64).max, distances + 1)
    if table.offsets is None:
        return needed
    worst = np.zeros(table.samples, np.int64)
    filled = np.flatnonzero(np.diff(table.offsets))
    if len(filled):
        worst[filled] = np.maximum.reduceat(needed, table.offsets[filled])
    return worst


def perfect_hit_ratio(trace: Trace, capacities: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """Share of samples all of whose lookups hit; one LRU cache per table, cold start.

    capacities: settings, each with one capacity in rows per table; the result is float64 [settings].
    Raises HotrowError where a setting does not have one capacity per table, or a capacity is negative.
    """
    settings = np.array(capacities, np.int64).reshape(len(capacities), -1)
    if settings.shape[1:] != (len(trace.tables),) or settings.min(initial=0) < 0:
        raise HotrowError(
            f"capacities of shape {settings.shape}; each setting needs one number of rows, at least 0, for each of "
            f"the {len(trace.tables)} tables"
        )
    perfect = np.ones((len(settings), trace.samples), bool)
    for k, table in enumerate(trace.tables):
        perfect &= needed_capacity(table)[None, :] <= settings[:, k, None]
    return perfect.mean(axis=1) if trace.samples else np.zeros(len(settings))
