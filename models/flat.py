"""Flat memory: the rows of all tables in one allocation, on huge pages where the system allows them."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from contextlib import suppress

import torch
from torch import Tensor

HUGE_PAGE = 2 * 2**20  # bytes: x86-64's and AArch64's (with 4 KiB pages)
LINE = 64  # bytes to which every table is aligned

Allocate = Callable[[int, int], Tensor]  # (rows, dim) -> uninitialised weights


def flat_memory(nbytes: int) -> Tensor:
    """Uninitialised uint8 [nbytes], on huge pages (madvise, Linux) from one huge page on.

    A lookup in a large table misses the TLB on small pages: 4 KiB hold 16 rows of 64 numbers, 2 MiB hold 8192.
    """
    if nbytes < HUGE_PAGE or not hasattr(mmap, "MADV_HUGEPAGE"):
        return torch.empty(nbytes, dtype=torch.uint8)
    area = mmap.mmap(-1, nbytes + HUGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)  # shared memory stays small
    with suppress(OSError):  # a system without them: small pages hold the same numbers
        area.madvise(mmap.MADV_HUGEPAGE)
    memory = torch.frombuffer(area, dtype=torch.uint8)
    return memory[-memory.data_ptr() % HUGE_PAGE :][:nbytes]


class FlatTables:
    """Hands out the weights of tables, one after the other, from one allocation for all of them."""

    def __init__(self, shapes: list[tuple[int, int]], dtype: torch.dtype) -> None:
        self.dtype = dtype
        self._memory = flat_memory(sum(self._bytes(rows, dim) for rows, dim in shapes))
        self._next = 0

    def __call__(self, rows: int, dim: int) -> Tensor:
        """Uninitialised weights [rows, dim]."""
        used = rows * dim * self.dtype.itemsize
        part = self._memory[self._next : self._next + used]
        self._next += self._bytes(rows, dim)
        return part.view(self.dtype).view(rows, dim)

    def _bytes(self, rows: int, dim: int) -> int:
        return -(-rows * dim * self.dtype.itemsize // LINE) * LINE
