"""DLRM: dense features through an MLP, categorical features through tables, their interaction through an MLP.

Naumov et al. 2019, Deep Learning Recommendation Model for Personalization and Recommendation Systems,
arXiv 1906.00091.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from .. import HotrowError
from .config import ModelConfig
from .embedding import Table, check_lookups, make_table
from .flat import FlatTables
from .initial import fill_normal
from .interaction import Interaction, make_interaction
from .memory import require_memory
from .roles import role


class DLRM(nn.Module):
    """The model that `config` describes, its weights drawn from `seed`; dtype is float32 or bfloat16.

    own: numbers of the tables to have, all if left out; without some it is one process's part of a larger model, with
    the same weights. Raises HotrowError, before anything is allocated, where the parameters exceed the free memory.
    """

    bottom: nn.Sequential
    top: nn.Sequential
    tables: nn.ModuleList
    interaction: Interaction

    def __init__(
        self,
        config: ModelConfig,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
        own: Collection[int] | None = None,
    ) -> None:
        super().__init__()
        kept = {k: table for k, table in enumerate(config.tables) if own is None or k in own}
        needed = config.dense_parameters + sum(table.parameters for table in kept.values())
        require_memory(needed * dtype.itemsize, f"model {config.name!r}")
        self.config, self.dtype = config, dtype
        self.output_dtype = torch.promote_types(dtype, torch.float32)
        self.bottom = _mlp(config.bottom_layers, config.sigmoid_bottom, dtype)
        flat = FlatTables([(rows, table.dim) for table in kept.values() for rows in table.stored_rows], dtype)
        self.tables = nn.ModuleList(
            make_table(table, config.dim, dtype, flat) if k in kept else nn.Identity()
            for k, table in enumerate(config.tables)
        )
        self.interaction = make_interaction(config, dtype)
        self.top = _mlp(config.top_layers[:-1], config.sigmoid_top, dtype)
        self.top.append(_linear(*config.top_layers[-1], dtype))  # its activation comes after the logits
        self.sigmoid_last = config.sigmoid_top in (None, len(config.top) - 1)
        initialize(self, seed)

    def forward(self, dense: Tensor, indices: Sequence[Tensor], offsets: Sequence[Tensor]) -> Tensor:
        """Click probability [samples] of dense [samples, D] and, per table, indices and offsets.

        It is float32 where the weights are bfloat16. Sample s of a table looks up indices[offsets[s]:offsets[s + 1]];
        offsets hold samples or samples + 1 integers, of the same type as the indices. Raises HotrowError naming what
        does not fit.
        """
        logits = self.logits(dense, indices, offsets)
        with role("top"):
            return torch.sigmoid(logits) if self.sigmoid_last else torch.relu(logits)

    def logits(self, dense: Tensor, indices: Sequence[Tensor], offsets: Sequence[Tensor]) -> Tensor:
        """As forward, before the last activation."""
        with role("check"):
            self.check(dense, indices, offsets)
        with role("bottom"):
            bottom = self.bottom(dense.to(self.dtype))
        with role("embedding"):
            pooled = [
                self.pool_table(k, rows, starts, len(dense))
                for k, (rows, starts) in enumerate(zip(indices, offsets, strict=True))
            ]
        with role("interaction"):
            vectors = self.interaction(bottom, pooled)
            del bottom, pooled  # freed here, not when the batch is done
        with role("top"):
            logits: Tensor = self.top(vectors).squeeze(1).to(self.output_dtype)
        return logits

    def check(self, dense: Tensor, indices: Sequence[Tensor], offsets: Sequence[Tensor]) -> None:
        """Raise HotrowError naming what has not the shape that forward takes; the ids themselves are not looked at."""
        if dense.ndim != 2 or dense.shape[1] != self.config.dense:
            raise HotrowError(f"dense has shape {tuple(dense.shape)}; this model takes [samples, {self.config.dense}]")
        if not len(indices) == len(offsets) == len(self.tables):
            raise HotrowError(
                f"indices of {len(indices)} and offsets of {len(offsets)} tables; this model has {len(self.tables)}"
            )
        samples = len(dense)
        for config, starts in zip(self.config.tables, offsets, strict=True):
            if len(starts) not in (samples, samples + 1):
                raise HotrowError(
                    f"table {config.name!r}: {len(starts)} offsets; {samples} samples need {samples} or {samples + 1}"
                )

    def pool_table(self, number: int, rows: Tensor, starts: Tensor, samples: int) -> Tensor:
        """Pooled vectors [samples, dim] of one table. Raises HotrowError naming table, sample and index."""
        try:
            pooled: Tensor = self.tables[number](rows, starts, len(starts) > samples)
        except (IndexError, RuntimeError):
            check_lookups(self.config.tables[number], rows, starts)
            raise
        return pooled


def initialize(model: DLRM, seed: int) -> None:
    """Draw all weights: linear N(0, 2/(m + n)), bias N(0, 1/m) for m outputs and n inputs; the rest by their own rule.

    Every part has a stream of its own (numpy's SeedSequence), so that they do not depend on one another.
    """
    layers = [layer for layer in (*model.bottom, *model.top) if isinstance(layer, nn.Linear)]
    parts = [*model.tables, model.interaction]
    streams = iter(np.random.SeedSequence(seed).spawn(len(layers) + len(parts)))
    for layer in layers:
        rng = np.random.default_rng(next(streams))
        outputs, inputs = layer.weight.shape
        fill_normal(layer.weight, (2 / (outputs + inputs)) ** 0.5, rng)
        fill_normal(layer.bias, (1 / outputs) ** 0.5, rng)
    for part in parts:
        rng = np.random.default_rng(next(streams))
        if isinstance(part, Table | Interaction):  # not a table that another process has
            part.initialize(rng)


def _mlp(layers: Sequence[tuple[int, int]], sigmoid: int | None, dtype: torch.dtype) -> nn.Sequential:
    """Linear and ReLU in turn, a sigmoid at layer number `sigmoid`; weights unset."""
    parts: list[nn.Module] = []
    for k, (inputs, outputs) in enumerate(layers):
        parts += [_linear(inputs, outputs, dtype), nn.Sigmoid() if k == sigmoid else nn.ReLU()]
    return nn.Sequential(*parts)


def _linear(inputs: int, outputs: int, dtype: torch.dtype) -> nn.Linear:
    return nn.Linear(inputs, outputs, device="meta", dtype=dtype).to_empty(device="cpu")
