"""The verb predict: what a step would take on a machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ... import HotrowError
from .options import Figures, Json, Quiet, Scale, print_grids, print_json, print_notes, save_figures


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
    traces: Annotated[Path | None, typer.Option(help="--validate: folder with real traces (NAME.npz).")] = None,
    out: Figures = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """What would it take on that machine? Times by operator with intervals and bounds, and what follows from them.

    Example: hotrow predict --preset rm2 --machine skylake --trace meta-2021
    """
    if validate:
        _validate(out or Path("validation"), machine, traces, as_json, quiet)
        return
    from ...analysis.prediction.operators import Setting
    from ..inputs import inputs
    from ..measured.profile_answer import whole_numbers
    from ..prediction import command, grids

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
    least = command.FEWEST_BATCHES * max(request.batches)
    config, lookups = inputs(preset, trace, scale, samples=least)
    found = command.answer(config, lookups, machine, request)
    if out is not None:
        save_figures(grids.figures(found), out)
        grids.save(found, out)
    if as_json:
        print_json(grids.plain(found))
        return
    print_grids(grids.grids(found))
    if not quiet:
        print_notes(found.notes)


def _validate(folder: Path, machine: str, traces: Path | None, as_json: bool, quiet: bool) -> None:
    """Measure what `folder` lacks of the frozen list, fit on its development part, and report."""
    from ... import progress
    from ..prediction import points, validation

    here = validation.host_machine(machine)
    with progress.bar("validate", "processes", points.steps(points.load(folder / "points.json")), quiet) as advance:
        measured = points.measure(folder, traces=traces, advance=advance)
    report = validation.validate(measured, folder, here)
    save_figures(validation.figures(report), folder)
    if as_json:
        print_json(validation.plain(report))
    else:
        print_grids(validation.grids(report))
