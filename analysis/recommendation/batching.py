"""Batching: rows that a batch asks for more than once, and the bytes that fetching each row once saves."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ... import HotrowError
from ...jit import kernel
from ...tracegen.trace import TableLookups
from ..stack.dense_ids import dense_ids


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

    Raises HotrowError unless both are whole numbers and the trace holds at least one whole batch.
    """
    if not isinstance(batch, int | np.integer) or not 1 <= batch <= table.samples:
        raise HotrowError(f"batches of {batch} samples; choose a whole number from 1 to {table.samples}, the trace's")
    if not isinstance(row_bytes, int | np.integer) or row_bytes < 1:
        raise HotrowError(f"rows of {row_bytes} bytes; a row has at least 1, a whole number")
    batches = table.samples // batch
    in_batch = batches * batch
    end = in_batch if table.offsets is None else int(table.offsets[in_batch])
    numbers, rows = dense_ids(table.indices)
    offsets = np.arange(table.samples + 1) if table.offsets is None else table.offsets
    again, in_bags = _repeats(numbers, rows, offsets, batch)
    lookups = end / batches
    distinct = (end - again) / batches
    duplicates = in_bags / table.accesses if table.accesses else 0.0
    return BatchReuse(table.name, batch, batches, lookups, distinct, duplicates, (lookups - distinct) * row_bytes)


@kernel
def _repeats(numbers: Any, rows: int, offsets: Any, batch: int) -> tuple[int, int]:
    """Lookups whose row stood earlier in the same whole batch, and those whose row stood earlier in the same bag."""
    last_batch = np.full(rows, -1, np.int64)
    last_bag = np.full(rows, -1, np.int64)
    whole = (len(offsets) - 1) // batch
    again, in_bags = 0, 0
    for sample in range(len(offsets) - 1):
        group = sample // batch
        for k in range(offsets[sample], offsets[sample + 1]):
            row = numbers[k]
            in_bags += last_bag[row] == sample
            last_bag[row] = sample
            again += group < whole and last_batch[row] == group
            last_batch[row] = group
    return again, in_bags
