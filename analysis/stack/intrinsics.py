"""Prefetch: ask the processor for a cache line before a kernel needs it."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

COMPILED = not config.DISABLE_JIT  # type: ignore[attr-defined]  # numba's settings are attributes made at run time


def element_pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    """The address of array[index] in a kernel under construction; no bounds check."""
    return builder.gep(make_array(array_type)(context, builder, array).data, [index])


def _prefetch(typing_context: Any, array: Any, index: Any) -> Any:
    """Fetch the line of array[index] for writing; the index must be unsigned and may lie beyond the array."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = element_pointer(context, builder, signature.args[0], *arguments)
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        shape = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        instruction = cgutils.get_or_insert_function(builder.module, shape, "llvm.prefetch.p0")
        for_writing, keep, data = (ir.Constant(number, value) for value in (1, 3, 1))
        builder.call(instruction, [builder.bitcast(pointer, byte), for_writing, keep, data])
        return context.get_dummy_value()

    return types.void(array, types.uint64), generate


def _nothing(array: Any, index: Any) -> None:
    """Prefetching changes no result."""


# It has no result, so a kernel in another file may use it: machine code kept from before a change here is not wrong.
prefetch: Any = intrinsic(_prefetch) if COMPILED else _nothing
