"""The verb cache: how much fast memory is enough?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ... import HotrowError
from .options import (
    Counted,
    Figures,
    FormatName,
    Json,
    Quiet,
    load_trace,
    print_grids,
    print_json,
    print_notes,
    save_figures,
    trace_parts,
)
from .traces import samples_in

if TYPE_CHECKING:
    from ..grid import Grid

LEVELS = "32K/8,1M/16,32M/16"  # a server core's L1, L2 and share of L3
PROCESSOR = "Processor caches"
LONG = "Long traces"


def cache(
    trace: Annotated[str, typer.Argument(metavar="TRACE", help="Trace file, or the name of a built-in profile.")],
    capacity: Annotated[
        list[int] | None, typer.Option(min=1, help="Capacity in rows; may be repeated. Eight sizes if left out.")
    ] = None,
    row_bytes: Annotated[int, typer.Option(min=1, help="Bytes of one embedding row.")] = 256,
    policies: Annotated[str, typer.Option(help="Policies by name with commas between; fast or all.")] = "fast",
    levels: Annotated[
        str,
        typer.Option(
            help="size/ways, innermost first; or a machine, by name (skylake) or .toml file; or none.",
            rich_help_panel=PROCESSOR,
        ),
    ] = LEVELS,
    inclusion: Annotated[
        str | None,
        typer.Option(
            help="How a level holds those above it: non-inclusive, inclusive, exclusive; with commas, one for each "
            "from the second on. The machine's if left out, else non-inclusive.",
            rich_help_panel=PROCESSOR,
        ),
    ] = None,
    replacement: Annotated[
        str, typer.Option(help="LRU, FIFO or tree-PLRU; with commas, one for each level.", rich_help_panel=PROCESSOR)
    ] = "LRU",
    update_every: Annotated[
        int | None,
        typer.Option(
            min=1, help="Training: rows of every so many samples are also written.", rich_help_panel=PROCESSOR
        ),
    ] = None,
    tlb: Annotated[
        list[str] | None,
        typer.Option(
            help="Also page walks: bytes of a page (4K, 2M) on Skylake's TLB, or with its entries/ways as in "
            "2M:32/4,1536/12; may be repeated.",
            rich_help_panel=PROCESSOR,
        ),
    ] = None,
    sample: Annotated[
        float | None,
        typer.Option(
            help="LRU curves alone, as bands, without holding the trace: rows of each of 8 samples (8192, say), or "
            "below 1 their share (0.01, say; memory then grows with the rows).",
            rich_help_panel=LONG,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Exact LRU curves alone, of a Parquet or npz file in parts, without holding it: so many processes.",
            rich_help_panel=LONG,
        ),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            help="The same on a dask cluster: its scheduler's address, or local-cluster.", rich_help_panel=LONG
        ),
    ] = None,
    out: Figures = None,
    format: FormatName = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """How much fast memory is enough? LRU sizes, policies, processor caches, samples and batches.

    Example: hotrow cache clicks.parquet --capacity 1000 --capacity 10000 --row-bytes 128 --policies LRU,SIEVE,ARC
    """
    from ... import progress
    from .. import cache_study

    in_parts = workers is not None or scheduler is not None
    if sample is not None or in_parts:
        option = "--sample" if sample is not None else "--workers" if workers is not None else "--scheduler"
        asked = {
            "--policies": policies != "fast",
            "--levels": levels != LEVELS,
            "--replacement": replacement != "LRU",
            "--inclusion": inclusion is not None,
            "--update-every": update_every is not None,
            "--tlb": bool(tlb),
            "--workers": sample is not None and workers is not None,
            "--scheduler": sample is not None and scheduler is not None,
        }
        for name, given in asked.items():
            if given:
                raise HotrowError(f"{name} does nothing with {option}, which gives LRU curves alone; leave one out")
        sizes = tuple(capacity or ())
        if sample is not None:
            _in_samples(trace, format, sample, row_bytes, sizes, out, as_json, quiet)
        else:
            _in_parts(trace, format, workers, scheduler, row_bytes, sizes, out, as_json, quiet)
        return
    request = cache_study.Request(
        row_bytes, tuple(capacity or ()), policies, levels, replacement, inclusion, tuple(tlb or ()), update_every
    )
    with progress.bar("cache", "steps", cache_study.steps(request), quiet) as advance:
        study = cache_study.cache_study(load_trace(trace, format), request, advance)
    if out is not None:
        save_figures(cache_study.figures(study), out)
    _say(cache_study.grids(study), partial(cache_study.plain, study), as_json)


def _in_samples(
    trace: str,
    format: str | None,
    sample: float,
    row_bytes: int,
    capacities: tuple[int, ...],
    out: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """The cache verb over a trace that is never in memory as a whole."""
    from ... import progress
    from ..sampled_curves import LEFT_OUT, sampled_curves

    with progress.bar("cache", "samples", samples_in(trace, format), quiet) as advance:
        curves = sampled_curves(Counted(trace_parts(trace, format), advance), sample, row_bytes, capacities)
    if out is not None:
        save_figures(curves.figures(), out)
    _say((curves.grid(),), curves.plain, as_json, () if quiet else (LEFT_OUT,))


def _in_parts(
    trace: str,
    format: str | None,
    workers: int | None,
    scheduler: str | None,
    row_bytes: int,
    capacities: tuple[int, ...],
    out: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """The cache verb over a trace that no process reads as a whole."""
    from ... import progress
    from ...tracegen.profile import built_in
    from ..parallel import exact_curves
    from ..parallel.executor import maker, processors
    from ..parallel.lru_parts import steps

    if trace in built_in():
        raise HotrowError(
            f"{trace} is a profile; hotrow generate {trace} {trace}.parquet makes a file to read in parts"
        )
    width = workers or processors()
    with progress.bar("cache", "lookups", steps(Path(trace), width, format), quiet) as advance:
        found = exact_curves.exact_curves(
            Path(trace), maker(scheduler, width), width, row_bytes, capacities, format, advance
        )
    if out is not None:
        save_figures(exact_curves.figures(found), out)
    notes = () if quiet else (exact_curves.LEFT_OUT,)
    _say((exact_curves.grid(found),), partial(exact_curves.plain, found), as_json, notes)


def _say(grids: Sequence[Grid], plain: Callable[[], Any], as_json: bool, notes: Sequence[str] = ()) -> None:
    """The answer as JSON, or as tables with notes."""
    if as_json:
        print_json(plain())
        return
    print_grids(grids)
    print_notes(notes)
