"""MLPs of fewer bits for inference: int8 weights and inputs (oneDNN), or all of it in bfloat16."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

LEVELS = 127  # of a signed byte, to either side
MOST = 255  # of an unsigned one


class BFloat16MLP:
    """Weights, inputs and outputs of every layer in bfloat16, sums in float32."""

    def __init__(self, layers: Sequence[nn.Module], samples: int) -> None:
        self._layers = [_half(layer) for layer in layers]

    @torch.inference_mode()
    def __call__(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """[samples, inputs] to [samples, outputs]."""
        y = torch.from_numpy(x).bfloat16()
        for layer in self._layers:
            y = layer(y)
        result: NDArray[np.float32] = y.float().numpy()
        return result


class Int8MLP:
    """Weights at 8 bits, a scale per output; inputs at 8 bits, a scale per batch; sums in int32."""

    def __init__(self, layers: Sequence[nn.Module], samples: int) -> None:
        self._layers = [_Int8Layer.of(layer) if isinstance(layer, nn.Linear) else layer for layer in layers]

    @torch.inference_mode()
    def __call__(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """[samples, inputs] to [samples, outputs]."""
        y = torch.from_numpy(x)
        for layer in self._layers:
            y = layer(y)
        result: NDArray[np.float32] = y.numpy()
        return result


@dataclass(frozen=True, eq=False)
class _Int8Layer:
    """One layer, its weights packed for oneDNN."""

    packed: Tensor
    scales: Tensor
    zeros: Tensor
    bias: Tensor

    @classmethod
    def of(cls, layer: nn.Linear) -> _Int8Layer:
        weight = layer.weight.detach()
        scales = weight.abs().amax(1).clamp(min=torch.finfo(torch.float32).tiny) / LEVELS
        codes = torch.round(weight / scales[:, None]).to(torch.int8)
        packed = torch.ops.onednn.qlinear_prepack(codes, None)
        return cls(packed, scales, torch.zeros(len(scales), dtype=torch.int64), layer.bias.detach())

    def __call__(self, x: Tensor) -> Tensor:
        least, most = (float(bound) for bound in torch.aminmax(x))
        least, most = min(least, 0.0), max(most, 0.0)  # zero must have a code of its own
        scale = (most - least) / MOST or 1.0
        zero = round(-least / scale)
        codes = torch.round(x / scale).add_(zero).clamp_(0, MOST).to(torch.uint8)
        result: Tensor = torch.ops.onednn.qlinear_pointwise(
            codes, scale, zero, self.packed, self.scales, self.zeros, self.bias, 1.0, 0, torch.float32, "none", [], ""
        )
        return result


def _half(layer: nn.Module) -> nn.Module:
    if not isinstance(layer, nn.Linear):
        return layer
    made = nn.Linear(layer.in_features, layer.out_features, dtype=torch.bfloat16)
    made.load_state_dict(layer.state_dict())
    return made.requires_grad_(False)
