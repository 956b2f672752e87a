"""PackedMLP: an MLP for inference, its weights laid out in panels for the kernels of products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from .block import COLUMNS, ROWS
from .products import FEW, NOTHING, RELU, SIGMOID, mlp


class PackedMLP:
    """A copy of a float32 MLP of Linear layers and the activations after them, for up to `samples` samples at once."""

    def __init__(self, layers: Sequence[nn.Module], samples: int) -> None:
        linear = [part for part in layers if isinstance(part, nn.Linear)]
        names = {nn.ReLU: RELU, nn.Sigmoid: SIGMOID}
        following = [names.get(type(part), NOTHING) for part in (*layers[1:], layers[-1])]
        self._after = np.array([a for part, a in zip(layers, following, strict=True) if part in linear], np.int64)
        self._shapes = np.array([(layer.in_features, padded(layer.out_features)) for layer in linear], np.int64)
        self._packed = np.concatenate([part for layer in linear for part in (_panels(layer), _bias(layer))])
        self._scratch = np.empty((2, samples * int(self._shapes[:, 1].max())), np.float32)
        self._padded = np.zeros((samples, linear[0].in_features), np.float32)
        self.width = linear[-1].out_features

    def __call__(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """The outputs [samples, width] for x [samples, inputs], valid until the next call."""
        samples = len(x)
        if samples > FEW and samples % ROWS:
            whole = self._padded[: -(-samples // ROWS) * ROWS]
            whole[:samples] = x
            x = whole
        result: NDArray[np.float32] = mlp(x, self._packed, self._shapes, self._after, self._scratch)
        return result[:samples, : self.width]


def padded(width: int) -> int:
    """The next multiple of a panel's width."""
    return -(-width // COLUMNS) * COLUMNS


def _panels(layer: nn.Linear) -> NDArray[Any]:
    """The weights [outputs, inputs] as panels [outputs / 32, inputs, 32], flat."""
    weight = np.zeros((padded(layer.out_features), layer.in_features), np.float32)
    weight[: layer.out_features] = _numbers(layer.weight)
    return weight.reshape(-1, COLUMNS, layer.in_features).transpose(0, 2, 1).reshape(-1)


def _bias(layer: nn.Linear) -> NDArray[Any]:
    bias = np.zeros(padded(layer.out_features), np.float32)
    bias[: layer.out_features] = _numbers(layer.bias)
    return bias


def _numbers(values: torch.Tensor) -> NDArray[Any]:
    numbers: NDArray[Any] = values.detach().numpy()
    return numbers
