"""Initial weights, drawn in float32 from a numpy generator in slices, whatever the weight's type and device."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SLICE = 2**22  # numbers drawn at a time: 16 MiB beside the weights


def fill_uniform(weight: Tensor, bound: float, rng: np.random.Generator) -> None:
    """Fill `weight` with U(−bound, bound) in place."""

    def draw(values: NDArray[np.float32]) -> None:
        rng.random(out=values, dtype=np.float32)
        values -= np.float32(0.5)
        values *= np.float32(2 * bound)

    _fill(weight, draw)


def fill_normal(weight: Tensor, deviation: float, rng: np.random.Generator) -> None:
    """Fill `weight` with N(0, deviation²) in place."""

    def draw(values: NDArray[np.float32]) -> None:
        rng.standard_normal(out=values, dtype=np.float32)
        values *= np.float32(deviation)

    _fill(weight, draw)


def _fill(weight: Tensor, draw: Callable[[NDArray[np.float32]], Any]) -> None:
    flat = weight.detach().view(-1)
    values = np.empty(min(SLICE, len(flat)), np.float32)
    for start in range(0, len(flat), SLICE):
        part = flat[start : start + SLICE]
        draw(values[: len(part)])
        part.copy_(torch.from_numpy(values[: len(part)]))
