"""The peer of the model benchmarks: a DLRM as a module per table in eager PyTorch, sparse gradients, torch's SGD."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


class PeerDLRM(nn.Module):
    """Bottom MLP, an nn.EmbeddingBag per table, dot interaction, top MLP that ends in a sigmoid."""

    def __init__(self, dense: int, bottom: Sequence[int], top: Sequence[int], rows: Sequence[int]) -> None:
        super().__init__()
        vectors = len(rows) + 1
        self.tables = nn.ModuleList(nn.EmbeddingBag(n, bottom[-1], mode="sum", sparse=True) for n in rows)
        self.bottom = mlp([dense, *bottom], nn.ReLU())
        self.top = mlp([bottom[-1] + vectors * (vectors - 1) // 2, *top], nn.Sigmoid())
        self.i = torch.tensor([i for i in range(vectors) for _ in range(i)])
        self.j = torch.tensor([j for i in range(vectors) for j in range(i)])

    def forward(self, dense: Tensor, indices: Sequence[Tensor], offsets: Sequence[Tensor]) -> Tensor:
        x = self.bottom(dense)
        pooled = [table(rows, starts) for table, rows, starts in zip(self.tables, indices, offsets, strict=True)]
        vectors = torch.cat([x, *pooled], dim=1).view(len(x), -1, x.shape[1])
        products = torch.bmm(vectors, vectors.transpose(1, 2))
        return self.top(torch.cat([x, products[:, self.i, self.j]], dim=1)).squeeze(1)


def mlp(widths: Sequence[int], last: nn.Module) -> nn.Sequential:
    parts: list[nn.Module] = []
    for n, m in pairwise(widths):
        parts += [nn.Linear(n, m), nn.ReLU()]
    return nn.Sequential(*parts[:-1], last)


def copy_weights(peer: PeerDLRM, model: nn.Module) -> None:
    """Give the peer the weights of a hotrow model of the same shape."""
    state = model.state_dict()
    with torch.no_grad():
        for k, table in enumerate(peer.tables):
            table.weight.copy_(state[f"tables.{k}.weight"])
        for name in ("bottom", "top"):
            part = getattr(peer, name)
            part.load_state_dict({key.split(".", 1)[1]: v for key, v in state.items() if key.startswith(f"{name}.")})
