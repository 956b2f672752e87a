"""Interactions: the bottom MLP's output and the pooled vectors become the top MLP's input."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from .config import ModelConfig
from .initial import fill_normal


class Interaction(nn.Module, ABC):
    """What every interaction does."""

    @abstractmethod
    def forward(self, bottom: Tensor, pooled: Sequence[Tensor]) -> Tensor:
        """Interact bottom [samples, dim] with the pooled vectors, each [samples, dim]."""

    def initialize(self, rng: np.random.Generator) -> None:
        """Draw the weights, where there are any."""


class Cat(Interaction):
    """All vectors side by side: [samples, vectors · dim]."""

    def forward(self, bottom: Tensor, pooled: Sequence[Tensor]) -> Tensor:
        """Concatenate."""
        return torch.cat([bottom, *pooled], dim=1)


class Dot(Interaction):
    """The bottom output, then the dot products (i, j), j < i, of all vectors, row by row.

    With `itself`, j ≤ i. Result [samples, dim + pairs].
    """

    pairs: Tensor

    def __init__(self, vectors: int, itself: bool) -> None:
        super().__init__()
        self.itself = itself
        i, j = torch.tril_indices(vectors, vectors, offset=0 if itself else -1)
        self.register_buffer("pairs", i * vectors + j, persistent=False)

    def forward(self, bottom: Tensor, pooled: Sequence[Tensor]) -> Tensor:
        """Multiply all with all and keep one triangle."""
        vectors = torch.stack([bottom, *pooled], dim=1)
        products = torch.bmm(vectors, vectors.transpose(1, 2)).flatten(1)
        return torch.cat([bottom, products.index_select(1, self.pairs)], dim=1)


class Cross(Interaction):
    """DCNv2's low-rank cross layers (Wang et al. 2021, arXiv 2008.13535) on all vectors side by side.

    x ← x₀ ∘ (W V x + b) + x, with V [rank, width] and W [width, rank], layer by layer. Result [samples, width].
    """

    def __init__(self, width: int, rank: int, layers: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.down = nn.ParameterList(torch.empty(rank, width, dtype=dtype) for _ in range(layers))
        self.up = nn.ParameterList(torch.empty(width, rank, dtype=dtype) for _ in range(layers))
        self.bias = nn.ParameterList(torch.zeros(width, dtype=dtype) for _ in range(layers))

    def forward(self, bottom: Tensor, pooled: Sequence[Tensor]) -> Tensor:
        """Cross the concatenated vectors with themselves."""
        return self.cross(torch.cat([bottom, *pooled], dim=1))

    def cross(self, x: Tensor) -> Tensor:
        """Cross vectors side by side [samples, width] with themselves."""
        first = x
        for down, up, bias in zip(self.down, self.up, self.bias, strict=True):
            x = torch.addcmul(x, first, torch.addmm(bias, x @ down.t(), up.t()))
        return x

    def initialize(self, rng: np.random.Generator) -> None:
        """N(0, 2/(width + rank)); the biases are zero."""
        for weight in (*self.down, *self.up):
            fill_normal(weight, (2 / sum(weight.shape)) ** 0.5, rng)


def make_interaction(config: ModelConfig, dtype: torch.dtype) -> Interaction:
    """The interaction that `config` names."""
    match config.interaction:
        case "cat":
            return Cat()
        case "dot":
            return Dot(config.vectors, config.interaction_itself)
        case "dcnv2":
            return Cross(config.interaction_width, config.cross_rank, config.cross_layers, dtype)
