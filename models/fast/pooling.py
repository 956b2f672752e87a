"""Kernels that pool the bags of many tables in one call; tables, ids and offsets by address, nothing copied.

An address array stands for tensors that are not next to each other, so that no call pays for gathering them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray  # type: ignore[attr-defined]  # public, but not listed as such

from ...jit import kernel
from .memory_access import pointer, prefetch

AHEAD = 16  # lookups between asking for a row and reading it
LINE = 64  # bytes of a cache line
FINE = -1  # no table is at fault


@kernel
def pool_tables(
    weights: Any,
    rows: Any,
    dim: Any,
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
    """Sum the bags of samples start … stop − 1 into out[0 …, columns[t], :] for every table t.

    weights, indices, offsets: int64 addresses [tables] of float32 rows [rows, dim], of `counts` ids, and of `ends`
    offsets (samples, or samples + 1 with the end of the last bag); wide: ids and offsets are int64, else int32.
    Returns FINE, or the first table whose ids or offsets do not fit.
    """
    for t in range(len(weights)):
        rows_of = carray(pointer(weights[t]), (rows[t], dim), np.float32)
        if wide[t]:
            ids = carray(pointer(indices[t]), (counts[t],), np.int64)
            bags = carray(pointer(offsets[t]), (ends[t],), np.int64)
            fits = _pool(rows_of, weights[t], ids, bags, start, stop, columns[t], out)
        else:
            ids_32 = carray(pointer(indices[t]), (counts[t],), np.int32)
            bags_32 = carray(pointer(offsets[t]), (ends[t],), np.int32)
            fits = _pool(rows_of, weights[t], ids_32, bags_32, start, stop, columns[t], out)
        if not fits:
            return t
    return FINE


@kernel
def _pool(weight: Any, address: Any, ids: Any, bags: Any, start: Any, stop: Any, column: Any, out: Any) -> bool:
    if len(bags) and bags[0] != 0:
        return False
    count, rows, dim = len(ids), weight.shape[0], weight.shape[1]
    lines = (dim * 4 + LINE - 1) // LINE
    for sample in range(start, stop):
        begin = np.int64(bags[sample])
        end = np.int64(bags[sample + 1]) if sample + 1 < len(bags) else count
        if begin < 0 or end < begin or end > count:
            return False
        pooled = out[sample - start, column]
        for d in range(dim):
            pooled[d] = 0
        for k in range(begin, end):
            if k + AHEAD < count:
                ahead = address + np.int64(ids[k + AHEAD]) * dim * 4
                for line in range(lines):
                    prefetch(ahead + LINE * line)
            row = np.int64(ids[k])
            if row < 0 or row >= rows:
                return False
            values = weight[row]
            for d in range(dim):
                pooled[d] += values[d]
    return True


@kernel
def subtract_bags(
    weights: Any,
    rows: Any,
    dim: Any,
    indices: Any,
    counts: Any,
    offsets: Any,
    ends: Any,
    wide: Any,
    columns: Any,
    gradient: Any,
    rate: Any,
) -> None:
    """weight[row] −= rate · gradient[sample, columns[t]] for every lookup of every table t, in their order.

    Arguments as in pool_tables, whose checks these ids and offsets have passed.
    """
    for t in range(len(weights)):
        rows_of = carray(pointer(weights[t]), (rows[t], dim), np.float32)
        if wide[t]:
            ids = carray(pointer(indices[t]), (counts[t],), np.int64)
            bags = carray(pointer(offsets[t]), (ends[t],), np.int64)
            _subtract(rows_of, weights[t], ids, bags, columns[t], gradient, rate)
        else:
            ids_32 = carray(pointer(indices[t]), (counts[t],), np.int32)
            bags_32 = carray(pointer(offsets[t]), (ends[t],), np.int32)
            _subtract(rows_of, weights[t], ids_32, bags_32, columns[t], gradient, rate)


@kernel
def _subtract(weight: Any, address: Any, ids: Any, bags: Any, column: Any, gradient: Any, rate: Any) -> None:
    count, dim = len(ids), weight.shape[1]
    lines = (dim * 4 + LINE - 1) // LINE
    for sample in range(len(gradient)):
        end = np.int64(bags[sample + 1]) if sample + 1 < len(bags) else count
        change = gradient[sample, column]
        for k in range(np.int64(bags[sample]), end):
            if k + AHEAD < count:
                ahead = address + np.int64(ids[k + AHEAD]) * dim * 4
                for line in range(lines):
                    prefetch(ahead + LINE * line)
            row = weight[np.int64(ids[k])]
            for d in range(dim):
                row[d] -= rate * change[d]


@kernel
def sum_by_row(ids: Any, bags: Any, column: Any, gradient: Any, slots: Any, rows: Any, sums: Any, used: Any) -> Any:
    """Add every lookup's bag gradient to its row's sum: rows[k], sums[k] of `used` rows so far; returns how many now.

    slots: int32 [table's rows], 0 or a row's k + 1. rows: int64, sums: float32 [k, dim], both with room for all.
    """
    count, dim = len(ids), sums.shape[1]
    for sample in range(len(gradient)):
        end = np.int64(bags[sample + 1]) if sample + 1 < len(bags) else count
        change = gradient[sample, column]
        for k in range(np.int64(bags[sample]), end):
            row = np.int64(ids[k])
            slot = slots[row]
            if slot == 0:
                rows[used] = row
                used += 1
                slots[row] = used
                total = sums[used - 1]
                for d in range(dim):
                    total[d] = change[d]
            else:
                total = sums[slot - 1]
                for d in range(dim):
                    total[d] += change[d]
    return used
