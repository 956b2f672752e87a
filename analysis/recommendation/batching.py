"""Batching: rows that a batch asks for more than once, and the bytes that fetching each row once saves."""

from dataclasses import dataclass

import numpy as np

from ... import HotrowError
from ...tracegen.trace import TableLookups


@dataclass(frozen=True)
class BatchReuse:
    """One table at one batch size, over its whole batches.

    lookups, distinct: means per batch. duplicates_in_bags: share of all lookups whose row stood earlier in the same
    bag. saved_bytes: per batch, if a row that is asked for twice is fetched once.
    """

    table: str
    batch: int
    batches: int
    lookups: float
    distinct: float
    duplicates_in_bags: float
    saved_bytes: float

    @property
    def distinct_ratio(self) -> float:
        """Distinct rows over lookups: 1 where batching saves nothing; 0 without lookups."""
        return self.distinct / self.lookups if self.lookups else 0.0


def batch_reuse(table: TableLookups, batch: int, row_bytes: int) -> BatchReuse:
    """Reuse within batches of `batch` consecutive samples; the samples left over at the end are not counted.

    Raises HotrowError unless the trace holds at least one whole batch.
    """
    batches = table.samples // batch if batch > 0 else 0
    if not batches:
        raise HotrowError(f"batches of {batch} samples; choose 1 to {table.samples}, the samples of the trace")
    in_batch = batches * batch
    end = in_batch if table.offsets is None else int(table.offsets[in_batch])
    sample = _samples(table)[:end]
    lookups, distinct = end / batches, _distinct_pairs(sample // batch, table.indices[:end]) / batches
    duplicates = 1 - _distinct_pairs(_samples(table), table.indices) / table.accesses if table.accesses else 0.0
    return BatchReuse(table.name, batch, batches, lookups, distinct, duplicates, (lookups - distinct) * row_bytes)


def _samples(table: TableLookups) -> np.ndarray:
    """The sample of every lookup."""
    return np.repeat(np.arange(table.samples), table.bag_sizes())


def _distinct_pairs(group: np.ndarray, row: np.ndarray) -> int:
    """How many different (group, row) there are; groups do not fall."""
    if not len(row):
        return 0
    order = np.lexsort((row, group))
    group, row = group[order], row[order]
    return 1 + int(np.count_nonzero((group[1:] != group[:-1]) | (row[1:] != row[:-1])))
