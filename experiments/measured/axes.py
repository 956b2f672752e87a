"""Axes: settings of a model's run that can be varied one at a time, as configurations of the runner."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import msgspec

from ... import HotrowError
from ...models.backends.backends import backends
from ...profiling.host import host_facts
from ...profiling.isa import widths
from ...profiling.processes.configuration import Configuration, allowed_cpus

Change = Callable[[Configuration, str], Configuration]
replace = msgspec.structs.replace


def varied(
    base: Configuration, axes: Mapping[str, Sequence[str]], traces: Mapping[str, str] | None = None
) -> dict[tuple[str, str], Configuration]:
    """`base` with one setting changed, by (axis, setting); an axis without settings takes all that this machine has.

    base: runs workloads.dlrm. traces: the file of every setting of the axis "trace" but "uniform". Raises HotrowError
    for an axis or setting that does not exist.
    """
    made = {}
    for axis, settings in axes.items():
        _must_exist(axis)
        for setting in dict.fromkeys(settings or everything(axis)):
            told = (traces or {}).get(setting, setting) if axis == "trace" else setting
            made[axis, setting] = replace(CHANGES[axis](base, told), name=f"{axis} {setting}")
    return made


def _must_exist(axis: str) -> None:
    if axis not in CHANGES:
        near = get_close_matches(axis.lower(), CHANGES, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise HotrowError(f"axis {axis!r}; {hint}known are {', '.join(CHANGES)}")


def everything(axis: str) -> tuple[str, ...]:
    """All settings of an axis on this machine; HotrowError for an axis that does not exist or needs to be told."""
    _must_exist(axis)
    known = {
        "isa": widths(host_facts().simd),
        "threads": tuple(str(2**k) for k in range(12) if 2**k <= len(allowed_cpus())),
        "precision": ("fp32", "bf16", "int8-tables"),
        "wait-policy": ("active", "passive"),
        "huge-pages": ("no", "yes"),
        "device": ("cpu", "cuda", "cuda-graph"),
        "backend": tuple(backend.name for backend in backends()),
        "pinned": ("no", "yes"),
        "l3-ways": _halves(max((c.ways or 0 for c in host_facts().caches if c.level == 3), default=0)),
    }
    if not known.get(axis):
        raise HotrowError(f"axis {axis!r} needs its settings, as in {axis}=1,10,100")
    return known[axis]


def _halves(ways: int) -> tuple[str, ...]:
    """Two ways, four, … up to all."""
    return tuple(str(2**k) for k in range(1, 12) if 2**k <= ways)


def parse_axes(words: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Axes as a command line writes them: "isa" or "threads=1,2"."""
    axes = {}
    for word in words:
        axis, _, settings = word.partition("=")
        axes[axis] = tuple(part.strip() for part in settings.split(",") if part.strip())
    return axes


def _number(axis: str, setting: str) -> int:
    if not setting.isdecimal() or int(setting) < 1:
        raise HotrowError(f"{axis} {setting!r}; it must be a whole number from 1")
    return int(setting)


def one_of(axis: str, setting: str) -> str:
    """The setting; HotrowError where the axis has no such one."""
    if setting not in everything(axis):
        raise HotrowError(f"{axis} {setting!r}; known are {', '.join(everything(axis))}")
    return setting


def _argument(base: Configuration, **changes: Any) -> Configuration:
    return replace(base, arguments=base.arguments | changes)


def _tables(base: Configuration, field: str, number: int) -> Configuration:
    """Every table with another pooling or dimension, ids uniform as no trace has such bags; the bottom MLP follows."""
    config = base.arguments["config"]
    tables = [table | {field: number} for table in config["tables"]]
    changed = config | {"tables": tables, "name": f"{config['name']}, {field} {number}"}
    if field == "dim":
        changed["bottom"] = [*config["bottom"][:-1], number]
    return _argument(base, config=changed, trace=None)


CHANGES: dict[str, Change] = {
    "isa": lambda base, setting: replace(base, isa=setting),
    "threads": lambda base, setting: replace(base, threads=_number("threads", setting)),
    "precision": lambda base, setting: _argument(base, precision=one_of("precision", setting)),
    "wait-policy": lambda base, setting: replace(base, wait_policy=one_of("wait-policy", setting)),
    "huge-pages": lambda base, setting: replace(base, huge_pages=one_of("huge-pages", setting) == "yes"),
    "pinned": lambda base, setting: replace(base, cpus=None if one_of("pinned", setting) == "yes" else ()),
    "l3-ways": lambda base, setting: replace(base, l3_ways=_number("l3-ways", setting)),
    "device": lambda base, setting: _argument(base, device=one_of("device", setting)),
    "backend": lambda base, setting: _argument(base, backend=one_of("backend", setting)),
    "pooling": lambda base, setting: _tables(base, "pooling", _number("pooling", setting)),
    "dim": lambda base, setting: _tables(base, "dim", _number("dim", setting)),
    "trace": lambda base, setting: _argument(base, trace=None if setting == "uniform" else setting),
}
