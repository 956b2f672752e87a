"""Kernels of matrix products: MLPs and dots of all pairs, from panels of 32 columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...jit import kernel
from .block import block, sparse_row

RELU, SIGMOID, NOTHING = 0, 1, 2  # what follows a layer
FEW = 2  # samples up to which skipping the weights of zero inputs beats blocks of four samples
# As in block: rows and columns of a block, panels of a sparse row, bytes of a number.
ROWS, COLUMNS, PANELS, SIZE = 4, 32, 4, 4


@kernel
def mlp(x: Any, packed: Any, shapes: Any, after: Any, scratch: Any) -> Any:
    """The last layer's output [samples, its width padded], in scratch.

    x: [samples, n], samples 1, 2 or a multiple of 4. packed: for every layer panels [padded width / 32, n, 32] of its
    weights transposed, then its bias, padded. shapes: [layers, 2]: n and padded width. after: RELU, SIGMOID or NOTHING
    per layer. scratch: [2, samples · largest padded width].
    """
    place, samples, source = 0, len(x), x
    used = np.empty(shapes[:, 0].max(), np.int64)
    for layer in range(len(shapes)):
        n, m = shapes[layer]
        weights = packed[place : place + n * m]
        bias = packed[place + n * m : place + (n + 1) * m]
        place += (n + 1) * m
        target = scratch[layer % 2, : samples * m].reshape(samples, m)
        if samples <= FEW:
            for s in range(samples):
                _sparse_layer(source[s], n, weights, bias, used, target[s], after[layer] == RELU)
        else:
            _layer(source, n, weights, bias, target, after[layer] == RELU)
        if after[layer] == SIGMOID:
            for s in range(samples):
                y = target[s]
                for j in range(m):
                    y[j] = np.float32(1) / (np.float32(1) + np.exp(-y[j]))
        source = target
    return source


@kernel
def _layer(x: Any, n: Any, weights: Any, bias: Any, y: Any, relu: Any) -> None:
    samples, m = y.shape
    step = x.strides[0]
    for column in range(0, m, COLUMNS):
        for s in range(0, samples, ROWS):
            block(
                x.ctypes.data + s * step,
                step,
                SIZE,
                weights.ctypes.data + column * n * SIZE,
                n,
                bias.ctypes.data + column * SIZE,
                0,
                y.ctypes.data + (s * m + column) * SIZE,
                m * SIZE,
                np.int64(relu),
            )


@kernel
def _sparse_layer(x: Any, n: Any, weights: Any, bias: Any, used: Any, y: Any, relu: Any) -> None:
    """One sample, reading only the weights of inputs that are not zero: after a ReLU about half of them."""
    count = 0
    for i in range(n):
        if x[i] != 0:
            used[count] = i
            count += 1
    m = len(y)
    wide = PANELS * COLUMNS
    for column in range(0, m // wide * wide, wide):
        sparse_row(
            x.ctypes.data,
            used.ctypes.data,
            count,
            weights.ctypes.data + column * n * SIZE,
            n * COLUMNS * SIZE,
            bias.ctypes.data + column * SIZE,
            y.ctypes.data + column * SIZE,
            np.int64(relu),
        )
    for column in range(m // wide * wide, m, COLUMNS):
        panel = weights[column * n : (column + COLUMNS) * n].reshape(n, COLUMNS)
        part = y[column : column + COLUMNS]
        part[:] = bias[column : column + COLUMNS]
        for k in range(count):
            factor, row = x[used[k]], panel[used[k]]
            for j in range(COLUMNS):
                part[j] += factor * row[j]
        if relu:
            for j in range(COLUMNS):
                part[j] = max(part[j], np.float32(0))


@kernel
def dot_pairs(vectors: Any, samples: Any, itself: Any, out: Any) -> None:
    """out [samples, dim + pairs]: vector 0, then x_i · x_j for j < i (with itself: j ≤ i), row by row.

    vectors: [samples + 1 or more, V, dim], of which the one behind the last is read, not used. Four vectors at a time
    meet all of them, as the panels of a transposed copy.
    """
    _, count, dim = vectors.shape
    rows, width = (count + ROWS - 1) // ROWS * ROWS, (count + COLUMNS - 1) // COLUMNS * COLUMNS
    panels = np.zeros((width // COLUMNS, dim, COLUMNS), np.float32)
    nothing = np.zeros(COLUMNS, np.float32)
    products = np.empty((rows, width), np.float32)
    for s in range(samples):
        x, target = vectors[s], out[s]
        for k in range(dim):
            target[k] = x[0, k]
        for p in range(len(panels)):
            first = p * COLUMNS
            for j in range(min(COLUMNS, count - first)):
                row, panel = x[first + j], panels[p]
                for k in range(dim):
                    panel[k, j] = row[k]
            for i in range(0, rows, ROWS):
                if i + ROWS + itself > first:  # else all of its pairs lie in panels before
                    block(
                        x.ctypes.data + i * dim * SIZE,
                        dim * SIZE,
                        SIZE,
                        panels[p].ctypes.data,
                        dim,
                        nothing.ctypes.data,
                        0,
                        products.ctypes.data + (i * width + first) * SIZE,
                        width * SIZE,
                        0,
                    )
        place = dim
        for i in range(count):
            pairs = i + itself
            part, product = target[place : place + pairs], products[i]
            for j in range(pairs):
                part[j] = product[j]
            place += pairs


@kernel
def dot_pairs_backward(vectors: Any, itself: Any, gradient: Any, out: Any) -> None:
    """out [samples, V, dim]: dot_pairs' gradient by its vectors, for its result's `gradient` [samples, dim + pairs].

    A vector's gradient is the sum of the others, each times the pair's: four rows of a symmetric matrix at a time meet
    the vectors as panels.
    """
    samples, count, dim = vectors.shape
    rows, width = (count + ROWS - 1) // ROWS * ROWS, (dim + COLUMNS - 1) // COLUMNS * COLUMNS
    both = np.zeros((rows, count), np.float32)
    panels = np.zeros((width // COLUMNS, count, COLUMNS), np.float32)
    nothing = np.zeros(COLUMNS, np.float32)
    sums = np.empty((rows, width), np.float32)
    for s in range(samples):
        x, g, target = vectors[s], gradient[s], out[s]
        place = dim
        for i in range(count):
            for j in range(i + itself):
                value = g[place + j]
                both[i, j] = value
                both[j, i] = value if i != j else value + value
            place += i + itself
        for p in range(len(panels)):
            first = p * COLUMNS
            inside = min(COLUMNS, dim - first)
            for j in range(count):
                panel, vector = panels[p, j], x[j]
                for k in range(inside):
                    panel[k] = vector[first + k]
            for i in range(0, rows, ROWS):
                block(
                    both.ctypes.data + i * count * SIZE,
                    count * SIZE,
                    SIZE,
                    panels[p].ctypes.data,
                    count,
                    nothing.ctypes.data,
                    0,
                    sums.ctypes.data + (i * width + first) * SIZE,
                    width * SIZE,
                    0,
                )
        for i in range(count):
            row, total = target[i], sums[i]
            for k in range(dim):
                row[k] = total[k]
        for k in range(dim):
            target[0, k] += g[k]
