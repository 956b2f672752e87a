"""resctrl: the kernel gives a process fewer ways of the last cache, where it and the processor can (CAT, QoS).

A parent makes a group and limits its ways; a child puts itself into it before it allocates anything.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .. import HotrowError

RESCTRL = Path("/sys/fs/resctrl")
GROUP = "hotrow"


def why_not(root: Path = RESCTRL) -> str | None:
    """Why the kernel's cache allocation cannot be used here, or None."""
    if not (root / "schemata").exists():
        return f"{root} is not mounted: the kernel or the processor has no cache allocation"
    if not l3_masks(root):
        return "its schemata has no L3 line"
    try:
        probe = root / f"{GROUP}-probe"
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        return f"no group can be made ({error.strerror}); it needs root"
    return None


def l3_masks(root: Path = RESCTRL) -> dict[str, int]:
    """Ways of every L3 that may be given, as bit masks by cache id."""
    for line in (root / "schemata").read_text().splitlines():
        kind, _, rest = line.strip().partition(":")
        if kind == "L3":
            return {cache: int(mask, 16) for cache, _, mask in (part.partition("=") for part in rest.split(";"))}
    return {}


@contextmanager
def l3_group(ways: int, root: Path = RESCTRL) -> Iterator[None]:
    """A group with only `ways` of every L3, for processes that join inside the block.

    Raises HotrowError where that cannot be had.
    """
    if reason := why_not(root):
        raise HotrowError(f"resctrl: {reason}")
    masks = l3_masks(root)
    fewest = min(mask.bit_count() for mask in masks.values())
    if not 1 <= ways <= fewest:
        raise HotrowError(f"{ways} ways of L3; there are {fewest}, so choose 1 to {fewest}")
    group = root / GROUP
    group.mkdir(exist_ok=True)
    try:
        lines = ";".join(f"{cache}={(1 << ways) - 1:x}" for cache in masks)
        (group / "schemata").write_text(f"L3:{lines}\n")
        yield
    finally:
        group.rmdir()  # the kernel moves its tasks back


def join(root: Path = RESCTRL) -> None:
    """Put this process, while it has one thread, into the group that its parent made."""
    (root / GROUP / "tasks").write_text(f"{os.getpid()}\n")
