"""Verbs that put everything together: sweep, report."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from ... import __version__
from .options import (
    DEFAULT_TRACE,
    Batch,
    FormatName,
    Json,
    Preset,
    Quiet,
    Scale,
    load_trace,
    model_on,
    print_grid,
    print_json,
    trace_source,
    writable,
    writable_folder,
)


def sweep(
    spec: Annotated[Path, typer.Argument(metavar="SPEC.toml", help="The grid of settings (docs/sweep.md).")],
    out: Annotated[
        Path, typer.Option(help="Folder of results; the same folder goes on.", callback=writable_folder)
    ] = Path("sweep"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try failed points again.")] = False,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a dask scheduler, or local-cluster; local processes if left out.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes for points that only compute; all processors if left out.")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """A grid of settings: measured here, simulated, predicted. What is finished is kept; the same command goes on.

    Example: hotrow sweep experiments/specs/small.toml --out sweep
    """
    from ... import progress
    from ..sweep import command

    asked = command.Asked(spec, out, retry_failed, scheduler, workers)
    said = f"hotrow {__version__}: hotrow {shlex.join(sys.argv[1:])}"
    if dry_run:
        planned, expected = command.look(asked)
        if as_json:
            print_json(
                {"points": [task.point for task in planned.tasks], "left": len(planned.left), "seconds": expected}
            )
        else:
            print_grid(planned.grid())
            print(
                f"about {expected:,.0f} s, assumed from points of the same kind or from how many processes they start"
            )
        return
    with progress.bar("sweep", "points", command.steps(asked), quiet) as advance:
        done = command.go(asked, said, advance)
    if as_json:
        print_json(done.plain())
    elif not quiet:
        for line in done.lines:
            print(line)


def report(
    trace: Annotated[str, typer.Option(help="Trace file, or the name of a built-in profile.")] = DEFAULT_TRACE,
    preset: Preset = None,
    scale: Scale = 1.0,
    batch: Batch = 256,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, and of dense features where the trace has none.")] = 0,
    machine: Annotated[
        str,
        typer.Option(help="Machine that the what-if panel starts from: shipped, or a TOML file; none to leave it out."),
    ] = "skylake",
    out: Annotated[Path, typer.Option(help="HTML file to write.", callback=writable)] = Path("report.html"),
    format: FormatName = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """The co-design report: traffic, fast memory and operator times on one HTML page.

    Example: hotrow report --trace clicks.parquet --preset criteo-kaggle --out report.html
    """
    from ... import progress
    from ...profiling.machine_files import load_machine
    from .. import codesign, codesign_page
    from .. import report as pages

    elsewhere = None if machine == "none" else machine
    if elsewhere is not None:
        load_machine(elsewhere)  # a mistake is said before the work
    loaded = load_trace(trace, format)
    config = model_on(preset, loaded, scale)
    with progress.bar("report", "steps", codesign.STEPS, quiet) as advance:
        source, assumptions = trace_source(trace)
        result = codesign.codesign(
            loaded, Path(trace).name, source, assumptions, config, batch, seed, elsewhere, advance
        )
    page = codesign_page.report(result, f"hotrow {__version__}: hotrow {shlex.join(sys.argv[1:])}")
    pages.save(page, out)
    if as_json:
        print_json(codesign.plain(result))
    elif not quiet:
        for line in page.answer:
            print(line)
        print(f"{out}: open it in a browser")
