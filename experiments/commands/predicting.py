"""The verb predict: what a step would take on a machine."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ... import HotrowError
from .options import Figures, Json, Quiet, Scale, print_grids, print_json, print_notes, save_figures

if TYPE_CHECKING:
    from ...tracegen.trace import Trace
    from ..prediction.command import Answer
    from ..prediction.measured_points import Points


def predict(
    preset: Annotated[str, typer.Option(help="Model: a built-in name or a TOML file.")] = "rm1",
    machine: Annotated[
        str, typer.Option(help="A machine that ships with hotrow, or a TOML file: calibrated, or imagined with base.")
    ] = "skylake",
    trace: Annotated[
        str | None,
        typer.Option(help="Trace file or built-in profile; uniform ids over the model's tables if left out."),
    ] = None,
    batch: Annotated[str, typer.Option(help="Samples per step, several with commas.")] = "1,16,64,256,1024",
    mode: Annotated[str, typer.Option(help="inference or training.")] = "inference",
    threads: Annotated[int, typer.Option(min=1, help="Threads of one model.")] = 1,
    models: Annotated[int, typer.Option(min=1, help="Models side by side on the machine.")] = 1,
    isa: Annotated[str | None, typer.Option(help="SIMD, as the machine file names it; the widest if left out.")] = None,
    limit: Annotated[
        float | None, typer.Option(help="Milliseconds a step may take; five times one undisturbed if left out.")
    ] = None,
    devices: Annotated[int, typer.Option(min=1, help="Devices to shard the tables over.")] = 8,
    against: Annotated[str | None, typer.Option(help="Another machine: how much longer this one takes.")] = None,
    scale: Scale = 1.0,
    fitted: Annotated[
        Path | None, typer.Option(help="Coefficients that --validate wrote, in place of its own.")
    ] = None,
    validate: Annotated[
        bool, typer.Option("--validate", help="Measure the frozen list on this host, fit, and print every error.")
    ] = False,
    minutes: Annotated[
        float | None, typer.Option(help="--validate: start no process after so many; the next call carries on.")
    ] = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="Also time the model on this host, and mark it in the what-if figure.")
    ] = False,
    traces: Annotated[Path | None, typer.Option(help="--validate: folder with real traces (NAME.npz).")] = None,
    out: Figures = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """What would it take on that machine? Times by operator with intervals and bounds, and what follows from them.

    Example: hotrow predict --preset rm2 --machine skylake --trace meta-2021
    """
    if validate:
        _validate(out or Path("validation"), machine, traces, minutes, as_json, quiet)
        return
    from ...analysis.prediction.operators import Setting
    from ..inputs import inputs
    from ..measured.profile_answer import whole_numbers
    from ..prediction import command, figures, grids
    from ..validation import validation

    if mode not in ("inference", "training"):
        raise HotrowError(f"--mode {mode!r}; it is inference or training")
    request = command.Request(
        batches=whole_numbers(batch, "--batch"),
        mode="training" if mode == "training" else "inference",
        setting=Setting(threads, models),
        isa=isa,
        limit=None if limit is None else limit / 1e3,
        devices=devices,
        against=against,
        fitted=fitted,
    )
    if measure:
        validation.host_machine(machine)
    least = command.FEWEST_BATCHES * max(request.batches)
    config, lookups = inputs(preset, trace, scale, samples=least)
    found = command.answer(config, lookups, machine, request)
    timed = _timed(found, lookups, quiet) if measure else {}
    if out is not None:
        save_figures(figures.figures(found, timed), out)
        grids.save(found, out)
    if as_json:
        print_json(grids.plain(found, timed))
        return
    print_grids(grids.grids(found, timed))
    if not quiet:
        print_notes(found.notes)


def _timed(found: Answer, lookups: Trace, quiet: bool) -> Points:
    """The same steps on this host."""
    from ... import progress
    from ..prediction import measured_points

    with progress.bar("measure", "processes", measured_points.processes(found), quiet) as advance:
        return measured_points.measure(found, lookups, advance)


def _validate(
    folder: Path, machine: str, traces: Path | None, minutes: float | None, as_json: bool, quiet: bool
) -> None:
    """Measure what `folder` lacks of the frozen list, fit on its development part, and report."""
    if minutes is not None and not minutes > 0:
        raise HotrowError(f"--minutes {minutes:g}; it must be above 0")
    from ... import progress
    from ..grid import number_of
    from ..validation import points, validation

    here = validation.host_machine(machine)
    with progress.bar("validate", "processes", points.steps(points.load(folder / "points.json")), quiet) as advance:
        budget = math.inf if minutes is None else 60 * minutes
        measured = points.measure(folder, traces=traces, budget=budget, advance=advance)
    left = points.steps(measured)
    if left and not quiet:
        print_notes((f"{number_of(left, 'process', 'processes')} still to be measured; the same command carries on",))
    report = validation.validate(measured, folder, here)
    save_figures(validation.figures(report), folder)
    if as_json:
        print_json(validation.plain(report))
    else:
        print_grids(validation.grids(report))
