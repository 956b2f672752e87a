"""A model's profile as files: page, figures, flame graph, speedscope, all numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from ...analysis import plots
from ...atomic import replacing
from ...profiling.processes.child import file_name
from ...profiling.profilers.py_spy import speedscope
from ..report import render
from . import ceilings
from .profile_answer import Answer, plain
from .profile_figures import colocation_figures, figures, flame_graph
from .profile_page import page

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def save(found: Answer, folder: Path, command: str) -> tuple[Path, ...]:
    """Write the page, figures (SVG and PNG), flame graph, speedscope file and all numbers below `folder`.

    Returns the files; speedscope.json opens at speedscope.app. command: what makes it again. Raises HotrowError where
    the folder cannot be written.
    """
    profile, flame = found.profile, flame_graph(found.profile)
    texts = {
        "profile.html": render(page(found, command)),
        "profile.json": json.dumps(plain(found), indent=1, allow_nan=False),
    }
    if profile.stacks is not None and flame is not None:
        texts |= {"flame.svg": flame, "speedscope.json": json.dumps(speedscope(profile.stacks))}
    for point in profile.axes:
        if point.stack is not None:
            texts[f"stack-{point.axis}-{file_name(point.setting)}.txt"] = point.stack
    for name, text in texts.items():
        with replacing(folder / name) as beside:
            beside.write_text(text, encoding="utf-8")
    drawn = [path for name, figure in _figures(found).items() for path in save_figure(figure, folder / name)]
    return (*(folder / name for name in texts), *drawn)


def _figures(found: Answer) -> dict[str, Figure]:
    drawn = figures(found.profile)
    drawn |= {} if found.ceilings is None else ceilings.figures(found.profile, found.ceilings)
    return drawn | ({} if found.together is None else colocation_figures(found.together))


def save_figure(figure: Figure, path: Path) -> tuple[Path, ...]:
    """Write a figure beside `path` as .svg and .png; returns both."""
    made = tuple(path.with_name(f"{path.name}{suffix}") for suffix in (".svg", ".png"))
    for file in made:
        with replacing(file) as beside:
            plots.save(figure, beside)
    return made
