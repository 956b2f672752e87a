"""Quantized rows: d numbers in d · bits / 8 + 4 bytes, codes first, then scale and least value in float16.

value = least + scale · code, as in Guan et al. 2019 (Post-Training 4-bit Quantization on Embedding Tables).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

ENDS = 4  # bytes behind a row's codes


def row_bytes(dim: int, bits: int) -> int:
    """Bytes of a quantized row of `dim` numbers."""
    return -(-dim * bits // 8) + ENDS


def quantize_rows(weight: NDArray[np.float32], bits: int, unit: float) -> NDArray[np.uint8]:
    """Rows [rows, dim] as uint8 [rows, row_bytes(dim, bits)].

    unit: scale and least value are multiples of it; with a power of two near the largest weight, float16 holds them
    well however small the weights are. At 4 bits, byte k holds number k in its low and number k + ⌈dim / 2⌉ in its
    high half.
    """
    levels = 2**bits - 1
    least = (weight.min(axis=1) / np.float32(unit)).astype(np.float16)
    low = least.astype(np.float32) * np.float32(unit)
    scale = ((weight.max(axis=1) - low) / np.float32(levels * unit)).astype(np.float16)
    step = scale.astype(np.float32) * np.float32(unit)
    codes: NDArray[Any] = (weight - low[:, None]) / np.where(step > 0, step, 1)[:, None]
    codes = np.rint(codes).clip(0, levels).astype(np.uint8)
    if bits == 4:
        half = -(-codes.shape[1] // 2)
        joined = codes[:, :half].copy()
        joined[:, : codes.shape[1] - half] |= codes[:, half:] << 4
        codes = joined
    return np.hstack([codes, scale[:, None].view(np.uint8), least[:, None].view(np.uint8)])


def dequantize_rows(packed: NDArray[np.uint8], dim: int, bits: int, unit: float) -> NDArray[np.float32]:
    """The numbers [rows, dim] that quantized rows stand for."""
    codes = packed[:, :-ENDS]
    if bits == 4:
        codes = np.hstack([codes & 15, codes >> 4])[:, :dim]
    scale, least = np.ascontiguousarray(packed[:, -ENDS:]).view(np.float16).astype(np.float32).T * np.float32(unit)
    values: NDArray[np.float32] = least[:, None] + scale[:, None] * codes
    return values


def unit_of(weight: Tensor) -> float:
    """The power of two below the largest absolute weight; 1 where all are zero."""
    if not weight.numel():
        return 1.0
    largest = max(abs(float(bound)) for bound in torch.aminmax(weight))
    return float(2.0 ** np.floor(np.log2(largest))) if 0 < largest < np.inf else 1.0
