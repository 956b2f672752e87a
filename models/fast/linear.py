"""A layer of an MLP in training, on one thread: forward and both backward products from panels in registers.

Large batches only: the weights change with every step and must be laid out anew in each.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...jit import kernel
from .block import block

LARGE_BATCH = 512  # samples from which laying out the weights costs less than the products gain
# As in block: rows and columns of a block, bytes of a number; and numbers that are copied from a row at a time.
ROWS, COLUMNS, SIZE, STRIPE = 4, 32, 4, 16


def in_place(layers: Iterable[nn.Module], x: Tensor) -> Tensor:
    """An MLP whose ReLUs write over their inputs, which no gradient needs."""
    parts, fused = list(layers), False
    for layer, following in zip(parts, [*parts[1:], None], strict=True):
        if isinstance(layer, nn.ReLU):
            x = x if fused else torch.relu_(x)
        elif isinstance(layer, nn.Linear) and _suits(layer, len(x)):
            fused = isinstance(following, nn.ReLU)
            x = _Linear.apply(x, layer.weight, layer.bias, fused)  # type: ignore[no-untyped-call]
        else:
            x, fused = layer(x), False
    return x


def _suits(layer: nn.Linear, samples: int) -> bool:
    """Whether the kernels are faster for this layer."""
    return samples >= LARGE_BATCH and layer.out_features % COLUMNS == 0 and torch.get_num_threads() == 1


class _Linear(torch.autograd.Function):
    """x [samples, n] · weight [m, n] transposed + bias, then a ReLU if asked for; m a multiple of 32."""

    @staticmethod
    def forward(context: Any, x: Tensor, weight: Tensor, bias: Tensor, relu: bool) -> Tensor:
        """[samples, m]."""
        x = x.contiguous()
        samples, n = x.shape
        whole = samples // ROWS * ROWS
        y = torch.empty(samples, len(weight))
        panels = np.empty((len(weight) // COLUMNS, n, COLUMNS), np.float32)
        pack_transposed(weight.detach().numpy(), panels)
        multiply(
            x.numpy(), n * SIZE, SIZE, ROWS * n * SIZE, whole // ROWS, panels, bias.detach().numpy(), y.numpy(), relu
        )
        if whole < samples:
            torch.addmm(bias, x[whole:], weight.t(), out=y[whole:])
            if relu:
                y[whole:].relu_()
        context.save_for_backward(x, weight, y)
        context.relu = relu
        return y

    @staticmethod
    def backward(context: Any, *outputs: Tensor) -> Any:
        """Gradients by x, where one is wanted, weight and bias."""
        x, weight, y = context.saved_tensors
        gradient = outputs[0].contiguous()
        if context.relu:
            gradient = torch.ops.aten.threshold_backward(gradient, y, 0)
        to_input = _input_gradient(gradient, weight) if context.needs_input_grad[0] else None
        return to_input, _weight_gradient(gradient, x), gradient.sum(0), None


def _input_gradient(gradient: Tensor, weight: Tensor) -> Tensor:
    """gradient [samples, m] · weight [m, n]."""
    samples, (m, n) = len(gradient), weight.shape
    whole, width = samples // ROWS * ROWS, -(-n // COLUMNS) * COLUMNS
    panels, nothing = np.empty((width // COLUMNS, m, COLUMNS), np.float32), np.zeros(width, np.float32)
    pack(weight.detach().numpy(), panels)
    result = torch.empty(samples, width)
    multiply(gradient.numpy(), m * SIZE, SIZE, ROWS * m * SIZE, whole // ROWS, panels, nothing, result.numpy(), False)
    if whole < samples:
        result[whole:, :n] = gradient[whole:] @ weight
    return result[:, :n]


def _weight_gradient(gradient: Tensor, x: Tensor) -> Tensor:
    """gradient [samples, m] transposed · x [samples, n]."""
    samples, m = gradient.shape
    n = x.shape[1]
    width = -(-n // COLUMNS) * COLUMNS
    panels, nothing = np.empty((width // COLUMNS, samples, COLUMNS), np.float32), np.zeros(width, np.float32)
    pack(x.numpy(), panels)
    stripes = np.empty((m // STRIPE, samples, STRIPE), np.float32)
    pack(gradient.numpy(), stripes)
    result = torch.empty(m, width)
    multiply_stripes(stripes, panels, nothing, result.numpy())
    return result[:, :n].contiguous()


@kernel
def pack(matrix: Any, panels: Any) -> None:
    """A matrix [rows, columns] as panels [⌈columns / width⌉, rows, width], filled up with zeros."""
    rows, columns = matrix.shape
    width = panels.shape[2]
    for p in range(len(panels)):
        first = p * width
        inside = min(width, columns - first)
        for r in range(rows):
            target, source = panels[p, r], matrix[r, first : first + inside]
            for c in range(inside):
                target[c] = source[c]
            for c in range(inside, width):
                target[c] = 0


@kernel
def pack_transposed(matrix: Any, panels: Any) -> None:
    """A matrix [columns, rows], transposed, as panels [columns / 32, rows, 32]."""
    rows = matrix.shape[1]
    for p in range(len(panels)):
        panel = panels[p]
        for start in range(0, rows, STRIPE):  # a few rows at a time stay in the first cache
            stop = min(start + STRIPE, rows)
            for c in range(COLUMNS):
                source = matrix[p * COLUMNS + c]
                for r in range(start, stop):
                    panel[r, c] = source[r]


@kernel
def multiply(
    x: Any, x_step: Any, x_next: Any, block_step: Any, blocks: Any, panels: Any, bias: Any, y: Any, relu: Any
) -> None:
    """y [4 · blocks, 32 · panels] = x · panels + bias, then a ReLU; steps in bytes as in block, and between blocks."""
    width = y.shape[1]
    for p in range(len(panels)):
        for k in range(blocks):
            block(
                x.ctypes.data + k * block_step,
                x_step,
                x_next,
                panels[p].ctypes.data,
                panels.shape[1],
                bias.ctypes.data + p * COLUMNS * SIZE,
                y.ctypes.data + (k * ROWS * width + p * COLUMNS) * SIZE,
                width * SIZE,
                np.int64(relu),
            )


@kernel
def multiply_stripes(stripes: Any, panels: Any, nothing: Any, y: Any) -> None:
    """y [16 · stripes, 32 · panels] = stripes [·, depth, 16], transposed, · panels [·, depth, 32]."""
    depth, width = panels.shape[1], y.shape[1]
    for p in range(len(panels)):
        for stripe in range(len(stripes)):
            for k in range(0, STRIPE, ROWS):
                block(
                    stripes[stripe].ctypes.data + k * SIZE,
                    SIZE,
                    STRIPE * SIZE,
                    panels[p].ctypes.data,
                    depth,
                    nothing.ctypes.data + p * COLUMNS * SIZE,
                    y.ctypes.data + ((stripe * STRIPE + k) * width + p * COLUMNS) * SIZE,
                    width * SIZE,
                    0,
                )
