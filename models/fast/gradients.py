"""BagGradients: what a backward pass says about the rows of plain tables, and how rows change by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .lookups import Lookups, PlainTables
from .pooling import subtract_bags, sum_by_row


@dataclass(frozen=True, eq=False)
class BagGradients:
    """One backward pass's gradients of pooled vectors; every row of a bag has its bag's.

    tables: which; lookups: theirs; gradient: float32 [samples, V, dim], a table's in its column.
    """

    tables: PlainTables
    lookups: Lookups
    gradient: Tensor

    def subtract(self, rate: float) -> None:
        """Every looked-up row loses `rate` times its bag's gradient: a step of SGD."""
        tables, lookups = self.tables, self.lookups
        subtract_bags(
            tables.addresses,
            tables.rows,
            tables.config.dim,
            lookups.indices,
            lookups.counts,
            lookups.offsets,
            lookups.ends,
            lookups.wide,
            tables.columns,
            self.gradient.numpy(),
            np.float32(rate),
        )


def row_gradients(passes: Sequence[BagGradients], table: int, slots: Any) -> tuple[Tensor, Tensor]:
    """The distinct rows of one table and their gradients summed over all passes: int64 [n], float32 [n, dim].

    table: its place among the passes' tables. slots: int32 zeros [table's rows], zeros again afterwards.
    """
    room = min(sum(len(part.lookups.ids[table]) for part in passes), len(slots))
    rows, used = np.empty(room, np.int64), 0
    sums = np.empty((room, passes[0].gradient.shape[2]), np.float32)
    for part in passes:
        ids, starts = part.lookups.ids[table].numpy(), part.lookups.starts[table].numpy()
        used = sum_by_row(ids, starts, part.tables.columns[table], part.gradient.numpy(), slots, rows, sums, used)
    slots[rows[:used]] = 0
    return torch.from_numpy(rows[:used]), torch.from_numpy(sums[:used])
