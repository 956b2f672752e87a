"""Naive models: what an operator would take at a peak and one bandwidth, beside which predictions are held."""

from __future__ import annotations

from dataclasses import dataclass

from ...analysis.prediction.costs import LINE, Coefficients
from ...analysis.prediction.steps import Operator

FLOAT = 4.0
CONSTANT = 51e9  # bytes/s, that TorchRec's planner takes memory to give
ROOFLINE, BANDWIDTH, FITS = "DRAM roofline", "51 GB/s constant", "level the table fits in"


@dataclass(frozen=True)
class Roof:
    """One core's peak in FLOP/s, and memory's bytes/s."""

    flops: float
    bandwidth: float


def naive(op: Operator, rows: int, costs: Coefficients, roof: Roof) -> dict[str, float]:
    """Seconds of an operator by model; rows: of its table, where it has one.

    DRAM roofline: the longer of computing at the peak and moving every byte from memory. 51 GB/s constant: lookups at
    this bandwidth. level the table fits in: lookups at the cost of a line in the first level that holds the table; for
    both, all else by the roofline.
    """
    moved = _bytes(op)
    by_roof = max(op.flops / roof.flops, moved / roof.bandwidth)
    if op.kind != "gather":
        return dict.fromkeys((ROOFLINE, BANDWIDTH, FITS), by_roof)
    held = FLOAT * rows * op.n
    level = next((level for level in costs.levels[1:] if held <= level.capacity), costs.levels[-1])
    line = max(level.next, LINE / level.bandwidth)
    return {ROOFLINE: by_roof, BANDWIDTH: moved / CONSTANT, FITS: moved / LINE * line}


def _bytes(op: Operator) -> float:
    """Bytes read and written, every one once."""
    if op.kind == "linear":
        return FLOAT * (op.m * op.k + op.k * op.n + op.m * op.n)
    if op.kind == "gather":
        return FLOAT * (op.k * (op.n + 1) + op.m * op.n)
    if op.kind == "scatter":
        return FLOAT * (op.m * op.n + op.k * (op.n + 1))
    if op.kind == "apply":
        return FLOAT * op.k * (3 * op.n + 1)
    return 3 * op.bytes if op.kind == "update" else op.bytes
