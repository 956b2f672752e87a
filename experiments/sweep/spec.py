"""Spec: the grid of settings that a sweep goes through, from a TOML file, checked before anything runs."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

from ... import HotrowError

KINDS = ("measured", "simulated", "predicted")
DEFAULTS: dict[str, Any] = {
    "kind": "measured",
    "model": "criteo-kaggle",
    "scale": 1.0,
    "trace": "uniform",
    "machine": "this",
    "mode": "inference",
    "batch": 64,
    "isa": "native",
    "threads": 1,
    "precision": "fp32",
    "backend": "eager",
    "models": 1,
}
# What a point of each kind depends on; settings of other axes make no other point.
DEPENDS = {
    "measured": tuple(axis for axis in DEFAULTS if axis != "machine"),
    "simulated": ("kind", "model", "scale", "trace", "machine", "models"),
    "predicted": tuple(axis for axis in DEFAULTS if axis != "backend"),
}
CHOICES = {
    "kind": KINDS,
    "mode": ("inference", "training"),
    "isa": ("native", "scalar", "avx2", "avx512", "neon", "sve"),
    "precision": ("fp32", "bf16", "int8-tables", "int8", "int4"),
    "backend": ("eager", "fast", "compile", "aot", "onnx", "jax"),
}
WHOLE = {"batch": 65_536, "threads": 1024, "models": 1024}  # from 1 to here
LARGEST = 20_000  # points of one sweep
TOP = ("title", "seed", "axes", "include", "exclude")

Point = dict[str, Any]  # axis → setting
# What cannot be together: axes, whether their settings break the rule, the rule.
RULES: tuple[tuple[tuple[str, ...], Callable[..., bool], str], ...] = (
    (
        ("kind", "precision"),
        lambda kind, precision: kind == "measured" and precision in ("int8", "int4"),
        "measured points know fp32, bf16 and int8-tables",
    ),
    (
        ("kind", "precision"),
        lambda kind, precision: kind == "predicted" and precision == "int8-tables",
        "predicted points know fp32, bf16, int8 and int4",
    ),
    (
        ("kind", "mode", "backend"),
        lambda kind, mode, backend: kind == "measured" and mode == "training" and backend != "eager",
        "training is measured in eager mode",
    ),
    (
        ("kind", "mode", "precision"),
        lambda kind, mode, precision: kind == "measured" and mode == "training" and precision == "int8-tables",
        "tables in int8 cannot learn",
    ),
    (
        ("kind", "backend", "precision"),
        lambda kind, backend, precision: kind == "measured" and precision == "bf16" and backend != "eager",
        "bf16 is measured in eager mode",
    ),
    (
        ("kind", "backend", "precision"),
        lambda kind, backend, precision: (
            kind == "measured" and precision == "int8-tables" and backend not in ("eager", "fast")
        ),
        "tables in int8 are measured in eager and fast mode",
    ),
)


@dataclass(frozen=True)
class Spec:
    """A sweep's title, seed and points, each once. folder: what relative file names start from."""

    title: str
    seed: int
    points: tuple[Point, ...]
    folder: Path


def read_spec(path: str | Path) -> Spec:
    """The spec in a TOML file; HotrowError names file, key and rule.

    [axes] gives each axis a setting or a list of them; every combination is a point, of which those that match an
    [[exclude]] are left out and to which every [[include]] (settings, lists too) is added. Axes left out take DEFAULTS.
    """
    path = Path(path)
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise HotrowError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or 'not UTF-8'})") from error
    except tomllib.TOMLDecodeError as error:
        raise HotrowError(f"{path}: is no TOML ({error})") from error
    try:
        return _spec(raw, path.absolute().parent, path.stem)
    except HotrowError as error:
        raise HotrowError(f"{path}: {error}") from None


def _spec(raw: Mapping[str, Any], folder: Path, name: str) -> Spec:
    for key in raw:
        if key not in TOP:
            raise HotrowError(f"{key}: unknown; {_nearest(key, TOP)}")
    seed, title = raw.get("seed", 0), raw.get("title", name)
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise HotrowError(f"seed: {seed!r}; it must be a whole number from 0 to 2^32 − 1")
    if not isinstance(title, str):
        raise HotrowError(f"title: {title!r}; it must be text")
    for key in ("include", "exclude"):
        if not isinstance(raw.get(key, []), list):
            raise HotrowError(f"{key}: write it as [[{key}]], a table for each")
    axes = _settings(raw.get("axes", {}), "axes")
    included = [_settings(part, f"include[{k}]") for k, part in enumerate(raw.get("include", []))]
    excluded = [_settings(part, f"exclude[{k}]") for k, part in enumerate(raw.get("exclude", []))]
    if not all(excluded):
        raise HotrowError("exclude: a table without axes would leave nothing out or everything; name an axis")
    combinations = sum(prod(map(len, grid.values())) for grid in (axes, *included))
    if combinations > LARGEST:
        raise HotrowError(f"axes: {combinations:,} combinations; a sweep has at most {LARGEST:,}, so narrow its axes")
    kept = [whole for whole in _combined(axes) if not any(_matches(whole, rule) for rule in excluded)] if axes else []
    added = [whole for grid in included for whole in _combined(grid)]
    points = {tuple(point.items()): point for point in map(_relevant, (*kept, *added))}
    for point in points.values():
        _must_exist(point)
    if not points:
        raise HotrowError("axes: no point is left; give at least one axis, and exclude less")
    return Spec(title, seed, tuple(points.values()), folder)


def _combined(grid: Mapping[str, list[Any]]) -> list[Point]:
    """Every combination, with all axes."""
    return [DEFAULTS | dict(zip(grid, values, strict=True)) for values in product(*grid.values())]


def _matches(point: Point, rule: Mapping[str, list[Any]]) -> bool:
    return all(point[axis] in settings for axis, settings in rule.items())


def _relevant(point: Point) -> Point:
    return {axis: point[axis] for axis in DEPENDS[point["kind"]]}


def _must_exist(point: Point) -> None:
    """HotrowError for settings that exclude each other, and how to leave them out."""
    for axes, broken, rule in RULES:
        if broken(*(point.get(axis) for axis in axes)):
            named = ", ".join(f'{axis} = "{point[axis]}"' for axis in axes)
            raise HotrowError(f"{rule}, so leave this out, as by [[exclude]] with {named}")


def _settings(raw: Any, where: str) -> dict[str, list[Any]]:
    """Axis → settings, checked."""
    if not isinstance(raw, dict):
        raise HotrowError(f"{where}: {raw!r}; it must be a table of axes")
    made = {}
    for axis, given in raw.items():
        if axis not in DEFAULTS:
            raise HotrowError(f"{where}.{axis}: unknown axis; {_nearest(axis, DEFAULTS)}")
        settings = given if isinstance(given, list) else [given]
        if not settings:
            raise HotrowError(f"{where}.{axis}: no settings; give at least one")
        made[axis] = [_setting(axis, setting, f"{where}.{axis}") for setting in settings]
    return made


def _setting(axis: str, setting: Any, where: str) -> Any:
    if axis in WHOLE:
        if isinstance(setting, bool) or not isinstance(setting, int) or not 1 <= setting <= WHOLE[axis]:
            raise HotrowError(f"{where}: {setting!r}; it must be a whole number from 1 to {WHOLE[axis]:,}")
        return setting
    if axis == "scale":
        if isinstance(setting, bool) or not isinstance(setting, int | float) or not 0 < setting <= 1:
            raise HotrowError(f"{where}: {setting!r}; it must be a number above 0, at most 1")
        return float(setting)
    if not isinstance(setting, str) or not setting:
        raise HotrowError(f"{where}: {setting!r}; it must be text")
    if axis in CHOICES and setting not in CHOICES[axis]:
        raise HotrowError(f"{where}: {setting!r} is unknown; {_nearest(setting, CHOICES[axis])}")
    return setting


def _nearest(word: str, known: Any) -> str:
    near = get_close_matches(word, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}known are {', '.join(known)}"
