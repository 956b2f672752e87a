"""Interactions: the bottom MLP's output and the pooled vectors become the top MLP's input."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .config import ModelConfig


class Cat(nn.Module):
    """All vectors side by side: [samples, vectors · dim]."""

    def forward(self, bottom: Tensor, pooled: Sequence[Tensor]) -> Tensor:
        """Interact bottom [samples, dim] with the pooled vectors, each [samples, dim]."""
        return torch.cat([bottom, *pooled], dim=1)


class Dot(nn.Module):
    """The bottom output, then the dot products (i, j), j < i, of all vectors, row by row.

    With `itself`, j ≤ i. Result [samples, dim + pairs].
    """

    pairs: Tensor

    def __init__(self, vectors: int, itself: bool) -> None:
        super().__init__()
        i, j = torch.tril_indices(vectors, vectors, offset=0 if itself else -1)
        self.register_buffer("pairs", i * vectors + j, persistent=False)

    def forward(self, bottom: Tensor, pooled: Sequence[Tensor]) -> Tensor:
        """Interact bottom [samples, dim] with the pooled vectors, each [samples, dim]."""
        vectors = torch.stack([bottom, *pooled], dim=1)
        products = torch.bmm(vectors, vectors.transpose(1, 2)).flatten(1)
        return torch.cat([bottom, products.index_select(1, self.pairs)], dim=1)


def make_interaction(config: ModelConfig) -> nn.Module:
    """The interaction that `config` names."""
    return Cat() if config.interaction == "cat" else Dot(config.vectors, config.interaction_itself)
