"""Findings: what a sweep's points say: the best setting of every workload, what is no worse, what each axis changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from .spec import DEFAULTS
from .store import Stored

METRIC: dict[str, tuple[str, bool]] = {  # kind → metric that decides, whether more is better
    "measured": ("samples per second", True),
    "simulated": ("memory per sample", False),
    "predicted": ("samples per second", True),
}
# What is given; the other axes are what may be chosen. Of a simulation neighbours are given: they share its cache.
GIVEN: dict[str, tuple[str, ...]] = {
    "measured": ("model", "trace", "scale", "mode"),
    "simulated": ("model", "trace", "scale", "models"),
    "predicted": ("model", "trace", "scale", "mode"),
}


@dataclass(frozen=True)
class Best:
    """A workload's best point; alike: those that cannot be told from it, as their intervals meet its own.

    next: the best that can, None where there is none; tried: points of this workload.
    """

    workload: tuple[Any, ...]  # settings of the axes that are given
    point: Stored
    alike: tuple[Stored, ...]
    next: Stored | None
    tried: int


@dataclass(frozen=True)
class Effect:
    """What one setting of an axis does to the deciding metric, all else equal: its ratio to the axis's first setting.

    Median, least and most over `pairs` of points.
    """

    axis: str
    setting: Any
    first: Any
    ratio: float
    least: float
    most: float
    pairs: int


def metrics(point: Stored) -> dict[str, dict[str, Any]]:
    """A point's metrics by name; none where it failed."""
    found: dict[str, dict[str, Any]] = (point.result or {}).get("metrics", {})
    return found


def deciding(point: Stored) -> dict[str, Any]:
    """The metric that decides."""
    return metrics(point)[METRIC[point.settings["kind"]][0]]


def varied(points: Sequence[Stored]) -> tuple[str, ...]:
    """Axes on which the points differ."""
    return tuple(a for a in DEFAULTS if a != "kind" and len({p.settings.get(a) for p in points}) > 1)


def workloads(kind: str, points: Sequence[Stored]) -> dict[tuple[Any, ...], list[Stored]]:
    """Points of one kind by what is given."""
    found: dict[tuple[Any, ...], list[Stored]] = {}
    for p in points:
        found.setdefault(tuple(p.settings[axis] for axis in GIVEN[kind]), []).append(p)
    return found


def bests(kind: str, points: Sequence[Stored]) -> list[Best]:
    """The best of every workload of which several points were tried."""
    more = METRIC[kind][1]
    made = []
    for workload, own in workloads(kind, points).items():
        if len(own) < 2:
            continue
        best, *others = sorted(own, key=lambda p: deciding(p)["value"], reverse=more)
        alike = tuple(p for p in others if _meet(deciding(p), deciding(best)))
        rest = [p for p in others if p not in alike]
        made.append(Best(workload, best, alike, rest[0] if rest else None, len(own)))
    return made


def _meet(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return bool(a["low"] <= b["high"] and b["low"] <= a["high"])


def effects(kind: str, points: Sequence[Stored]) -> list[Effect]:
    """Every setting of every axis that may be chosen, against the axis's first; axes that change most come first."""
    found: list[list[Effect]] = []
    for axis in varied(points):
        if axis in GIVEN[kind] and axis != "models":
            continue
        by_rest: dict[tuple[Any, ...], dict[Any, float]] = {}
        for p in points:
            rest = tuple(setting for a, setting in p.settings.items() if a != axis)
            by_rest.setdefault(rest, {})[p.settings[axis]] = float(deciding(p)["value"])
        first, *others = dict.fromkeys(p.settings[axis] for p in points)
        own = []
        for setting in others:
            pairs = [group[setting] / group[first] for group in by_rest.values() if {setting, first} <= group.keys()]
            if pairs:
                own.append(Effect(axis, setting, first, median(pairs), min(pairs), max(pairs), len(pairs)))
        if own:
            found.append(own)
    found.sort(key=lambda own: max(max(e.ratio, 1 / e.ratio) if e.ratio > 0 else 1.0 for e in own), reverse=True)
    return [effect for own in found for effect in own]


def along(kind: str, points: Sequence[Stored], axis: str) -> dict[tuple[Any, ...], list[tuple[float, float]]]:
    """Per workload the best of the deciding metric at every setting of a numeric axis, over that at its first.

    Of settings of the other axes, only those that were tried at every setting of this one.
    """
    pick = max if METRIC[kind][1] else min
    lines = {}
    for workload, own in workloads(kind, points).items():
        by_rest: dict[tuple[Any, ...], dict[float, float]] = {}
        for p in own:
            rest = tuple(setting for a, setting in p.settings.items() if a != axis)
            by_rest.setdefault(rest, {})[float(p.settings[axis])] = float(deciding(p)["value"])
        every = sorted({x for line in by_rest.values() for x in line})
        whole = [line for line in by_rest.values() if len(line) == len(every)]
        if len(every) > 1 and whole:
            best = [pick(line[x] for line in whole) for x in every]
            if best[0] > 0:
                lines[workload] = [(x, y / best[0]) for x, y in zip(every, best, strict=True)]
    return lines
