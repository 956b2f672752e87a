"""QuantizedTables: a model's plain tables with quantized rows, pooled where they stand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..config import ModelConfig
from ..fast.lookups import Lookups, PlainTables, addresses, explain
from ..flat import FlatTables
from .pooling import FINE, pool_quantized_tables
from .rows import quantize_rows, row_bytes, unit_of

SLICE = 2**16  # rows quantized at a time


@dataclass(frozen=True, eq=False)
class QuantizedTables:
    """Quantized rows in one allocation; otherwise as PlainTables. units: of each table's scales."""

    config: ModelConfig
    bits: int
    numbers: tuple[int, ...]
    packed: tuple[Tensor, ...]
    units: NDArray[np.float32]
    addresses: NDArray[np.int64]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]

    @classmethod
    def of(cls, plain: PlainTables, bits: int) -> QuantizedTables:
        """Quantize every row of the plain tables, which are not needed afterwards."""
        width = row_bytes(plain.config.dim, bits)
        flat = FlatTables([(len(weight), width) for weight in plain.weights], torch.uint8)
        packed, units = [], []
        for weight in plain.weights:
            rows, unit = flat(len(weight), width), unit_of(weight)
            for start in range(0, len(weight), SLICE):
                codes = quantize_rows(weight[start : start + SLICE].numpy(), bits, unit)
                rows[start : start + SLICE] = torch.from_numpy(codes)
            packed.append(rows)
            units.append(unit)
        return cls(
            plain.config,
            bits,
            plain.numbers,
            tuple(packed),
            np.array(units, np.float32),
            addresses(packed),
            plain.rows,
            plain.columns,
        )

    def pool(self, lookups: Lookups, samples: int, start: int, stop: int, out: NDArray[np.float32]) -> None:
        """As PlainTables.pool."""
        bad: int = pool_quantized_tables(
            self.addresses,
            self.rows,
            self.config.dim,
            self.bits,
            self.units,
            lookups.indices,
            lookups.counts,
            lookups.offsets,
            lookups.ends,
            lookups.wide,
            start,
            stop,
            self.columns,
            out,
        )
        if bad != FINE:
            explain(self.config, self.numbers, lookups, bad)
