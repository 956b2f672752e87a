"""Probes: workloads that ask one thing of a machine each, at many sizes; what calibration runs.

Dependent loads over a random cycle give latency and, one line per page, what translation adds; an array added up in
order gives what a level of cache can send; embedding_bag gives gathers as models make them; a sum of two arrays gives
streams; linear layers give FLOP/s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from ...jit import kernel
from ..operators import Library, Precision, embedding_bag, linear
from ..processes.configuration import Workload

LINE = 64
PAGE = 4096
LOADS = 1 << 15  # per call
MULTIPLY_CYCLES = 4  # a dependent 64-bit multiplication (3) and exclusive or (1), on x86 and ARM servers alike
READ_BYTES = 1 << 24  # per call at least
GATHER_BYTES = 1 << 22  # per call
POOLING = 32


@kernel
def chase(successor: NDArray[np.int64], start: int, loads: int) -> int:
    """Follow `loads` links from `start`; returns where that leads."""
    at = start
    for _ in range(loads):
        at = successor[at]
    return at


@kernel
def add_up(values: NDArray[np.int64], passes: int) -> int:
    """Add up `values` `passes` times: loads in order, of which many are on their way at once."""
    total = 0
    for _ in range(passes):
        for k in range(len(values)):
            total += values[k]
    return total


@kernel
def multiply(rounds: int, factor: int) -> np.uint64:
    """A chain of `rounds` multiplications and exclusive ors, each waiting for the one before."""
    x = np.uint64(factor)
    for k in range(rounds):
        x = (x * np.uint64(factor)) ^ np.uint64(k)
    return x


def latency(
    working_sets: Sequence[int], pages: Sequence[int] = (), reads: Sequence[int] = (), seed: int = 0
) -> Workload:
    """Steps of LOADS dependent loads: "bytes N" over all lines of N bytes, "pages N" over one line in each of N pages.

    "read N" adds up N bytes in order, over and over; "clock" runs LOADS multiplications of MULTIPLY_CYCLES cycles each.
    """
    rng = np.random.default_rng(seed)
    steps: dict[str, Callable[[], object]] = {}
    for size in working_sets:
        steps[f"bytes {size}"] = _walk(np.arange(size // LINE) * (LINE // 8), size // 8, rng)
    for count in pages:
        first = np.arange(count) * (PAGE // 8)
        steps[f"pages {count}"] = _walk(first + np.arange(count) % (PAGE // LINE) * (LINE // 8), count * PAGE // 8, rng)
    for size in reads:
        steps[f"read {size}"] = partial(add_up, np.ones(size // 8, np.int64), passes(size))
    steps["clock"] = partial(multiply, LOADS, 0x5851F42D4C957F2D >> 1)
    return Workload(steps)


def passes(size: int) -> int:
    """How often one call of "read N" goes over its N bytes."""
    return max(1, READ_BYTES // size)


def _walk(places: NDArray[np.int64], words: int, rng: np.random.Generator) -> Callable[[], object]:
    """Loads along one random cycle through `places` of an array of `words` numbers, going on where it stopped."""
    successor = np.zeros(words, np.int64)
    order = rng.permutation(places)
    successor[order] = np.roll(order, -1)
    at = int(order[0])

    def step() -> None:
        nonlocal at
        at = int(chase(successor, at, LOADS))

    return step


def memory(
    row_bytes: Sequence[int], working_sets: Sequence[int], bags: Sequence[int], streams: Sequence[int]
) -> Workload:
    """Steps "gather R N" of row bytes and table bytes, "bags N" of one tiny row each, "stream N" over N bytes."""
    steps: dict[str, Callable[[], object]] = {}
    for row in row_bytes:
        for size in working_sets:
            count = max(POOLING, GATHER_BYTES // row)
            gather = embedding_bag(max(1, size // row), row // 4, count // POOLING, POOLING)
            steps[f"gather {row} {size}"] = gather.steps["embedding_bag"]
    for count in bags:
        steps[f"bags {count}"] = embedding_bag(64, 16, count, 1).steps["embedding_bag"]
    for size in streams:
        steps[f"stream {size}"] = _stream(size)
    return Workload(steps, facts={"index_distribution": "uniform"})


def gathered_bytes(row: int) -> int:
    """Row bytes that one call of "gather R N" reads."""
    return max(POOLING, GATHER_BYTES // row) // POOLING * POOLING * row


def _stream(size: int) -> Callable[[], object]:
    """c = a + b over three arrays of `size` bytes together."""
    a, b, c = (torch.ones(max(1, size // 12)) for _ in range(3))
    return partial(torch.add, a, b, out=c)


def products(shapes: Sequence[tuple[int, int, int]]) -> Workload:
    """Steps "library precision batch×inputs×outputs" of linear layers in fp32 and, where oneDNN is wide, bf16."""
    steps: dict[str, Callable[[], object]] = {}
    kinds: list[tuple[Library, Precision]] = [("MKL", "fp32"), ("oneDNN", "fp32")]
    if torch.ops.mkldnn._is_mkldnn_bf16_supported():
        kinds.append(("oneDNN", "bf16"))
    for library, precision in kinds:
        made = linear(shapes, library, precision)
        steps |= {f"{library} {precision} {shape}": step for shape, step in made.steps.items()}
    return Workload(steps, linear(shapes[:1]).output)
