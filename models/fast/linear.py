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
TILE = 128  # samples whose gradients are in hand at a time


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
        samples, (m, n) = len(x), weight.shape
        to_input, panels = None, np.empty((0, m, COLUMNS), np.float32)
        if context.needs_input_grad[0]:
            to_input = torch.empty((samples + ROWS) * n + COLUMNS)
            panels = np.empty((-(-n // COLUMNS), m, COLUMNS), np.float32)
            pack(weight.detach().numpy(), panels)
        to_weight, to_bias = torch.zeros(m * n + COLUMNS), torch.zeros(m)
        backward(
            gradient.numpy(),
            y.numpy(),
            context.relu,
            x.numpy(),
            panels,
            to_weight.numpy() if to_input is None else to_input.numpy(),
            to_weight.numpy(),
            to_bias.numpy(),
        )
        by_input = None if to_input is None else to_input[: samples * n].view(samples, n)
        return by_input, to_weight[: m * n].view(m, n), to_bias, None


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
                0,
                y.ctypes.data + (k * ROWS * width + p * COLUMNS) * SIZE,
                width * SIZE,
                np.int64(relu),
            )


@kernel
def backward(
    gradient: Any, y: Any, relu: Any, x: Any, panels: Any, to_input: Any, to_weight: Any, to_bias: Any
) -> None:
    """The backward pass of a layer, a tile of samples at a time, whose numbers stay in the second cache.

    gradient, y: [samples, m], of and from the layer; a ReLU passes the gradient where y is above 0. x [samples, n];
    panels: of the weights, [⌈n / 32⌉, m, 32], or none. to_input: at least (samples + 4) · n + 32 numbers, of which the
    first become the gradient by x, if there are panels. to_weight, at least m · n + 32 numbers, and to_bias [m] grow
    from what they are. Blocks reach behind a row's end: they add nothing there, or what is put there is overwritten.
    """
    samples, m = gradient.shape
    n = x.shape[1]
    passed = np.empty((TILE, m), np.float32)
    stripes = np.empty((m // STRIPE, TILE, STRIPE), np.float32)
    inputs = np.empty(((n + COLUMNS - 1) // COLUMNS, TILE, COLUMNS), np.float32)
    nothing = np.zeros(COLUMNS, np.float32)
    for start in range(0, samples, TILE):
        rows = min(TILE, samples - start)
        whole = (rows + ROWS - 1) // ROWS * ROWS
        _pass(gradient[start : start + rows], y[start : start + rows], relu, passed, stripes, to_bias)
        passed[rows:whole] = 0
        for p in range(len(panels) - 1, -1, -1):
            for k in range(0, whole, ROWS):
                block(
                    passed.ctypes.data + k * m * SIZE,
                    m * SIZE,
                    SIZE,
                    panels[p].ctypes.data,
                    m,
                    nothing.ctypes.data,
                    0,
                    to_input.ctypes.data + ((start + k) * n + p * COLUMNS) * SIZE,
                    n * SIZE,
                    0,
                )
        pack(x[start : start + rows], inputs)
        for p in range(len(inputs)):
            for k in range(0, m, ROWS):
                place = to_weight.ctypes.data + (k * n + p * COLUMNS) * SIZE
                block(
                    stripes[k // STRIPE].ctypes.data + k % STRIPE * SIZE,
                    SIZE,
                    STRIPE * SIZE,
                    inputs[p].ctypes.data,
                    rows,
                    place,
                    n * SIZE,
                    place,
                    n * SIZE,
                    0,
                )


@kernel
def _pass(gradient: Any, y: Any, relu: Any, passed: Any, stripes: Any, sums: Any) -> None:
    """What a ReLU lets through of a gradient [rows, m]: row by row, in stripes of 16 columns, and added to `sums`."""
    for r in range(len(gradient)):
        source, output, target = gradient[r], y[r], passed[r]
        if relu:
            for j in range(len(source)):
                target[j] = source[j] if output[j] > 0 else np.float32(0)
        else:
            for j in range(len(source)):
                target[j] = source[j]
        for j in range(len(source)):
            sums[j] += target[j]
        for p in range(len(stripes)):
            stripe, part = stripes[p, r], target[p * STRIPE : (p + 1) * STRIPE]
            for c in range(STRIPE):
                stripe[c] = part[c]
