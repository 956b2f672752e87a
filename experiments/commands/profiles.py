"""Verbs about profiles of traces: fit, compare, generate."""

from __future__ import annotations

import dataclasses
import math
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ... import HotrowError
from .options import (
    Figures,
    FormatName,
    Json,
    Quiet,
    Share,
    print_grid,
    print_grids,
    print_json,
    print_shared,
    save_figures,
    warn_if_exact,
    writable,
)


def fit(
    trace: Annotated[Path, typer.Argument(metavar="TRACE", help="The real trace.")],
    target: Annotated[Path, typer.Argument(metavar="PROFILE.json", help="Profile to write.", callback=writable)],
    epsilon: Annotated[float, typer.Option(help="Privacy budget of the whole file; smaller protects more.")] = 1.0,
    unit: Annotated[str, typer.Option(help="Who is protected: one access, sample or user.")] = "sample",
    delta: Annotated[float, typer.Option(help="Of the gaussian mechanism alone.")] = 0.0,
    mechanism: Annotated[
        str, typer.Option(help="laplace, gaussian, or auto: with a delta, the one that adds less noise.")
    ] = "auto",
    samples_per_user: Annotated[int, typer.Option(help="A user's samples beyond this many are dropped.")] = 16,
    lookups_per_sample: Annotated[int, typer.Option(help="Bags are cut at this many lookups.")] = 8,
    exact: Annotated[bool, typer.Option("--exact", help="No noise: the profile is NOT PRIVATE.")] = False,
    share: Share = None,
    first: Annotated[
        int | None, typer.Option(min=1, help="Measure only so many samples, from the beginning of the trace.")
    ] = None,
    name: Annotated[str, typer.Option(help="Name in the profile, for everybody to read.")] = "trace",
    format: FormatName = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """A shareable profile of a private trace, differentially private unless --exact.

    Example: hotrow fit clicks.parquet profile.json --epsilon 1 --unit sample
    """
    from ... import progress
    from ...tracegen import files
    from ...tracegen.privacy import PrivacyBudget
    from ...tracegen.release import quieter_mechanism
    from ...tracegen.scale.log import Log
    from ...tracegen.sharing.groups import parse_groups
    from ..fidelity import fitting
    from ..fidelity.room import require_room
    from ..grid import number_of

    def budgeted(noise: str) -> PrivacyBudget:
        own = 0.0 if noise == "laplace" and mechanism == "auto" else delta
        return PrivacyBudget(epsilon, unit, own, noise, samples_per_user, lookups_per_sample)  # type: ignore[arg-type]

    budget = None if exact else budgeted("laplace" if mechanism == "auto" else mechanism)
    with progress.bar("read", "samples", files.samples_in(trace, format), quiet) as advance:
        log = Log.on_disk(trace, format, exact, advance, first, parse_groups(share or ()))
    require_room(log.lookups, "measure a beginning of the log with --first")
    if budget is not None and mechanism == "auto":
        budget = budgeted(quieter_mechanism(log, epsilon, delta, budget.unit))
    with progress.bar("measure", "samples", 2 * log.samples, quiet) as advance:
        fitted = fitting.measured(log.watched(advance), budget, name)
    with progress.bar("select", "lookups", sum(t.accesses for t in fitted.profile.tables), quiet) as advance:
        fitted = fitting.chosen(fitted, advance=advance)
    fitted.profile.save(target)
    for note in fitted.notes:
        if exact or not quiet:
            print(f"note: {note}", file=sys.stderr)
    if as_json:
        print_json(
            {
                "target": str(target),
                "private": not exact,
                "tables": fitted.grid().rows,
                "shared": fitted.profile.shared,
                "notes": fitted.notes,
            }
        )
    elif not quiet:
        spent = (
            "NOT PRIVATE"
            if exact
            else f"ε = {epsilon:g} per {unit}" + (f", δ = {budget.delta:g}" if budget and budget.delta else "")
        )
        size = target.stat().st_size / 1e3
        print(f"{target}: {spent}, {number_of(len(fitted.profile.tables), 'table')}, {size:,.0f} kB")
        print_grid(fitted.grid())
        print_shared(fitted.profile)


def compare(
    real: Annotated[Path, typer.Argument(metavar="REAL", help="The real trace.")],
    synthetic: Annotated[
        Path | None, typer.Argument(metavar="SYNTHETIC", help="The synthetic one; left out, generators side by side.")
    ] = None,
    epsilon: Annotated[float, typer.Option(help="Of hotrow's private generator, side by side.")] = 1.0,
    unit: Annotated[str, typer.Option(help="Who it protects: one access, sample or user.")] = "sample",
    share: Share = None,
    out: Figures = None,
    format: FormatName = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Is the synthetic trace like the real one? Errors of cache curves, popularity, batches, drift and whole samples.

    Example: hotrow compare clicks.parquet synthetic.parquet --out figures
    """
    from ... import progress
    from ...analysis.recommendation.log_fidelity import log_fidelity
    from ...tracegen import files
    from ...tracegen.privacy import PrivacyBudget
    from ...tracegen.sharing.groups import parse_groups
    from ..fidelity import trace_fidelity, whole_samples

    groups = parse_groups(share or ())
    if groups and synthetic is None:
        raise HotrowError("--share compares the shared tables of two traces; name the synthetic one too")
    budgets = (None, PrivacyBudget(epsilon, unit))  # type: ignore[arg-type]
    trace = files.read(real, format)
    steps = trace_fidelity.steps(trace, None if synthetic else budgets) + len(groups)
    with progress.bar("compare", "comparisons", steps, quiet) as advance:
        made = None if synthetic is None else files.read(synthetic)
        if made is None:
            result = trace_fidelity.side_by_side(trace, budgets, advance=advance)
        else:
            result = trace_fidelity.compare(trace, made, advance=advance, share=groups)
    samples = None if made is None else log_fidelity(trace, made, share=groups)
    if out is not None:
        save_figures(trace_fidelity.figures(result), out)
        if samples is not None:
            save_figures(whole_samples.figures(samples), out)
    if as_json:
        tables = [_finite(dataclasses.asdict(comparison)) for comparison in result.comparisons]
        print_json({"tables": tables, "samples": None if samples is None else _finite(dataclasses.asdict(samples))})
    else:
        print_grid(result.grid())
        if samples is not None:
            print()
            print_grids(whole_samples.grids(samples))


def generate(
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="Profile file, or the name of a built-in profile.")],
    target: Annotated[
        Path,
        typer.Argument(
            metavar="TRACE",
            help="Trace to write; its suffix names the format. Without one, a folder of Parquet files, which workers "
            "write side by side.",
            callback=writable,
        ),
    ],
    samples: Annotated[
        int | None, typer.Option(min=1, help="Samples to draw; the profile's number if left out.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same trace.")] = 0,
    tables: Annotated[int, typer.Option(min=1, help="Tables of a built-in profile.")] = 8,
    to: Annotated[str | None, typer.Option(help="Format to write, where the suffix does not tell.")] = None,
    dense: Annotated[
        int | None, typer.Option(min=0, help="So many made dense features, and labels of a planted teacher.")
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, help="Processes that make blocks of samples; the trace is the same.")
    ] = 1,
    scheduler: Annotated[str | None, typer.Option(help="Address of a dask.distributed cluster to make them.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Draw a synthetic trace from a profile.

    Example: hotrow generate meta-2021 clicks.parquet --samples 10000 --seed 1
    """
    from ... import progress
    from ...tracegen.published import load_profile
    from ...tracegen.samples.teacher import ASSUMED
    from ..fidelity.generating import write
    from ..grid import number_of

    source = load_profile(profile, tables)
    warn_if_exact(source)
    with progress.bar("generate", "samples", samples or source.samples, quiet) as advance:
        drawn, lookups = write(source, target, samples, seed, to, workers, scheduler, advance, dense)
    if as_json:
        print_json({"target": str(target), "samples": drawn, "lookups": lookups})
    elif not quiet:
        size = f"{number_of(drawn, 'sample')}, {number_of(lookups, 'lookup')}"
        print(f"{target}: {size} from {source.name} ({source.origin})")
        print_shared(source)
        for assumption in (*source.assumptions, *(() if dense is None else (ASSUMED,))):
            print(f"  assumed: {assumption}")


def _finite(value: Any) -> Any:
    """The same with None for what is not a number, which JSON does not know."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value
