"""Machines in TOML files: read with inheritance, written back; what is wrong is said by file, key and rule.

A quantity is a table (value, unit, mark, source, low, high) or, short, a string as in "51 GB/s". `mark` and `source`
may stand once in any table for all the quantities below it. A file that says base = "skylake" starts from that machine
and changes what it names.
"""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import tomli_w

from .. import HotrowError
from ..atomic import replacing
from .machine import Machine
from .units import Mark, Quantity, parse

MACHINES = Path(__file__).parent / "machines"
DEEPEST = 16  # bases of bases
Table = dict[str, Any]


def machines() -> tuple[str, ...]:
    """Names of the machines that ship with hotrow."""
    return tuple(sorted(path.stem for path in MACHINES.glob("*.toml")))


def load_machine(name: str | Path) -> Machine:
    """The machine called `name`, or the one in the TOML file at the path `name`.

    Raises HotrowError that suggests the nearest name, or names the file, the key and the rule.
    """
    path = _path(name, Path())
    table, trail = _inherited(path, ())
    table.setdefault("name", path.stem)
    try:
        machine = msgspec.convert(table, Machine)
        _check_names(machine)
    except ValueError as error:  # msgspec's and our own
        raise HotrowError(f"{' via '.join(map(str, trail))}: {_words(error)}") from error
    by_speed = sorted(machine.memory.items(), key=lambda tier: -tier[1].bandwidth.base)
    return msgspec.structs.replace(machine, memory=dict(by_speed))


def _check_names(machine: Machine) -> None:
    """What a file must say beyond single quantities."""
    if not machine.name.strip():
        raise HotrowError("name is empty; leave it out for the file's own, or write one")
    for key in ("caches", "memory", "compute"):
        if not getattr(machine, key):
            raise HotrowError(f"{key} is empty; a machine needs at least one")
    for key in ("cores", "sockets", "threads_per_core"):
        value = getattr(machine, key).value
        if value != round(value):
            raise HotrowError(f"{key} is {value:g}; it must be a whole number")
    if machine.accelerator and machine.accelerator not in machines():
        raise HotrowError(f"accelerator: unknown machine {machine.accelerator!r}; known are {', '.join(machines())}")


def save_machine(machine: Machine, path: str | Path) -> None:
    """Write `machine` as TOML, whole or not at all. Raises HotrowError where the folder cannot be written."""
    with replacing(path) as beside:
        beside.write_bytes(tomli_w.dumps(plain(machine)).encode())


def plain(machine: Machine) -> Table:
    """`machine` as plain values; what is unknown is left out."""
    made: Table = _without_none(msgspec.to_builtins(machine))
    return made


def _path(name: str | Path, folder: Path) -> Path:
    if str(name).endswith(".toml"):
        return folder / name
    if str(name) in machines():
        return MACHINES / f"{name}.toml"
    near = get_close_matches(str(name), machines(), n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise HotrowError(
        f"unknown machine {str(name)!r}; {hint}known are {', '.join(machines()) or 'none'}, or name a .toml file"
    )


def _inherited(path: Path, below: tuple[Path, ...]) -> tuple[Table, tuple[Path, ...]]:
    """The file's table over its base's, quantities in full, and the files it came from."""
    if path.resolve() in below or len(below) > DEEPEST:
        raise HotrowError(f"{path}: base: the machine is its own base; one of them must stand alone")
    table = _read(path)
    base = table.pop("base", None)
    try:
        table = _in_full(table, Machine, "assumed", "", "")
    except HotrowError as error:
        raise HotrowError(f"{path}: {error}") from error
    if base is None:
        return table, (path,)
    try:
        start = _path(base, path.parent)
    except HotrowError as error:
        raise HotrowError(f"{path}: base: {error}") from error
    below_it, trail = _inherited(start, (*below, path.resolve()))
    return _merged(below_it, {"name": path.stem} | table), (path, *trail)


def _read(path: Path) -> Table:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise HotrowError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise HotrowError(f"{path}: not TOML: {error}") from error


def _in_full(table: Table, kind: Any, mark: Mark, source: str, where: str) -> Table:
    """`table` with every quantity as a table of its own that carries mark and source."""
    hints = get_type_hints(kind)
    if "mark" not in hints:
        mark, source = table.get("mark", mark), table.get("source", source)
        table = {key: value for key, value in table.items() if key not in ("mark", "source")}
    full = {}
    for key, value in table.items():
        if key not in hints:
            raise HotrowError(f"{where}{key}: unknown key; known are {', '.join(hints)}")
        inner, name = _struct(hints[key]), f"{where}{key}"
        if inner is Quantity:
            full[key] = _quantity(value, mark, source, name)
        elif inner is not None and get_origin(hints[key]) is dict and isinstance(value, dict):
            own = value.get("mark", mark), value.get("source", source)
            full[key] = {
                part: _in_full(_table(inside, f"{name}.{part}"), inner, *own, f"{name}.{part}.")
                for part, inside in value.items()
                if part not in ("mark", "source")
            }
        else:
            full[key] = value
    return full


def _quantity(value: Any, mark: Mark, source: str, where: str) -> Table:
    try:
        if isinstance(value, str):
            value = msgspec.to_builtins(parse(value, mark, source))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            value = {"value": value}
        written = {"mark": mark, "source": source} | _table(value, where)
        msgspec.convert(written, Quantity)
        return written
    except ValueError as error:  # msgspec's and our own
        raise HotrowError(f"{where}: {_words(error)}") from error


def _table(value: Any, where: str) -> Table:
    if not isinstance(value, dict):
        raise HotrowError(f"{where} is {value!r}; it must be a table")
    return value


def _struct(hint: Any) -> type[msgspec.Struct] | None:
    """The Struct that a field's type holds: itself, or None, or in a dict; no others."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return hint
    if isinstance(hint, UnionType) or get_origin(hint) is dict:
        found = [_struct(part) for part in get_args(hint)]
        return next((part for part in found if part is not None), None)
    return None


def _merged(base: Table, changes: Table) -> Table:
    """`base` with `changes`; tables merge key by key, but a quantity replaces a quantity."""
    merged = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        merged[key] = _merged(base[key], value) if both and "value" not in value else value
    return merged


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(inside) for key, inside in value.items() if inside is not None}
    return [_without_none(inside) for inside in value] if isinstance(value, list | tuple) else value


def _words(error: Exception) -> str:
    """msgspec's "Object missing required field `x` - at `$.y`" as "y: …"; our own as they are."""
    text = str(error)
    what, found, place = text.partition(" - at `$.")
    return f"{place.rstrip('`')}: {what}" if found else text
