"""The kernel that pools bags of quantized rows, for many tables in one call."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray  # type: ignore[attr-defined]  # public, but not listed as such

from ...jit import kernel
from ..fast.memory_access import pointer, prefetch

AHEAD = 16  # lookups between asking for a row and reading it
LINE = 64  # bytes of a cache line
ENDS = 4  # bytes behind a row's codes, as in rows
FINE = -1  # no table is at fault
# float16: mantissa (+ 1024, but for exponent 0) · 2^(exponent − 25), and · 2^−24 for exponent 0
POWERS = np.array([2.0**-24] + [2.0 ** (exponent - 25) for exponent in range(1, 32)], np.float32)


@kernel
def pool_quantized_tables(
    packed: Any,
    rows: Any,
    dim: Any,
    bits: Any,
    units: Any,
    indices: Any,
    counts: Any,
    offsets: Any,
    ends: Any,
    wide: Any,
    start: Any,
    stop: Any,
    columns: Any,
    out: Any,
) -> int:
    """As fast.pooling.pool_tables, with `packed` addresses of quantized rows and the `units` of their scales."""
    width = (dim * bits + 7) // 8 + ENDS
    for t in range(len(packed)):
        rows_of = carray(pointer(packed[t]), (rows[t], width), np.uint8)
        if wide[t]:
            ids = carray(pointer(indices[t]), (counts[t],), np.int64)
            bags = carray(pointer(offsets[t]), (ends[t],), np.int64)
            fits = _pool(rows_of, packed[t], dim, bits, units[t], ids, bags, start, stop, columns[t], out)
        else:
            ids_32 = carray(pointer(indices[t]), (counts[t],), np.int32)
            bags_32 = carray(pointer(offsets[t]), (ends[t],), np.int32)
            fits = _pool(rows_of, packed[t], dim, bits, units[t], ids_32, bags_32, start, stop, columns[t], out)
        if not fits:
            return t
    return FINE


@kernel
def _pool(
    packed: Any,
    address: Any,
    dim: Any,
    bits: Any,
    unit: Any,
    ids: Any,
    bags: Any,
    start: Any,
    stop: Any,
    column: Any,
    out: Any,
) -> bool:
    if len(bags) and bags[0] != 0:
        return False
    count, rows, width = len(ids), packed.shape[0], packed.shape[1]
    half = (dim + 1) // 2
    for sample in range(start, stop):
        begin = np.int64(bags[sample])
        end = np.int64(bags[sample + 1]) if sample + 1 < len(bags) else count
        if begin < 0 or end < begin or end > count:
            return False
        pooled = out[sample - start, column]
        for d in range(dim):
            pooled[d] = 0
        least = np.float32(0)
        low_half, high_half = pooled[:half], pooled[half:dim]
        for k in range(begin, end):
            if k + AHEAD < count:
                ahead = address + np.int64(ids[k + AHEAD]) * width
                for place in range(0, width, LINE):
                    prefetch(ahead + place)
            number = np.int64(ids[k])
            if number < 0 or number >= rows:
                return False
            row = packed[number]
            scale = _half(row[width - 4], row[width - 3]) * unit
            least += _half(row[width - 2], row[width - 1]) * unit
            if bits == 8:
                for d in range(dim):
                    pooled[d] += scale * np.float32(row[d])
            else:
                for d in range(half):
                    low_half[d] += scale * np.float32(row[d] & 15)
                for d in range(dim - half):
                    high_half[d] += scale * np.float32(row[d] >> 4)
        for d in range(dim):
            pooled[d] += least
    return True


@kernel
def _half(low: Any, high: Any) -> Any:
    """The float32 value of a float16 in two bytes."""
    mantissa = np.int32(low) | (np.int32(high) & 3) << 8
    exponent = (np.int32(high) >> 2) & 31
    value = np.float32(mantissa + (1024 if exponent else 0)) * POWERS[exponent]
    return -value if high & 128 else value
