"""Int8 tables: a model whose tables are read as bytes, with a scale and a bias in every row, as FBGEMM pools them.

FBGEMM's fused 8-bit row-wise format: a row of d numbers takes d + 8 bytes (float32 scale and bias); sums are float32.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ... import HotrowError
from ...models.dlrm import DLRM
from ...models.embedding import PlainTable

CHUNK = 1 << 20  # rows packed at once, so that a large table is not copied whole


class Int8Table(nn.Module):
    """A frozen plain table without weights or projection; called as models.embedding's tables are."""

    def __init__(self, table: PlainTable) -> None:
        super().__init__()
        parts = [torch.ops.quantized.embedding_bag_byte_prepack(rows.detach()) for rows in table.weight.split(CHUNK)]
        self.packed = torch.cat(parts)

    def forward(self, indices: Tensor, offsets: Tensor, closed: bool) -> Tensor:
        """Pooled vectors [samples, dim]."""
        pool = torch.ops.quantized.embedding_bag_byte_rowwise_offsets
        pooled: Tensor = pool(self.packed, indices, offsets, False, 0, False, None, None, closed)
        return pooled


def quantize_tables(model: DLRM) -> DLRM:
    """`model` with every table in int8; HotrowError where a table is not plain, weighted or narrower than the model."""
    for k, table in enumerate(model.tables):
        if not isinstance(table, PlainTable) or table.weights != "none" or table.projected:
            raise HotrowError(
                f"table {model.config.tables[k].name!r}: int8 is for plain tables of the model's dimension"
            )
        model.tables[k] = Int8Table(table)
    return model
