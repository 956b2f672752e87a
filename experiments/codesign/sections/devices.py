"""Section: CPU or GPU, by batch."""

from __future__ import annotations

from ....analysis import profiling_plots
from ...grid import Grid
from ...measured.crossover import passes_one
from ...prediction.grids import rate, seconds
from ...report import Section, picture
from ..elsewhere import Elsewhere
from ..study import CoDesign


def section(result: CoDesign) -> tuple[Section, ...]:
    """From which batch on a GPU serves more than all cores; empty without predictions for a CPU."""
    found = result.elsewhere
    if found is None or not found.devices:
        return ()
    cpu = found.answer.machine.name
    rows = tuple(
        (
            f"{d.batch:,}",
            seconds(d.core),
            rate(d.cores_rate),
            seconds(d.gpu),
            rate(d.batch / d.gpu),
            f"{d.ratio:.3g} ({d.low:.3g} … {d.high:.3g})",
        )
        for d in found.devices
    )
    heads = (
        "batch", f"step on one core of {cpu}", "samples/s, all cores", f"step on {found.gpu}", "samples/s",
        "GPU over all cores (90 %)",
    )  # fmt: skip
    figure = profiling_plots.bands(
        [
            (
                f"{found.gpu} over {cpu}",
                [d.batch for d in found.devices],
                [d.ratio for d in found.devices],
                [d.low for d in found.devices],
                [d.high for d in found.devices],
            )
        ],
        "batch, samples",
        "samples per second, ratio",
        f"{result.subject.config.name}: {found.gpu} over all cores of {cpu}",
        "90 % interval of the prediction",
    )
    pictures = (picture(figure, "Above 1 the GPU serves more, below all cores together do.", "predicted"),)
    words = (
        f"{cross_words(found)} All cores means a model on every core; the GPU runs one model, its inputs copied over "
        "its link and counted. Both are from datasheets, their errors taken as independent.",
    )
    grid = Grid("CPU and GPU by batch, inference", heads, rows, "predicted")
    return (Section("devices", "CPU or GPU", words, pictures=pictures, grids=(grid,)),)


def cross_words(found: Elsewhere) -> str:
    """Where the GPU overtakes, with the interval."""
    batches = [float(d.batch) for d in found.devices]
    name, cpu = found.gpu, found.answer.machine.name
    unsure = [d.batch for d in found.devices if d.low < 1 < d.high]
    doubt = (
        "which is surer than the prediction's interval everywhere"
        if not unsure
        else f"but the interval includes both at batch {', '.join(f'{batch:,}' for batch in unsure)}"
    )
    if found.devices[0].ratio >= 1:
        return f"{name} serves more than all cores of {cpu} at every batch tried, {doubt}."
    if len(batches) < 2 or found.devices[-1].ratio < 1:
        return f"All cores of {cpu} serve more than {name} at every batch tried, {doubt}."
    at = passes_one(batches, [d.ratio for d in found.devices])
    soonest = 0.0 if found.devices[0].high >= 1 else passes_one(batches, [d.high for d in found.devices])
    latest = passes_one(batches, [d.low for d in found.devices])
    start = "below the smallest batch" if not soonest else _batch(soonest)
    end = "beyond the largest batch" if latest is None else _batch(latest)
    return f"{name} serves more than all cores of {cpu} from batch {_batch(at or 0.0)} on (interval {start} to {end})."


def _batch(size: float) -> str:
    return f"{size:,.0f}" if size >= 10 else f"{size:.2g}"
