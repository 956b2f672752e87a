"""Operators alone, as workloads: embedding_bag on drawn rows, linear layers of both libraries, elementwise maps."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import linear as torch_linear

from .measurement import Fact
from .processes.configuration import Workload

Library = Literal["MKL", "oneDNN"]
Precision = Literal["fp32", "bf16"]

ROTATION = 4  # index sets gone through in turn, so that no call repeats the one before
SUM = 0


def embedding_bag(
    rows: int,
    dim: int,
    bags: int,
    pooling: int,
    precision: Precision = "fp32",
    exponent: float = 0.0,
    seed: int = 0,
) -> Workload:
    """`bags` sums of `pooling` rows from a table [rows, dim]; rows drawn uniformly, or by Zipf's law over a shuffle."""
    rng = np.random.default_rng(seed)
    weight = torch.rand(rows, dim).to(_DTYPES[precision])
    offsets = torch.arange(0, bags * pooling + 1, pooling, dtype=torch.int32)
    sets = [torch.from_numpy(draw_rows(rows, bags * pooling, exponent, rng)) for _ in range(ROTATION)]
    turn = 0

    def step() -> Tensor:
        nonlocal turn
        turn = (turn + 1) % ROTATION
        return _bag(weight, sets[turn], offsets)

    fixed = torch.from_numpy(np.arange(min(rows, bags * pooling), dtype=np.int32))
    check = (torch.arange(fixed.numel(), dtype=torch.float32).reshape(-1, 1) % 7).expand(-1, dim).contiguous()
    facts: dict[str, Fact] = {
        "index_distribution": f"Zipf {exponent:g}" if exponent else "uniform",
        "table_bytes": weight.numel() * weight.element_size(),
        "lookups": bags * pooling,
    }
    return Workload({"embedding_bag": step}, lambda: _bag(check, fixed, torch.tensor([0, len(fixed)])), facts)


def linear(
    shapes: Sequence[tuple[int, int, int]],
    library: Library = "MKL",
    precision: Precision = "fp32",
) -> Workload:
    """Linear layers without bias of shapes (batch, inputs, outputs), one step each, called "batch×inputs×outputs".

    MKL: torch's own fp32 path (bf16 has none); oneDNN: weights packed beforehand, as compiled models use it.
    """
    drawn = torch.Generator().manual_seed(0)
    steps = {}
    for batch, inputs, outputs in shapes:
        x = torch.rand(batch, inputs, generator=drawn).to(_DTYPES[precision])
        weight = torch.rand(outputs, inputs, generator=drawn).to(_DTYPES[precision])
        steps[f"{batch}×{inputs}×{outputs}"] = _packed(x, weight) if library == "oneDNN" else _plain(x, weight)
    first = next(iter(steps.values()))
    return Workload(steps, lambda: first().float().numpy(), {"library": library, "precision": precision})


def elementwise(numbers: int = 1 << 16) -> Workload:
    """relu and sigmoid of `numbers` floats: ATen's own vector code."""
    x = torch.linspace(-4, 4, numbers)
    out = torch.empty_like(x)
    return Workload(
        {"relu": lambda: torch.clamp_min(x, 0, out=out), "sigmoid": lambda: torch.sigmoid(x, out=out)},
        lambda: torch.sigmoid(x).numpy(),
    )


_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def _bag(weight: Tensor, indices: Tensor, offsets: Tensor) -> Tensor:
    return torch.embedding_bag(weight, indices, offsets.to(indices.dtype), False, SUM, True, None, True)[0]


def _plain(x: Tensor, weight: Tensor) -> Callable[[], Tensor]:
    def step() -> Tensor:
        with torch.inference_mode():
            return torch_linear(x, weight)

    return step


def _packed(x: Tensor, weight: Tensor) -> Callable[[], Tensor]:
    packed = torch.ops.mkldnn._reorder_linear_weight(weight, len(x))

    def step() -> Tensor:
        with torch.inference_mode():
            y: Tensor = torch.ops.mkldnn._linear_pointwise(x, packed, None, "none", [], "")
        return y

    return step


def draw_rows(rows: int, count: int, exponent: float, rng: np.random.Generator) -> NDArray[np.int32]:
    """int32 [count]: uniform, or ranks of Zipf's law (continuous inversion) scattered over the table."""
    if exponent == 0:
        return rng.integers(0, rows, count, dtype=np.int32)
    u = rng.random(count)
    if exponent == 1:
        ranks = np.power(rows + 1.0, u)
    else:
        power = 1 - exponent
        ranks = np.power(u * (np.power(rows + 1.0, power) - 1) + 1, 1 / power)
    ranks = np.minimum(ranks.astype(np.int64) - 1, rows - 1)
    return ((ranks * _spread(rows)) % rows).astype(np.int32)


def _spread(rows: int) -> int:
    """A multiplier without a common factor with `rows`, so that ranks map to rows one to one."""
    step = int(rows * 0.618) | 1
    while math.gcd(step, rows) != 1:
        step += 1
    return step
