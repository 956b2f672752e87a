"""A model's profile as plain values and as files: figures, flame graph, speedscope, all numbers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ...analysis import plots
from ...atomic import replacing
from ...profiling.child import file_name
from ...profiling.py_spy import StackProfile, speedscope
from .profile_figures import figures, flame_graph
from .profile_study import ModelProfile

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plain(profile: ModelProfile) -> dict[str, Any]:
    """Everything as plain values, for JSON; stacks as "outer;…;inner" with their samples."""
    made: dict[str, Any] = msgspec.to_builtins(replace(profile, stacks=None))
    if profile.stacks is not None:
        made["stacks"] = _plain_stacks(profile.stacks)
    return made


def save(profile: ModelProfile, folder: Path) -> tuple[Path, ...]:
    """Write figures (SVG and PNG), flame graph, speedscope file and numbers below `folder`; returns the files.

    speedscope.json opens at speedscope.app. Raises HotrowError where the folder cannot be written.
    """
    texts = {"profile.json": json.dumps(plain(profile), indent=1)}
    flame = flame_graph(profile)
    if profile.stacks is not None and flame is not None:
        texts |= {"flame.svg": flame, "speedscope.json": json.dumps(speedscope(profile.stacks))}
    for point in profile.axes:
        if point.stack is not None:
            texts[f"stack-{point.axis}-{file_name(point.setting)}.txt"] = point.stack
    for name, text in texts.items():
        with replacing(folder / name) as beside:
            beside.write_text(text, encoding="utf-8")
    drawn = [path for name, figure in figures(profile).items() for path in save_figure(figure, folder / name)]
    return (*(folder / name for name in texts), *drawn)


def save_figure(figure: Figure, path: Path) -> tuple[Path, ...]:
    """Write a figure beside `path` as .svg and .png; returns both."""
    made = tuple(path.with_name(f"{path.name}{suffix}") for suffix in (".svg", ".png"))
    for file in made:
        with replacing(file) as beside:
            plots.save(figure, beside)
    return made


def _plain_stacks(stacks: StackProfile) -> dict[str, Any]:
    made: dict[str, Any] = msgspec.to_builtins(replace(stacks, stacks={}))
    return made | {"stacks": {";".join(stack): count for stack, count in stacks.stacks.items()}}
