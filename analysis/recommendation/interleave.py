"""Interleave: the lookups of all tables in the order a model makes them, sample by sample and table by table."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...tracegen.trace import Trace
from ..stack.dense_ids import dense_ids

MOST_IDS = 2**62  # beyond, rows are numbered anew so that shared ids stay int64


def bases(trace: Trace) -> NDArray[np.int64]:
    """First shared id of every table when all rows of all tables are numbered through, int64 [tables + 1].

    Touched id ranges count, not declared rows; `numbered` first where they could leave int64.
    """
    tops = [int(table.indices.max()) + 1 if table.accesses else 0 for table in trace.tables]
    return np.concatenate(([0], np.cumsum(tops, dtype=np.int64)))


def numbered(trace: Trace) -> Trace:
    """The trace itself, or with rows numbered by first lookup where the ids of all tables together leave int64."""
    if sum(int(table.indices.max()) + 1 for table in trace.tables if table.accesses) <= MOST_IDS:
        return trace
    tables = []
    for table in trace.tables:
        numbers, rows = dense_ids(table.indices)
        tables.append(replace(table, rows=rows, indices=numbers))
    return replace(trace, tables=tuple(tables))


def positions(trace: Trace) -> list[NDArray[np.int64]]:
    """Per table, where each of its lookups stands in the interleaved order, int64 [accesses]."""
    sizes = np.stack([table.bag_sizes() for table in trace.tables], axis=1)
    starts = (np.cumsum(sizes.reshape(-1)) - sizes.reshape(-1)).reshape(sizes.shape)
    return [
        starts[:, k]
        if table.offsets is None
        else np.repeat(starts[:, k] - table.offsets[:-1], sizes[:, k]) + np.arange(table.accesses)
        for k, table in enumerate(trace.tables)
    ]


def interleaved(trace: Trace) -> NDArray[np.int64]:
    """Shared ids of all lookups in the model's order, int64 [accesses]; rows of different tables never coincide."""
    trace = numbered(trace)
    ids = np.empty(trace.accesses, np.int64)
    for table, where, base in zip(trace.tables, positions(trace), bases(trace), strict=False):
        ids[where] = table.indices + base
    return ids
