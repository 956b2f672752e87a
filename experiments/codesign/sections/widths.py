"""Section: what wider vectors, more threads and fewer bits bring, measured here and predicted elsewhere."""

from __future__ import annotations

from ....analysis.profiling_plots import speedups
from ...measured.profile_figures import figures
from ...measured.profile_grids import axis_grid
from ...prediction.grids import widths_grid
from ...report import Picture, Section, picture
from ..study import CoDesign

AXES = ("isa", "threads")
MEASURED = (
    "Measured in inference on this machine, each setting in processes of its own; what a library was seen to use "
    "stands beside its time."
)


def section(result: CoDesign) -> tuple[Section, ...]:
    """SIMD width and threads; empty where neither was asked for."""
    words, pictures, grids = [], list[Picture](), []
    if result.measured is not None and result.measured.profile.axes:
        profile = result.measured.profile
        drawn = figures(profile)
        words.append(MEASURED)
        pictures += [
            picture(drawn[f"axis-{axis}"], f"Inference along {axis}, over the run as it is.", "measured")
            for axis in AXES
            if f"axis-{axis}" in drawn
        ]
        grids += [axis_grid(axis, profile.axes) for axis in AXES if any(p.axis == axis for p in profile.axes)]
    found = result.elsewhere
    if found is not None and found.answer.widths:
        name = found.answer.machine.name
        words.append(
            f"Predicted for {name} with all cores busy: what one thing of it, halved, doubled or four times as much, "
            "would bring."
        )
        bars = [(f"{c.what} × {c.factor:g}", c.gain, c.gain, c.gain) for c in found.changes]
        figure = speedups(
            bars, f"{result.subject.config.name} on {name}, all cores busy", "the machine as it is", "", "samples/s"
        )
        pictures.append(picture(figure, "Samples per second when one thing changes and all else stays.", "predicted"))
        grids.append(widths_grid(found.answer))
    if not words:
        return ()
    return (Section("widths", "SIMD width and threads", tuple(words), pictures=tuple(pictures), grids=tuple(grids)),)
