"""FastInference: a frozen model's click probabilities, several times as fast as a module per table on few samples.

All plain tables are pooled by one kernel into one matrix of vectors, the interaction reads it where it stands, and
large batches go through in tiles whose activations stay in the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ... import HotrowError
from ..dlrm import DLRM
from ..interaction import Cross, Dot
from ..roles import role
from .dense import PackedMLP
from .lookups import Lookups, PlainTables
from .products import dot_pairs

TILE, LARGE_TILE = 128, 256  # samples that go through together; more where the MLPs' weights fill the second cache
MLP = Callable[[NDArray[np.float32]], NDArray[np.float32]]  # [samples, inputs] -> [samples, outputs]
Predict = Callable[[Tensor, Sequence[Tensor], Sequence[Tensor]], Tensor]  # as DLRM.forward
FEW_THREADS = 2  # up to which the kernels' one thread does as much as torch's operators
LARGE = 2**20  # MLP weights from which a model counts as large


def suits(model: DLRM) -> bool:
    """Whether the kernels can run this model: float32 on a CPU."""
    weights = next(model.parameters())
    return weights.device.type == "cpu" and weights.dtype == torch.float32


def faster(model: DLRM, samples: int) -> Predict:
    """The model itself or FastInference, whichever is faster for batches of so many samples.

    The kernels run on one thread: where torch has several and a batch is large, its own operators are faster.
    """
    share = samples / torch.get_num_threads()
    return FastInference(model) if suits(model) and (torch.get_num_threads() <= FEW_THREADS or share < TILE) else model


class Tables(Protocol):
    """Tables that kernels pool, by their numbers in the model."""

    @property
    def numbers(self) -> tuple[int, ...]:
        """Which of the model's tables these are."""
        ...

    def pool(self, lookups: Lookups, samples: int, start: int, stop: int, out: NDArray[np.float32]) -> None:
        """As PlainTables.pool."""
        ...


class FastInference:
    """Callable as its model is. Of the model's weights it copies the MLPs', which must not change meanwhile.

    tables: in place of the model's plain ones. make_mlp: from layers and a tile's samples, in place of PackedMLP.
    """

    def __init__(
        self,
        model: DLRM,
        tables: Tables | None = None,
        make_mlp: Callable[[list[nn.Module], int], MLP] = PackedMLP,
    ) -> None:
        if not suits(model):
            raise HotrowError(f"model {model.config.name!r}: fast inference needs float32 weights on the CPU")
        self.model = model
        self._tables = PlainTables.of(model) if tables is None else tables
        self._others = [k for k in range(len(model.tables)) if k not in self._tables.numbers]
        config = model.config
        self._tile = tile = TILE if config.dense_parameters < LARGE else LARGE_TILE
        self._bottom, self._top = make_mlp(list(model.bottom), tile), make_mlp(list(model.top), tile)
        self._vectors = np.zeros((tile + 1, config.vectors, config.dim), np.float32)  # dot_pairs reads one sample more
        self._mixed = np.empty((tile, config.interaction_width), np.float32)

    def __call__(self, dense: Tensor, indices: Sequence[Tensor], offsets: Sequence[Tensor]) -> Tensor:
        """Click probability [samples]; arguments and errors as DLRM.forward's."""
        model, samples = self.model, len(dense)
        if (
            dense.ndim != 2
            or dense.shape[1] != model.config.dense
            or not len(indices) == len(offsets) == len(model.tables)
        ):
            model.check(dense, indices, offsets)
        lookups = self._lookups(indices, offsets)
        if ((lookups.ends - samples) >> 1).any() or self._others:
            model.check(dense, indices, offsets)
        features = dense.detach().to(torch.float32).contiguous().numpy()
        others = self._other_tables(indices, offsets, samples)
        logits = np.empty(samples, np.float32)
        for start in range(0, samples, self._tile):
            stop = min(start + self._tile, samples)
            with role("bottom"):
                bottom = self._bottom(features[start:stop])
            with role("embedding"):
                self._vectors[: stop - start, 0] = bottom
                self._tables.pool(lookups, samples, start, stop, self._vectors)
                for k, pooled in others.items():
                    self._vectors[: stop - start, k + 1] = pooled[start:stop]
            with role("interaction"):
                mixed = self._interact(stop - start)
            with role("top"):
                logits[start:stop] = self._top(mixed)[:, 0]
        result = torch.from_numpy(logits)
        return result.sigmoid_() if model.sigmoid_last else result.relu_()

    def _lookups(self, indices: Sequence[Tensor], offsets: Sequence[Tensor]) -> Lookups:
        if not self._others:
            return Lookups.of(indices, offsets)
        plain = self._tables.numbers
        return Lookups.of([indices[k] for k in plain], [offsets[k] for k in plain])

    def _other_tables(
        self, indices: Sequence[Tensor], offsets: Sequence[Tensor], samples: int
    ) -> dict[int, NDArray[np.float32]]:
        """Pooled vectors of the tables that the kernels do not know."""
        if not self._others:
            return {}
        with role("embedding"), torch.inference_mode():
            return {k: self.model.pool_table(k, indices[k], offsets[k], samples).numpy() for k in self._others}

    def _interact(self, samples: int) -> NDArray[np.float32]:
        """The top MLP's input for the first `samples` of the tile's vectors."""
        interaction = self.model.interaction
        if isinstance(interaction, Dot):
            dot_pairs(self._vectors, samples, int(interaction.itself), self._mixed)
            return self._mixed[:samples]
        side_by_side: NDArray[np.float32] = self._vectors[:samples].reshape(samples, -1)
        if not isinstance(interaction, Cross):
            return side_by_side
        with torch.inference_mode():
            crossed: NDArray[np.float32] = interaction.cross(torch.from_numpy(side_by_side)).numpy()
        return crossed
