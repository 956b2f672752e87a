"""DLRM: dense features through an MLP, categorical features through tables, their interaction through an MLP.

Naumov et al. 2019, Deep Learning Recommendation Model for Personalization and Recommendation Systems,
arXiv 1906.00091.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from .. import HotrowError
from .config import ModelConfig
from .embedding import Table, check_lookups, make_table
from .interaction import make_interaction
from .memory import require_memory
from .roles import role


class DLRM(nn.Module):
    """The model that `config` describes, its weights drawn from `seed`.

    Raises HotrowError, before anything is allocated, where the parameters exceed the free memory.
    """

    bottom: nn.Sequential
    top: nn.Sequential
    tables: nn.ModuleList

    def __init__(self, config: ModelConfig, seed: int = 0) -> None:
        super().__init__()
        require_memory(config.bytes, f"model {config.name!r}")
        self.config = config
        self.bottom = _mlp(config.bottom_layers)
        self.tables = nn.ModuleList(make_table(table) for table in config.tables)
        self.interaction = make_interaction(config)
        self.top = _mlp(config.top_layers, closing=False)  # the last layer's activation is the sigmoid
        initialize(self, seed)

    def forward(self, dense: Tensor, indices: Sequence[Tensor], offsets: Sequence[Tensor]) -> Tensor:
        """Click probability [samples] of dense [samples, D] and, per table, indices and offsets.

        Sample s of a table looks up indices[offsets[s]:offsets[s + 1]]; offsets hold samples or samples + 1
        integers, of the same type as the indices. Raises HotrowError naming what does not fit.
        """
        logits = self.logits(dense, indices, offsets)
        with role("top"):
            return torch.sigmoid(logits)

    def logits(self, dense: Tensor, indices: Sequence[Tensor], offsets: Sequence[Tensor]) -> Tensor:
        """As forward, before the sigmoid."""
        if dense.ndim != 2 or dense.shape[1] != self.config.dense:
            raise HotrowError(f"dense has shape {tuple(dense.shape)}; this model takes [samples, {self.config.dense}]")
        with role("bottom"):
            bottom = self.bottom(dense)
        with role("embedding"):
            pooled = self._pool(indices, offsets, len(dense))
        with role("interaction"):
            vectors = self.interaction(bottom, pooled)
        with role("top"):
            logits: Tensor = self.top(vectors).squeeze(1)
        return logits

    def _pool(self, indices: Sequence[Tensor], offsets: Sequence[Tensor], samples: int) -> list[Tensor]:
        if not len(indices) == len(offsets) == len(self.tables):
            raise HotrowError(
                f"indices of {len(indices)} and offsets of {len(offsets)} tables; this model has {len(self.tables)}"
            )
        pooled = []
        for table, config, rows, starts in zip(self.tables, self.config.tables, indices, offsets, strict=True):
            if len(starts) not in (samples, samples + 1):
                raise HotrowError(
                    f"table {config.name!r}: {len(starts)} offsets; {samples} samples need {samples} or {samples + 1}"
                )
            try:
                pooled.append(table(rows, starts, len(starts) > samples))
            except (IndexError, RuntimeError):
                check_lookups(config, rows, starts)
                raise
        return pooled


def initialize(model: DLRM, seed: int) -> None:
    """Draw all weights: linear N(0, 2/(m + n)), bias N(0, 1/m) for m outputs and n inputs; tables by their own rule.

    Every layer and table has a stream of its own (numpy's SeedSequence), so that they do not depend on one another.
    """
    layers = [layer for layer in (*model.bottom, *model.top) if isinstance(layer, nn.Linear)]
    tables = [table for table in model.tables if isinstance(table, Table)]
    streams = iter(np.random.SeedSequence(seed).spawn(len(layers) + len(tables)))
    for layer in layers:
        rng = np.random.default_rng(next(streams))
        outputs, inputs = layer.weight.shape
        _fill_normal(layer.weight, (2 / (outputs + inputs)) ** 0.5, rng)
        _fill_normal(layer.bias, (1 / outputs) ** 0.5, rng)
    for table in tables:
        table.initialize(np.random.default_rng(next(streams)))


def _fill_normal(weight: Tensor, deviation: float, rng: np.random.Generator) -> None:
    values = weight.detach().numpy()
    rng.standard_normal(out=values, dtype=np.float32)
    values *= np.float32(deviation)


def _mlp(layers: Iterable[tuple[int, int]], closing: bool = True) -> nn.Sequential:
    """Linear and ReLU in turn, the last ReLU only if `closing`; weights unset, so that nothing is drawn for nothing."""
    parts: list[nn.Module] = []
    for inputs, outputs in layers:
        parts += [nn.Linear(inputs, outputs, device="meta").to_empty(device="cpu"), nn.ReLU()]
    return nn.Sequential(*(parts if closing else parts[:-1]))
