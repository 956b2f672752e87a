"""Memory foreseen: what is free, and a refusal before an allocation that cannot succeed."""

import math
from pathlib import Path

import psutil

from .. import HotrowError

GIB = 2**30
CONTROL_GROUP = Path("/sys/fs/cgroup")  # a container's limit, version 2


def available_bytes(control_group: Path = CONTROL_GROUP) -> int:
    """Bytes that can still be allocated: free memory, or what a container's limit leaves of it."""
    free = int(psutil.virtual_memory().available)
    try:
        limit = (control_group / "memory.max").read_text().strip()
        used = int((control_group / "memory.current").read_text())
    except OSError:
        return free
    return free if limit == "max" else max(0, min(free, int(limit) - used))


def require_memory(needed: int, what: str, held: int = 0) -> None:
    """Raise HotrowError if `needed` bytes for `what` exceed the free memory.

    held: bytes already allocated that grow with the tables as well.
    """
    free = available_bytes()
    if needed > free:
        fits = 0.9 * (free + held) / (needed + held)
        raise HotrowError(
            f"{what} needs {needed / GIB:.1f} GiB and {free / GIB:.1f} GiB of memory are free; "
            f"--scale makes its tables smaller: {_one_digit(fits):g} of these rows would fit"
        )


def _one_digit(fraction: float) -> float:
    """`fraction` cut to one significant digit."""
    if fraction <= 0:
        return 0.0
    unit = 10.0 ** math.floor(math.log10(fraction))
    return math.floor(fraction / unit) * unit
