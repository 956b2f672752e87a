"""Section: how many models fit side by side before the tail of their latency breaks."""

from __future__ import annotations

from ....analysis import profiling_plots
from ...grid import Grid
from ...measured import colocation
from ...measured.profile_figures import colocation_figures
from ...prediction.grids import rate, seconds
from ...report import Picture, Section, picture
from ..study import CoDesign

CAPTIONS = {
    "colocation": "Latency here of models that call again as soon as they are done.",
    "poisson": "Latency here, waiting included, under requests that arrive at random.",
}


def section(result: CoDesign) -> tuple[Section, ...]:
    """Models side by side, measured here and predicted elsewhere; empty where neither was asked for."""
    words, pictures, grids = [], list[Picture](), list[Grid]()
    found = result.elsewhere
    if found is not None and found.crowd:
        name, batch = found.answer.machine.name, found.answer.middle.batch
        words.append(
            f"Predicted for {name} at batch {batch:,}, a thread and a core each. The 99th percentile of a step that "
            "nothing else disturbs is taken as the upper end of its interval; queues are not modelled."
        )
        figure = profiling_plots.bands(
            [
                (
                    "a step",
                    [c.models for c in found.crowd],
                    [1e3 * c.seconds for c in found.crowd],
                    [1e3 * c.low for c in found.crowd],
                    [1e3 * c.high for c in found.crowd],
                )
            ],
            "models side by side",
            "time of a step, ms",
            f"{result.subject.config.name} on {name}, batch {batch:,}",
            "90 % interval of the prediction",
        )
        pictures.append(picture(figure, "A step's time as models share bandwidth and the last cache.", "predicted"))
        rows = tuple(
            (
                f"{c.models:,}",
                f"{seconds(c.seconds)} ({seconds(c.low)} … {seconds(c.high)})",
                rate(c.rate),
                "yes" if c.high <= found.answer.limit else "no",
            )
            for c in found.crowd
        )
        heads = ("models", "step (90 % interval)", "samples/s", f"p99 within {seconds(found.answer.limit)}")
        grids.append(Grid(f"Side by side on {name}, batch {batch:,}", heads, rows, "predicted"))
    beside = None if result.measured is None else result.measured.together
    if beside is not None:
        words.append(f"Measured here at batch {beside.batch:,}, pinned to processors of their own and free.")
        words += [beside.trap] if beside.trap else []
        drawn = colocation_figures(beside)
        pictures += [picture(drawn[name], caption, "measured") for name, caption in CAPTIONS.items()]
        grids += colocation.grids(beside)
    elif words:
        words.append("Not measured here: hotrow report --measure all does, in a few minutes.")
    if not words:
        return ()
    title = "Models side by side, and the tail of their latency"
    return (Section("tail", title, tuple(words), pictures=tuple(pictures), grids=tuple(grids)),)
