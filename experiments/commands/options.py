"""What verbs share: options, how they load and how they print."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...atomic import check_writable

if TYPE_CHECKING:
    from ...models.config import ModelConfig
    from ...tracegen.profile import TraceProfile
    from ...tracegen.trace import Trace
    from ..grid import Grid


def writable(path: Path | None) -> Path | None:
    """The path, which HotrowError says cannot be written before any work is done."""
    if path is not None:
        check_writable(path)
    return path


def writable_folder(path: Path | None) -> Path | None:
    """The same of a folder."""
    if path is not None:
        check_writable(path, folder=True)
    return path


def hush(quiet: bool) -> bool:
    """No notes from kernels."""
    if quiet:
        logging.getLogger("hotrow").setLevel(logging.ERROR)
    return quiet


Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output, and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no notes.", callback=hush)]
Figures = Annotated[
    Path | None, typer.Option("--out", help="Folder for figures (SVG and PNG).", callback=writable_folder)
]
DEFAULT_TRACE = "meta-2021"
Preset = Annotated[
    str | None, typer.Option(help="Model whose MLPs are put on the trace; rm1 for bags, criteo-kaggle for one-hot.")
]
Scale = Annotated[float, typer.Option(help="Rows of every table times this; ids are then taken modulo.")]
Batch = Annotated[int, typer.Option(min=1, help="Samples per step.")]
Share = Annotated[
    list[str] | None,
    typer.Option(metavar="A,B", help="Features that look up one table, with commas between; may be repeated."),
]
FormatName = Annotated[str | None, typer.Option("--format", help="Format of the trace; found by content if left out.")]


class Counted:
    """Parts of a trace on their way through, counted."""

    def __init__(self, parts: Iterable[Trace], advance: Any) -> None:
        self.parts, self.advance, self.samples, self.lookups = parts, advance, 0, 0

    def __iter__(self) -> Any:
        for part in self.parts:
            yield part
            self.samples += part.samples
            self.lookups += part.accesses
            self.advance(part.samples)


def warn_if_exact(profile: TraceProfile) -> None:
    """Say on standard error that a profile is not private."""
    if profile.origin == "exact":
        print(f"note: {profile.promise}", file=sys.stderr)


def print_shared(profile: TraceProfile) -> None:
    """Which features of a profile look up one table."""
    for group in profile.shared:
        names = ",".join(group)
        print(f"{', '.join(group)}: one table, rows numbered alike (hotrow compare --share {names})")


def profile_named(trace: str) -> TraceProfile | None:
    """The built-in profile of that name, or the profile in a .json file; None for a trace."""
    from ...tracegen.profile import built_in
    from ...tracegen.published import load_profile

    return load_profile(trace) if trace in built_in() or trace.endswith(".json") else None


def load_trace(trace: str, format: str | None = None, advance: Any = None) -> Trace:
    """The trace in a file, or one drawn from a profile."""
    from ...progress import ignore
    from ...tracegen import files
    from ...tracegen.trace import concatenate

    if profile_named(trace) is not None:
        return concatenate(list(Counted(trace_parts(trace, format), advance or ignore)))
    return files.read(trace, format, advance or ignore)


def trace_parts(trace: str, format: str | None) -> Iterable[Trace]:
    """The parts of a trace in a file, or of one drawn from a profile."""
    from ...tracegen import files
    from ...tracegen.generate import generate_chunks

    profile = profile_named(trace)
    return files.scan(trace, format) if profile is None else generate_chunks(profile)


def model_on(preset: str | None, trace: Trace, scale: float) -> ModelConfig:
    """The named model on the trace's tables."""
    from ...models.config import for_trace, load_preset

    bags = any(table.offsets is not None for table in trace.tables)
    return for_trace(load_preset(preset or ("rm1" if bags else "criteo-kaggle")), trace).scaled(scale)


def trace_source(trace: str) -> tuple[str, tuple[str, ...]]:
    """Where a trace comes from, and what was assumed to make it."""
    profile = profile_named(trace)
    if profile is None:
        return f"Read from {Path(trace).name}.", ()
    return f"Synthetic, drawn from {profile.source or profile.name}.", profile.assumptions


def save_figures(figures: dict[str, Any], folder: Path) -> None:
    """Every figure as SVG and PNG in `folder`; a table's name may hold what a file's may not."""
    from ...analysis import plots
    from ...atomic import replacing

    for name, figure in figures.items():
        plain = name.replace("%", "%25").replace("/", "%2F")
        for suffix in (".svg", ".png"):
            with replacing(folder / f"{plain}{suffix}") as beside:
                plots.save(figure, beside)


def print_json(value: Any) -> None:
    """A value as JSON on standard output."""
    print(json.dumps(value, indent=1, allow_nan=False))


def print_grid(grid: Grid) -> None:
    """The lines of a table."""
    for line in grid.lines():
        print(line)


def print_grids(grids: Iterable[Grid]) -> None:
    """Tables, each under its caption."""
    for grid in grids:
        print(f"{grid.caption} ({grid.how})")
        print_grid(grid)
        print()


def print_notes(notes: Iterable[str]) -> None:
    """Notes on standard error."""
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
