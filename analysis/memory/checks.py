"""Whole numbers and line sizes, checked at the door of everything about memory."""

from __future__ import annotations

from operator import index
from typing import Any

from ... import HotrowError

SMALLEST_LINE = 4  # bytes; leaves two bits of an address for the kernels


def checked_whole(value: Any, what: str) -> int:
    """`value`, a whole number of Python or numpy, as int; HotrowError that begins with `what` for anything else."""
    try:
        return index(value)
    except TypeError:
        raise HotrowError(f"{what}: {value!r}; it must be a whole number") from None


def checked_line(line_bytes: int, what: str) -> int:
    """log2 of the bytes of a line or a span of lines; HotrowError unless they are a power of two from 4."""
    size = checked_whole(line_bytes, what)
    if size < SMALLEST_LINE or size & (size - 1):
        raise HotrowError(f"{what}: {size} bytes; they must be a power of two, at least {SMALLEST_LINE}")
    return size.bit_length() - 1
