"""Section: where the time goes on this machine, by part and by stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....analysis import plots
from ...measured.operator_grids import role_name
from ...measured.profile_grids import share_grid, step_grid, work_grid
from ...measured.profile_page import stacks_section
from ...measured.profile_study import ModelProfile
from ...report import Section, picture
from ..study import CoDesign

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def sections(result: CoDesign) -> tuple[Section, ...]:
    """The parts of a step with their work, and the flame graph; none where nothing was measured."""
    if result.measured is None:
        return ()
    profile = result.measured.profile
    drawn = picture(_shares(profile), "Shares of a step by part; backward parts are hatched.", "measured")
    cost = max(step.operators.overhead.value for step in profile.steps)
    words = (
        "Times come from processes without a profiler, shares of parts from others with one, which makes steps up to "
        f"{cost:.2f} times as long. Intervals reach over processes.",
    )
    grids = (step_grid(profile), share_grid(profile), work_grid(profile))
    points = tuple(f"{note[:1].upper()}{note[1:]}." for note in result.measured.notes)
    made = [Section("operators", "Where the time goes", words, points, (drawn,), grids)]
    return (*made, stacks_section(profile)) if profile.stacks is not None else tuple(made)


def _shares(profile: ModelProfile) -> Figure:
    names = dict.fromkeys(part.role for step in profile.steps for part in step.operators.roles)
    shares = {
        name: [next((p.share.value for p in s.operators.roles if p.role == name), 0.0) for s in profile.steps]
        for name in names
    }
    parts = sorted(((role_name(name), values) for name, values in shares.items()), key=lambda part: -sum(part[1]))
    bars = [f"{step.mode}\n{1e3 * step.total.value:.3g} ms" for step in profile.steps]
    return plots.stacked_shares(bars, parts, f"Time of a step at batch {profile.steps[0].batch}")
