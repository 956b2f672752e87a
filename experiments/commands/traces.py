"""Verbs about traces: convert, describe."""

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
    print_json,
    print_shared,
    save_figures,
    warn_if_exact,
    writable,
)

if TYPE_CHECKING:
    from ...tracegen.profile import TraceProfile
    from ...tracegen.trace import Trace


SIMULATORS = ("din", "ramulator2")  # whose address traces are written


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
    from ..grid import number_of
    from ..traffic import VISITS, figures
    from ..traffic import describe as describe_trace

    stored = _profile_file(trace)
    with progress.bar("read", "samples", None if stored else samples_in(trace, format), quiet) as advance:
        loaded = load_trace(trace, format, advance) if stored is None else _drawn(stored)
    with progress.bar("describe", "visits of lookups", VISITS * loaded.accesses, quiet) as advance:
        traffic = describe_trace(loaded, Path(trace).name, advance=advance)
    if out is not None:
        save_figures(figures(traffic), out)
    if as_json:
        of_profile = {} if stored is None else {"profile": stored.promise, "shared": stored.shared}
        print_json({"how": "measured; LRU curves simulated"} | of_profile | dataclasses.asdict(traffic))
        return
    if stored is not None:
        print(f"{traffic.name}: {stored.promise}; what it generates by itself:")
    extra = f", with {', '.join(traffic.per_sample)}" if traffic.per_sample else ""
    print(
        f"{traffic.name}: {number_of(traffic.samples, 'sample')}, {number_of(traffic.lookups, 'lookup')}, "
        f"{number_of(len(traffic.tables), 'table')}{extra}"
    )
    grid = traffic.grid()
    print(f"{grid.caption} ({grid.how})")
    print_grid(grid)
    if stored is not None:
        print_shared(stored)


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


def samples_in(trace: str, format: str | None) -> int | None:
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
