"""Verbs that put everything together: sweep, report."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ... import HotrowError, __version__
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
    profile_named,
    trace_source,
    writable,
    writable_folder,
)

if TYPE_CHECKING:
    from ..codesign.study import Subject


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
    trace: Annotated[
        str, typer.Option(help="Trace file, profile.json, or the name of a built-in profile.")
    ] = DEFAULT_TRACE,
    preset: Preset = None,
    scale: Scale = 1.0,
    batch: Batch = 256,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, and of dense features where the trace has none.")] = 0,
    machine: Annotated[
        str, typer.Option(help="Machine to predict for: shipped, or a TOML file; none to predict nothing.")
    ] = "skylake",
    gpu: Annotated[str, typer.Option(help="GPU that it is compared with.")] = "h100",
    measure: Annotated[
        str,
        typer.Option(help="On this machine: none; steps; axes (widths, threads, precision too); all (neighbours too)."),
    ] = "axes",
    here: Annotated[
        Path | None, typer.Option(help="This machine's file by hotrow calibrate, to hold predictions against.")
    ] = None,
    limit: Annotated[
        float | None, typer.Option(help="Milliseconds that a step may take; five times a predicted one if left out.")
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(help="Profile that the trace was drawn from: its error is carried through.")
    ] = None,
    compare: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="A B", help="Two reports (HTML or JSON), machines or traces side by side."),
    ] = None,
    out: Annotated[Path, typer.Option(help="HTML file to write.", callback=writable)] = Path("report.html"),
    format: FormatName = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """The co-design report: traffic, fast memory, operators, machines, cost on one HTML page, its numbers beside it.

    Example: hotrow report --trace clicks.parquet --preset criteo-kaggle --out report.html
    """
    from ...profiling.machine_files import load_machine
    from ..codesign import command
    from ..codesign.files import folder_of
    from ..codesign.study import Request

    calibrated = None if here is None else load_machine(here)
    at_most = None if limit is None else limit / 1e3
    request = Request(batch, seed, None if machine == "none" else machine, gpu, measure, calibrated, at_most)  # type: ignore[arg-type]
    said = f"hotrow {__version__}: hotrow {shlex.join(sys.argv[1:])}"

    def subject_of(name: str | None) -> Subject:
        return _subject(name or trace, preset, scale, certificate, format)

    if compare is not None:
        a = command.side(compare[0], subject_of, request, said, quiet)
        b = command.side(compare[1], subject_of, replace(request, limit=a.limit), said, quiet)
        answer = command.compare(a, b, out, said).answer
        if as_json:
            print_json({"out": str(out), "answer": answer})
        where = f"{out}: open it in a browser"
    else:
        writable_folder(folder_of(out))
        kept = command.make(subject_of(None), request, out, said, quiet)
        answer = kept.answer
        if as_json:
            print_json(kept.plain())
        where = f"{out}: open it in a browser; the same as JSON, CSV and SVG is in {folder_of(out)}"
    if not as_json and not quiet:
        for line in (*answer, where):
            print(line)


def _subject(name: str, preset: str | None, scale: float, certificate: Path | None, format: str | None) -> Subject:
    """A trace by its name, with the model on it and what is known of its error."""
    from ...tracegen.published import load_profile
    from ..codesign.certified import certified
    from ..codesign.study import Subject

    loaded = load_trace(name, format)
    known, profile = None, profile_named(name)
    if certificate is not None:
        if scale != 1:
            raise HotrowError("--certificate with --scale; other ids have another error, so leave one out")
        known = certified(load_profile(certificate), loaded)
    elif profile is not None and scale == 1 and any(t.certificate for t in profile.tables):
        known = certified(profile)
    source, assumptions = trace_source(name)
    return Subject(loaded, Path(name).name, source, model_on(preset, loaded, scale), assumptions, known)
