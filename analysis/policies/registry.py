"""The policies by name: what each needs, and how it is called. A new policy is one function and one entry here."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import HotrowError
from .frequency import lfu
from .lists import arc, lirs, slru, two_q, w_tinylfu
from .offline import belady, static, static_prefix
from .queues import clock, fifo, lru, s3_fifo, sieve
from .sets import WAYS, set_lfu, set_lru, set_of_rows
from .stream import Stream

Run = Callable[[Stream, int, NDArray[np.bool_]], int]


@dataclass(frozen=True)
class Policy:
    """A replacement policy.

    name: as printed. run: (stream, capacity, missed) -> misses, capacity in rows or, where the stream's rows differ in
    size, in bytes; marks misses in `missed`, bool [accesses], unless that is empty. smallest: the least capacity in
    which it is defined, in rows (the largest, where they differ). multiple: what a capacity in rows must be a multiple
    of. mixed: whether it is defined for rows of different size.
    """

    name: str
    run: Run
    smallest: int = 1
    multiple: int = 1
    mixed: bool = True


def find(name: str) -> Policy:
    """The policy called `name`, whatever its case, hyphens or spaces; HotrowError suggests the nearest name."""
    known = {_folded(policy.name): policy for policy in POLICIES}
    if not isinstance(name, str):
        raise HotrowError(f"policy {name!r}; a policy is named by a string: {', '.join(NAMES)}")
    if _folded(name) in known:
        return known[_folded(name)]
    near = difflib.get_close_matches(_folded(name), known, n=1, cutoff=0.5)
    hint = f"did you mean {known[near[0]].name}? " if near else ""
    raise HotrowError(f"unknown policy {name!r}; {hint}There are {', '.join(NAMES)}")


def checked_capacity(policy: Policy, capacity: Any, stream: Stream) -> int:
    """`capacity` as the policy's run takes it: rows, or bytes where rows differ in size.

    Raises HotrowError naming policy, capacity and rule.
    """
    unit, (least, largest) = stream.unit, stream.size_range
    if isinstance(capacity, bool | np.bool_) or not isinstance(capacity, int | np.integer):
        raise HotrowError(f"{policy.name}: capacity {capacity!r}; it must be a whole number of {unit}")
    size = int(capacity)
    where = f"{policy.name}: capacity {size} {unit}"
    if len(stream.sizes) and not policy.mixed:
        raise HotrowError(
            f"{where}, but rows have {least} to {largest} bytes; the policy is defined for rows of one size, "
            "so give every table its own cache"
        )
    if size < 1:
        raise HotrowError(f"{where}; it must be at least 1")
    if size < (needed := policy.smallest * (largest if policy.smallest > 1 else least)):
        rows = f" ({policy.smallest} × {largest} bytes)" if unit == "bytes" else ""
        raise HotrowError(f"{where}; the policy is defined from {needed} {unit}{rows} on")
    if not len(stream.sizes):
        size //= least
        if size % policy.multiple:
            raise HotrowError(
                f"{where} = {size} rows; its sets have {policy.multiple} rows, so give a multiple of that"
            )
    return min(size, 2**62)


def _kernel(function: Callable[..., int]) -> Run:
    """A policy from a kernel with the arguments of queues.py."""

    def run(stream: Stream, capacity: int, missed: NDArray[np.bool_]) -> int:
        return int(function(stream.ids, stream.rows, stream.sizes, capacity, missed))

    return run


def _sets(function: Callable[..., int]) -> Run:
    """A policy from a kernel with the arguments of sets.py."""

    def run(stream: Stream, capacity: int, missed: NDArray[np.bool_]) -> int:
        names = np.arange(stream.rows, dtype=np.uint64) if stream.names is None else stream.names
        return int(function(stream.ids, set_of_rows(names, capacity // WAYS), capacity, missed))

    return run


def _folded(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


POLICIES = (
    Policy("LRU", _kernel(lru)),
    Policy("FIFO", _kernel(fifo)),
    Policy("LFU", _kernel(lfu)),
    Policy("CLOCK", _kernel(clock)),
    Policy("SIEVE", _kernel(sieve)),
    Policy("S3-FIFO", _kernel(s3_fifo), smallest=20),
    Policy("ARC", _kernel(arc), mixed=False),
    Policy("2Q", _kernel(two_q), smallest=4),
    Policy("SLRU", _kernel(slru), smallest=4),
    Policy("LIRS", _kernel(lirs), smallest=2, mixed=False),
    Policy("W-TinyLFU", _kernel(w_tinylfu), smallest=100, mixed=False),
    Policy("Belady", _kernel(belady), mixed=False),
    Policy("static", static),
    Policy("static-prefix", static_prefix),
    Policy("FBGEMM-LRU", _sets(set_lru), smallest=WAYS, multiple=WAYS, mixed=False),
    Policy("FBGEMM-LFU", _sets(set_lfu), smallest=WAYS, multiple=WAYS, mixed=False),
)
NAMES = tuple(policy.name for policy in POLICIES)
