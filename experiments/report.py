"""Report: sections of words, figures and tables, rendered as one self-contained HTML file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..analysis import plots
from ..atomic import replacing
from .grid import Grid, How
from .what_if import script

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_ROWS = 40  # of a table on a page; more cannot be read


@dataclass(frozen=True)
class Picture:
    """A figure as SVG, what it shows, and how its numbers came about."""

    svg: str
    caption: str
    how: How

    def alone(self) -> str:
        """The figure as a file of its own."""
        return f'<?xml version="1.0" encoding="utf-8"?>\n{self.svg}\n'


def picture(figure: Figure, caption: str, how: How) -> Picture:
    """A figure with its caption."""
    return Picture(plots.to_svg(figure, caption), caption, how)


@dataclass(frozen=True)
class Section:
    """One question of the report: its words, points of a list, figures and tables, in this order."""

    anchor: str
    title: str
    words: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    grids: tuple[Grid, ...] = ()


@dataclass(frozen=True)
class Report:
    """What a page says: the answer first, then its sections; `made` tells how to make it again.

    panel: what_if.panel's data, for sliders at the end of the page.
    """

    title: str
    answer: tuple[str, ...]
    sections: tuple[Section, ...]
    made: str
    panel: dict[str, Any] | None = None


def render(report: Report) -> str:
    """The page as HTML; it needs no network, and names from traces are escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(__package__.rpartition(".")[0], "experiments/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    data = None if report.panel is None else script(report.panel)
    return environment.get_template("report.html").render(report=report, panel_data=data)


def short(grid: Grid, what: str = "tables") -> Grid:
    """The first MAX_ROWS rows of a long table, and how many are left out."""
    if len(grid.rows) <= MAX_ROWS:
        return grid
    return Grid(f"{grid.caption} ({MAX_ROWS} of {len(grid.rows)} {what})", grid.heads, grid.rows[:MAX_ROWS], grid.how)


def save(report: Report, path: str | Path) -> None:
    """Write the page: whole or not at all. Raises HotrowError where the folder cannot be written."""
    with replacing(path) as beside:
        beside.write_text(render(report), encoding="utf-8")
