"""pointer, prefetch: how kernels reach memory by address. They never change, so kernels in other files may use them."""

from __future__ import annotations

import ctypes
from typing import Any

from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic


def _pointer(typing_context: Any, address: Any) -> Any:
    """An integer as a pointer."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(types.int64), generate


def _prefetch(typing_context: Any, address: Any) -> Any:
    """Ask for the cache line at an address, which need not exist."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        shape = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        instruction = cgutils.get_or_insert_function(builder.module, shape, "llvm.prefetch.p0")
        builder.call(instruction, [builder.inttoptr(arguments[0], byte), number(1), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(types.int64), generate


def _interpreted_pointer(address: int) -> ctypes.c_void_p:
    """The same where numba does not compile."""
    return ctypes.c_void_p(int(address) or 1)  # nothing stands at 0, but numba refuses it; nothing is read there


def _no_prefetch(address: int) -> None:
    """Prefetching changes no result."""


COMPILED = not config.DISABLE_JIT  # type: ignore[attr-defined]  # numba's settings are made at run time
pointer: Any = intrinsic(_pointer) if COMPILED else _interpreted_pointer
prefetch: Any = intrinsic(_prefetch) if COMPILED else _no_prefetch
