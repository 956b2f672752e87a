"""Section: what the traffic is like."""

from __future__ import annotations

from ...report import Section, picture, short
from ...traffic import figures
from ..study import CoDesign


def section(result: CoDesign) -> Section:
    """Size, popularity and LRU curve of every table."""
    drawn = figures(result.traffic)
    pictures = (
        picture(drawn["popularity"], "Share of the lookups that the hottest rows take.", "measured"),
        picture(drawn["lru"], "Misses of an LRU cache of its own for each table, exact, cold start.", "simulated"),
    )
    points = tuple(f"Assumed: {assumption}." for assumption in result.subject.assumptions)
    grids = (short(result.traffic.grid()),)
    return Section("traffic", "The traffic", (result.subject.source,), points, pictures, grids)
