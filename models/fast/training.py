"""FastForward: a training step's forward pass whose tables get no gradient tensors, only what their bags' rows need.

A row's gradient is its bag's, so nothing is copied per lookup: the optimizer reads the bags' gradients where they are
and changes the rows. In the large models that copy and torch's sparse update are half of a step.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..dlrm import DLRM
from ..inputs import Batch
from ..interaction import Cross, Dot
from ..roles import role
from .gradients import BagGradients
from .inference import suits
from .linear import in_place
from .lookups import Lookups, PlainTables
from .products import dot_pairs, dot_pairs_backward


class FastForward:
    """Probabilities of a batch, for training; `taken` gives the bag gradients of the backward passes since then.

    A model that the kernels cannot run (another device, bfloat16) goes its own way, with torch's gradients.
    """

    def __init__(self, model: DLRM) -> None:
        self.model = model
        self._tables = PlainTables.of(model) if suits(model) else None
        self._gradients: list[BagGradients] = []

    def __call__(self, batch: Batch) -> Tensor:
        """Click probability [samples]; errors as DLRM.forward's."""
        model, tables = self.model, self._tables
        if tables is None:
            probability: Tensor = model(batch.dense, batch.indices, batch.offsets)
            return probability
        model.check(batch.dense, batch.indices, batch.offsets)
        with role("bottom"):
            bottom = in_place(model.bottom, batch.dense)
        with role("embedding"):
            plain = tables.numbers
            lookups = Lookups.of([batch.indices[k] for k in plain], [batch.offsets[k] for k in plain])
            others = [k for k in range(len(model.tables)) if k not in plain]
            pooled = [model.pool_table(k, batch.indices[k], batch.offsets[k], batch.samples) for k in others]
            vectors = _Stack.apply(self._gradients, tables, lookups, others, bottom, *pooled)  # type: ignore[no-untyped-call]
        with role("interaction"):
            mixed = self._interact(vectors)
        with role("top"):
            logits = in_place(model.top, mixed).squeeze(1)
            return torch.sigmoid(logits) if model.sigmoid_last else torch.relu(logits)

    def taken(self) -> list[BagGradients]:
        """The bag gradients so far; they are forgotten here."""
        gradients = list(self._gradients)
        self._gradients.clear()
        return gradients

    def _interact(self, vectors: Tensor) -> Tensor:
        interaction = self.model.interaction
        if isinstance(interaction, Dot):
            mixed: Tensor = _Pairs.apply(vectors, interaction.itself)  # type: ignore[no-untyped-call]
            return mixed
        side_by_side = vectors[: len(vectors) - 1].flatten(1)
        return interaction.cross(side_by_side) if isinstance(interaction, Cross) else side_by_side


class _Stack(torch.autograd.Function):
    """All vectors [samples + 1, V, dim], the last sample unused; backward keeps the plain tables' gradients."""

    @staticmethod
    def forward(
        context: Any, gradients: list[BagGradients], tables: PlainTables, lookups: Lookups, others: list[int],
        bottom: Tensor, *pooled: Tensor,
    ) -> Tensor:  # fmt: skip
        """Pool the plain tables; the others have been."""
        context.kept = gradients, tables, lookups, others
        samples, config = len(bottom), tables.config
        vectors = torch.empty(samples + 1, config.vectors, config.dim)
        vectors[:samples, 0] = bottom
        vectors[samples] = 0
        for k, vector in zip(others, pooled, strict=True):
            vectors[:samples, k + 1] = vector
        tables.pool(lookups, samples, 0, samples, vectors.numpy())
        return vectors

    @staticmethod
    def backward(context: Any, *outputs: Tensor) -> Any:
        """The gradients of the bottom output and the other tables; the plain tables' are put aside."""
        gradients, tables, lookups, others = context.kept
        gradient = outputs[0][:-1].contiguous()
        gradients.append(BagGradients(tables, lookups, gradient))
        return None, None, None, None, gradient[:, 0], *(gradient[:, k + 1] for k in others)


class _Pairs(torch.autograd.Function):
    """The dot interaction of stacked vectors [samples + 1, V, dim]."""

    @staticmethod
    def forward(context: Any, vectors: Tensor, itself: bool) -> Tensor:
        """[samples, dim + pairs]."""
        context.save_for_backward(vectors)
        context.itself = int(itself)
        samples, count, dim = len(vectors) - 1, vectors.shape[1], vectors.shape[2]
        mixed = torch.empty(samples, dim + count * (count - 1 + 2 * itself) // 2)
        dot_pairs(vectors.numpy(), samples, int(itself), mixed.numpy())
        return mixed

    @staticmethod
    def backward(context: Any, *outputs: Tensor) -> Any:
        """[samples + 1, V, dim]."""
        (vectors,) = context.saved_tensors
        result = torch.empty_like(vectors)
        result[-1] = 0
        dot_pairs_backward(vectors[:-1].numpy(), context.itself, outputs[0].contiguous().numpy(), result[:-1].numpy())
        return result, None
