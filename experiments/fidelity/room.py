"""Room: whether the lookups that are made at once fit into memory; said before hours go by."""

from __future__ import annotations

from ... import HotrowError
from ...models.memory import GIB, available_bytes

BYTES = 45  # of a lookup, of all tables; 42 were measured with 10⁸ lookups of seven tables, coupling included


def require_room(lookups: int, remedy: str) -> None:
    """Raise HotrowError where `lookups` at once take more than the free memory."""
    needed, free = lookups * BYTES, available_bytes()
    if needed > free:
        raise HotrowError(
            f"{lookups:,} lookups at once take about {needed / GIB:.1f} GiB and {free / GIB:.1f} GiB of memory are "
            f"free; {remedy}"
        )
