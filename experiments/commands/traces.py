"""Verbs about traces: convert, describe, cache."""

from __future__ import annotations

import dataclasses
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
    print_grid,
    print_grids,
    print_json,
    print_notes,
    save_figures,
    trace_parts,
    warn_if_exact,
    writable,
)

if TYPE_CHECKING:
    from ...tracegen.profile import TraceProfile
    from ...tracegen.trace import Trace


SIMULATORS = ("din", "ramulator2")  # whose address traces are written
LEVELS = "32K/8,1M/16,32M/16"  # a server core's L1, L2 and share of L3
PROCESSOR = "Processor caches"


def convert(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="Trace to read.")],
    target: Annotated[
        Path, typer.Argument(metavar="DST", help="Trace to write; its suffix names the format.", callback=writable)
    ],
    format: FormatName = None,
    to: Annotated[str | None, typer.Option(help="Format to write, where the suffix does not tell.")] = None,
    lossy: Annotated[bool, typer.Option("--lossy", help="Leave out what the target cannot hold.")] = False,
    modulo: Annotated[
        int | None, typer.Option(min=1, help="Criteo: take ids modulo this number, not in order of appearance.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option(help="Option of the format read, name=value (docs/formats.md); may be repeated.")
    ] = None,
    to_option: Annotated[list[str] | None, typer.Option(help="The same for the format written.")] = None,
    row_bytes: Annotated[
        int | None, typer.Option(min=1, help="Address traces: bytes of one embedding row; 256 if left out.")
    ] = None,
    update_every: Annotated[
        int | None, typer.Option(min=1, help="Address traces: also write the rows of every so many samples (training).")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Turn a trace of any format into any other, in bounded memory.

    DST may also be an address trace for a hardware simulator: a .din file (Dinero IV), or --to ramulator2.

    Example: hotrow convert day_0.tsv.gz day_0.parquet
    """
    from ... import progress
    from ...tracegen import files

    reading = _options(option) | ({} if modulo is None else {"max_ind_range": modulo})
    simulator = to if to in SIMULATORS else "din" if to is None and target.suffix == ".din" else None
    kind = "a trace" if simulator is None else "an address trace"
    idle: dict[str, Any] = {"--row-bytes": row_bytes, "--update-every": update_every}
    if simulator is not None:
        idle = {"--to-option": to_option, "--lossy": lossy}
    for name, given in idle.items():
        if given:
            raise HotrowError(f"{name} does nothing where {kind} is written; leave it out")
    total = files.samples_in(source, format)
    if simulator is None:
        with progress.bar("convert", "samples", total, quiet) as advance:
            counted = Counted(files.scan(source, format, **reading), advance)
            files.write(counted, target, to, lossy, **_options(to_option))
        made = {"samples": counted.samples, "lookups": counted.lookups}
    else:
        from ...analysis.memory.address_trace import convert_to_addresses

        with progress.bar("convert (twice over)", "samples", total and 2 * total, quiet) as advance:
            made = dataclasses.asdict(
                convert_to_addresses(
                    source, target, simulator, row_bytes or 256, update_every,
                    source_format=format, options=reading, advance=advance,
                )
            )  # fmt: skip
    size = target.stat().st_size if target.is_file() else sum(f.stat().st_size for f in target.iterdir())
    if as_json:
        print_json({"target": str(target), **made, "bytes": size})
    elif not quiet:
        counts = ", ".join(f"{count:,} {what}" for what, count in made.items())
        print(f"{target}: {counts}, {size / 1e6:,.1f} MB")


def describe(
    trace: Annotated[
        str, typer.Argument(metavar="TRACE", help="Trace file, profile (.json), or a built-in one's name.")
    ],
    format: FormatName = None,
    out: Figures = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """What is this trace like? Size, popularity, bags and exact LRU curve of every table.

    Example: hotrow describe clicks.parquet --out figures
    """
    from ... import progress
    from ..traffic import VISITS, figures
    from ..traffic import describe as describe_trace

    stored = _profile_file(trace)
    with progress.bar("read", "samples", None if stored else _samples_in(trace, format), quiet) as advance:
        loaded = load_trace(trace, format, advance) if stored is None else _drawn(stored)
    with progress.bar("describe", "visits of lookups", VISITS * loaded.accesses, quiet) as advance:
        traffic = describe_trace(loaded, Path(trace).name, advance=advance)
    if out is not None:
        save_figures(figures(traffic), out)
    if as_json:
        of_profile = {} if stored is None else {"profile": stored.promise}
        print_json({"how": "measured; LRU curves simulated"} | of_profile | dataclasses.asdict(traffic))
        return
    if stored is not None:
        print(f"{traffic.name}: {stored.promise}; what it generates by itself:")
    extra = f", with {', '.join(traffic.per_sample)}" if traffic.per_sample else ""
    print(
        f"{traffic.name}: {traffic.samples:,} samples, {traffic.lookups:,} lookups, {len(traffic.tables)} tables{extra}"
    )
    grid = traffic.grid()
    print(f"{grid.caption} ({grid.how})")
    print_grid(grid)


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
            "below 1 their share (0.01, say; memory then grows with the rows)."
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

    if sample is not None:
        asked = {
            "--policies": policies != "fast",
            "--levels": levels != LEVELS,
            "--replacement": replacement != "LRU",
            "--inclusion": inclusion is not None,
            "--update-every": update_every is not None,
            "--tlb": bool(tlb),
        }
        for name, given in asked.items():
            if given:
                raise HotrowError(f"{name} does nothing with --sample, which gives LRU curves alone; leave one out")
        _sampled_cache(trace, format, sample, row_bytes, tuple(capacity or ()), out, as_json, quiet)
        return
    request = cache_study.Request(
        row_bytes, tuple(capacity or ()), policies, levels, replacement, inclusion, tuple(tlb or ()), update_every
    )
    with progress.bar("cache", "steps", cache_study.steps(request), quiet) as advance:
        study = cache_study.cache_study(load_trace(trace, format), request, advance)
    if out is not None:
        save_figures(cache_study.figures(study), out)
    if as_json:
        print_json(cache_study.plain(study))
        return
    for grid in cache_study.grids(study):
        print(f"{grid.caption} ({grid.how})")
        print_grid(grid)
        print()


def _sampled_cache(
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

    with progress.bar("cache", "samples", _samples_in(trace, format), quiet) as advance:
        curves = sampled_curves(Counted(trace_parts(trace, format), advance), sample, row_bytes, capacities)
    if out is not None:
        save_figures(curves.figures(), out)
    if as_json:
        print_json(curves.plain())
        return
    print_grids((curves.grid(),))
    if not quiet:
        print_notes((LEFT_OUT,))


def _profile_file(name: str) -> TraceProfile | None:
    """The profile in a .json file; None for everything else. That an exact one is not private is said at once."""
    from ...tracegen.profile import built_in, load

    if name in built_in() or not name.endswith(".json"):
        return None
    stored = load(name)
    warn_if_exact(stored)
    return stored


def _drawn(profile: TraceProfile) -> Trace:
    from ...tracegen.generate import generate

    return generate(profile)


def _samples_in(trace: str, format: str | None) -> int | None:
    """About how many samples it has, where that is cheap to know."""
    from ...tracegen import files
    from ...tracegen.profile import built_in
    from ...tracegen.published import load_profile

    return load_profile(trace).samples if trace in built_in() else files.samples_in(trace, format)


def _options(given: list[str] | None) -> dict[str, Any]:
    """name=value pairs as keywords; whole numbers and true or false are read as such."""
    options: dict[str, Any] = {}
    for pair in given or ():
        name, sign, value = pair.partition("=")
        if not sign or not name:
            raise HotrowError(f"option {pair!r}; write it as name=value")
        words = {"true": True, "false": False}
        options[name.replace("-", "_")] = (
            int(value) if value.lstrip("-").isdecimal() else words.get(value.lower(), value)
        )
    return options
