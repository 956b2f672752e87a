"""A model's profile as plain values and as files: figures, flame graph, speedscope, all numbers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from ...analysis import plots
from ...atomic import replacing
from ...profiling.py_spy import StackProfile, speedscope
from .profile_figures import figures, flame_graph
from .profile_study import ModelProfile


def plain(profile: ModelProfile) -> dict[str, Any]:
    """Everything as plain values, for JSON; stacks as "outer;…;inner" with their samples."""
    made: dict[str, Any] = msgspec.to_builtins(replace(profile, stacks=None))
    if profile.stacks is not None:
        made["stacks"] = _plain_stacks(profile.stacks)
    return made


def save(profile: ModelProfile, folder: Path) -> tuple[Path, ...]:
    """Write figures (SVG), flame graph, speedscope file and numbers below `folder`; returns the files.

    speedscope.json opens at speedscope.app. Raises HotrowError where the folder cannot be written.
    """
    texts = {"profile.json": json.dumps(plain(profile), indent=1)}
    texts |= {f"{name}.svg": plots.to_svg(figure, name) for name, figure in figures(profile).items()}
    flame = flame_graph(profile)
    if profile.stacks is not None and flame is not None:
        texts |= {"flame.svg": flame, "speedscope.json": json.dumps(speedscope(profile.stacks))}
    for point in profile.axes:
        if point.stack is not None:
            texts[f"stack-{point.axis}-{point.setting}.txt"] = point.stack
    for name, text in texts.items():
        with replacing(folder / name) as beside:
            beside.write_text(text, encoding="utf-8")
    return tuple(folder / name for name in texts)


def _plain_stacks(stacks: StackProfile) -> dict[str, Any]:
    made: dict[str, Any] = msgspec.to_builtins(replace(stacks, stacks={}))
    return made | {"stacks": {";".join(stack): count for stack, count in stacks.stacks.items()}}
