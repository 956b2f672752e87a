"""Inner loops of matrix products with their sums in registers, written in LLVM's vector types.

A panel is 32 columns of a matrix, row after row.

numba cannot keep a block of sums in registers by itself: it must assume that every array overlaps every other.
Its kept machine code does not notice a change here: whoever makes one must touch products.py and linear.py as well.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic

ROWS, COLUMNS = 4, 32
PANELS = 4  # panels of 32 columns that one sparse row is multiplied with
VECTOR = 16  # float32 numbers of an LLVM vector: one AVX-512 register or two of AVX2
SIZE = 4  # bytes of a float32

_NUMBER, _FLOAT = ir.IntType(64), ir.FloatType()
_WIDE = ir.VectorType(_FLOAT, VECTOR)


def _pointer(builder: Any, address: Any, kind: Any) -> Any:
    return builder.inttoptr(address, kind.as_pointer())


def _load(builder: Any, address: Any, kind: Any) -> Any:
    loaded = builder.load(_pointer(builder, address, kind))
    loaded.align = SIZE
    return loaded


def _block(
    typing_context: Any,
    x: Any,
    x_step: Any,
    x_next: Any,
    w: Any,
    depth: Any,
    bias: Any,
    bias_step: Any,
    y: Any,
    y_step: Any,
    relu: Any,
) -> Any:
    """y [4, 32] = bias [4, 32] + x [4, depth] · w [depth, 32], then a ReLU where `relu` is not 0.

    x, w, bias, y: addresses of float32 numbers; bias may be y, which then grows. x_step, bias_step, y_step: bytes
    between rows, 0 where all are the same; x_next: between a row's numbers.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, x_step, x_next, w, depth, bias, bias_step, y, y_step, relu = arguments
        sums = [_sums(builder, builder.add(bias, builder.mul(bias_step, _NUMBER(row)))) for row in range(ROWS)]
        with cgutils.for_range(builder, depth) as loop:
            columns = _row(builder, w, loop.index)
            place = builder.add(x, builder.mul(loop.index, x_next))
            for number, row in enumerate(sums):
                factor = _load(builder, builder.add(place, builder.mul(x_step, _NUMBER(number))), _FLOAT)
                _add(builder, row, factor, columns)
        for number, row in enumerate(sums):
            _store(builder, row, builder.add(y, builder.mul(y_step, _NUMBER(number))), relu)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 10), generate


def _sparse_row(
    typing_context: Any, x: Any, used: Any, count: Any, w: Any, panel: Any, bias: Any, y: Any, relu: Any
) -> Any:
    """y [128] = bias [128] + Σ x[k] · w[k] over `count` numbers k in `used`, then a ReLU where `relu` is not 0.

    w: four panels [depth, 32], `panel` bytes apart.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, used, count, w, panel, bias, y, relu = arguments
        starts = [_NUMBER(number * COLUMNS * SIZE) for number in range(PANELS)]
        sums = [_sums(builder, builder.add(bias, start)) for start in starts]
        with cgutils.for_range(builder, count) as loop:
            k = _load(builder, builder.add(used, builder.mul(loop.index, _NUMBER(8))), _NUMBER)
            factor = _load(builder, builder.add(x, builder.mul(k, _NUMBER(SIZE))), _FLOAT)
            for number, part in enumerate(sums):
                _add(builder, part, factor, _row(builder, builder.add(w, builder.mul(panel, _NUMBER(number))), k))
        for start, part in zip(starts, sums, strict=True):
            _store(builder, part, builder.add(y, start), relu)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 8), generate


def _sums(builder: Any, bias: Any) -> list[Any]:
    """32 running sums that begin with the bias."""
    sums = [cgutils.alloca_once(builder, _WIDE) for _ in range(COLUMNS // VECTOR)]
    for part, place in enumerate(sums):
        builder.store(_load(builder, builder.add(bias, _NUMBER(part * VECTOR * SIZE)), _WIDE), place)
    return sums


def _row(builder: Any, w: Any, k: Any) -> list[Any]:
    """The 32 numbers of row k of a panel."""
    row = builder.add(w, builder.mul(k, _NUMBER(COLUMNS * SIZE)))
    return [_load(builder, builder.add(row, _NUMBER(part * VECTOR * SIZE)), _WIDE) for part in range(COLUMNS // VECTOR)]


def _add(builder: Any, sums: list[Any], factor: Any, columns: list[Any]) -> None:
    """sums += factor · columns, fused."""
    shape = ir.FunctionType(_WIDE, [_WIDE] * 3)
    fma = cgutils.get_or_insert_function(builder.module, shape, f"llvm.fma.v{VECTOR}f32")
    spread = _spread(builder, factor)
    for place, column in zip(sums, columns, strict=True):
        builder.store(builder.call(fma, [spread, column, builder.load(place)]), place)


def _store(builder: Any, sums: list[Any], y: Any, relu: Any) -> None:
    """Put the sums to y, negative ones as zero where `relu` is not 0."""
    zero = ir.Constant(_WIDE, [0.0] * VECTOR)
    rectify = builder.icmp_signed("!=", relu, _NUMBER(0))
    for part, place in enumerate(sums):
        value = builder.load(place)
        negative = builder.fcmp_ordered("<", value, zero)  # not for NaN, which must stay
        value = builder.select(rectify, builder.select(negative, zero, value), value)
        stored = builder.store(value, _pointer(builder, builder.add(y, _NUMBER(part * VECTOR * SIZE)), _WIDE))
        stored.align = SIZE


def _spread(builder: Any, value: Any) -> Any:
    """A vector that holds `value` everywhere."""
    one = builder.insert_element(ir.Constant(_WIDE, ir.Undefined), value, ir.IntType(32)(0))
    places = ir.Constant(ir.VectorType(ir.IntType(32), VECTOR), [0] * VECTOR)
    return builder.shuffle_vector(one, one, places)


def _block_interpreted(
    x: int, x_step: int, x_next: int, w: int, depth: int, bias: int, bias_step: int, y: int, y_step: int, relu: int
) -> None:
    """The same as _block where numba does not compile."""
    weights = _floats(w, depth * COLUMNS).reshape(depth, COLUMNS)
    for row in range(ROWS):
        every = x_next // SIZE
        factors = _floats(x + row * x_step, (depth - 1) * every + 1)[::every] if depth else np.empty(0, np.float32)
        value = _floats(bias + row * bias_step, COLUMNS) + factors @ weights
        _floats(y + row * y_step, COLUMNS)[:] = np.where(value < 0, 0, value) if relu else value


def _sparse_row_interpreted(x: int, used: int, count: int, w: int, panel: int, bias: int, y: int, relu: int) -> None:
    """The same as _sparse_row where numba does not compile."""
    chosen = np.ctypeslib.as_array(ctypes.cast(int(used), ctypes.POINTER(ctypes.c_int64)), (max(1, count),))[:count]
    depth = panel // (COLUMNS * SIZE)
    for number in range(PANELS):
        weights = _floats(w + number * panel, depth * COLUMNS).reshape(depth, COLUMNS)
        start = number * COLUMNS * SIZE
        value = _floats(bias + start, COLUMNS) + _floats(x, depth)[chosen] @ weights[chosen]
        _floats(y + start, COLUMNS)[:] = np.where(value < 0, 0, value) if relu else value


def _floats(address: int, count: int) -> Any:
    return np.ctypeslib.as_array(ctypes.cast(int(address), ctypes.POINTER(ctypes.c_float)), (count,))


COMPILED = not config.DISABLE_JIT  # type: ignore[attr-defined]  # numba's settings are made at run time
block: Any = intrinsic(_block) if COMPILED else _block_interpreted
sparse_row: Any = intrinsic(_sparse_row) if COMPILED else _sparse_row_interpreted
