"""Verbs that run a model or a machine: profile, calibrate, train."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from ... import HotrowError, __version__
from .options import (
    DEFAULT_TRACE,
    Figures,
    FormatName,
    Json,
    Preset,
    Quiet,
    Scale,
    load_trace,
    model_on,
    print_grids,
    print_json,
    print_notes,
    save_figures,
    writable,
    writable_folder,
)


def profile(
    trace: Annotated[
        str | None,
        typer.Option(help="Trace file, or a built-in profile; ids uniform over the preset's rows if left out."),
    ] = None,
    preset: Preset = None,
    scale: Scale = 1.0,
    batch: Annotated[str, typer.Option(help="Samples per step; several with commas between.")] = "1,16,64,1024",
    mode: Annotated[
        str, typer.Option(help="inference, forward (gradients recorded), training; with commas between.")
    ] = "inference,training",
    axis: Annotated[
        list[str] | None,
        typer.Option(help="Also vary isa, threads=1,2, precision, … (docs/profiling.md); may be repeated."),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of PyTorch.")] = 1,
    isa: Annotated[str, typer.Option(help="Widest SIMD: scalar, avx2, avx512; neon, sve256.")] = "native",
    precision: Annotated[str, typer.Option(help="fp32, bf16 or int8-tables.")] = "fp32",
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda-graph.")] = "cpu",
    backend: Annotated[str, typer.Option(help="Of inference: eager, fast, compile, aot, onnx, jax.")] = "eager",
    operators: Annotated[bool, typer.Option("--operators", help="Also single operators at every SIMD width.")] = False,
    colocate: Annotated[
        str | None, typer.Option(help='Also models side by side: their numbers, as in 1,2, or "all".')
    ] = None,
    limit: Annotated[
        float | None, typer.Option(help="Side by side, ms that p99 may take; five times a lone median if left out.")
    ] = None,
    machine: Annotated[
        Path | None, typer.Option(help="File of hotrow calibrate: draws rooflines under its ceilings.")
    ] = None,
    stacks: Annotated[bool, typer.Option(help="Look with py-spy for a flame graph.")] = True,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Processes per setting; 5 for the steps and 3 along axes if left out.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.01, help="Per step and process.")] = 0.3,
    deadline: Annotated[float, typer.Option(min=1, help="Seconds until a process counts as hung.")] = 120.0,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, ids, dense features and order.")] = 0,
    chrome: Annotated[
        Path | None,
        typer.Option(help="Folder for Chrome traces (open at ui.perfetto.dev).", callback=writable_folder),
    ] = None,
    out: Figures = None,
    format: FormatName = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Where does the time go? Parts of a step by batch, and what width, threads, precision and neighbours change.

    Example: hotrow profile --preset criteo-kaggle --axis isa --axis threads --out profile
    """
    from ... import progress
    from ...models.config import load_preset
    from ...profiling.machine_files import load_machine
    from ...profiling.processes.runner import Plan
    from ..measured import profile_answer, profile_files
    from ..measured.axes import parse_axes
    from ..measured.profile_study import Request

    batches, modes = profile_answer.whole_numbers(batch, "--batch"), [word.strip() for word in mode.split(",")]
    question = profile_answer.Question(
        Request(
            batches,
            modes,
            parse_axes(axis or ()),
            threads,
            isa,
            precision,
            device,
            backend,
            stacks,
            seed,
            processes or 3,
        ),
        Plan(processes or 5, seconds, deadline=deadline, traced=5, seed=seed, chrome_traces=chrome),
        operators,
        profile_answer.side_by_side(colocate),
        None if limit is None else 1e-3 * limit,
        None if machine is None else load_machine(machine),
    )
    if trace is None and preset is not None:
        loaded, config = None, load_preset(preset).scaled(scale)
    else:
        loaded = load_trace(trace or DEFAULT_TRACE, format)
        config = model_on(preset, loaded, scale)
    with progress.bar("profile", "steps", profile_answer.steps(question), quiet) as advance:
        found = profile_answer.answer(config, loaded, question, advance)
    if out is not None:
        profile_files.save(found, out, f"hotrow {__version__}: hotrow {shlex.join(sys.argv[1:])}")
    if as_json:
        print_json(profile_answer.plain(found))
    else:
        print_grids(profile_answer.grids(found))
    if not quiet and not as_json:
        uniform = ("no trace given, so ids are uniform over the preset's rows",) if loaded is None else ()
        print_notes((*uniform, *found.notes))
        if out is not None:
            print(f"{out / 'profile.html'}: open it in a browser")
        else:
            print_notes(profile_answer.hangs(found))
    if found.stopped:
        raise typer.Exit(130)


def calibrate(
    machine: Annotated[Path, typer.Argument(metavar="MACHINE.toml", help="Machine file to write.", callback=writable)],
    name: Annotated[str | None, typer.Option(help="Name of the machine; that of the file if left out.")] = None,
    processes: Annotated[int, typer.Option(min=1, help="Processes per setting; intervals need at least 3.")] = 3,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Most threads to measure with; all processors if left out.")
    ] = None,
    self_test: Annotated[
        bool, typer.Option("--self-test", help="Also try whether a neighbour can take cache away from a program.")
    ] = False,
    out: Figures = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """What can this machine do? Caches, memory, SIMD width by shape, overheads; under three minutes when it is quiet.

    Example: hotrow calibrate here.toml --out figures
    """
    from ... import progress

    if machine.suffix != ".toml":
        raise HotrowError(f"{machine}: a machine file ends in .toml; name it {machine.name}.toml")
    from ...profiling.calibration import calibrate as calibration
    from ...profiling.machine_files import plain, save_machine
    from ..measured.profile_figures import machine_figures
    from ..measured.working_set import grids

    sizes, plan = calibration.Sizes(threads=threads), dataclasses.replace(calibration.PLAN, processes=processes)
    with progress.bar("calibrate", "processes", calibration.steps(sizes, plan), quiet) as advance:
        found = calibration.calibrate(name or machine.stem, sizes, plan, advance)
    save_machine(found, machine)
    if out is not None:
        save_figures(machine_figures(found), out)
    warnings = found.calibration.warnings if found.calibration else ()
    stopped = any(warning.startswith(calibration.STOPPED) for warning in warnings)
    if as_json:
        print_json(plain(found))
    else:
        print_grids(grids(found, self_test and not stopped))
    if not quiet and not as_json:
        print_notes(warnings)
        print(f"{machine}: written")
    if stopped:
        raise typer.Exit(130)


def train(context: typer.Context) -> None:
    """How well does a model learn these clicks? Takes the DLRM benchmark's flags (hotrow train --help).

    Example: hotrow train --trace clicks.parquet --preset criteo-kaggle --out run
    """
    from ...models.benchmark_flags import parse

    parse(context.args)  # --help and mistakes answer at once
    from ..models.training import main as run

    raise typer.Exit(run(context.args))
