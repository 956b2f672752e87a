"""What `hotrow report` does: study, write the page as it grows and the files beside it; or compare two reports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ... import progress
from ...profiling.machine_files import load_machine, machines
from ..report import Report, save
from . import compare as comparing
from . import files, page
from .files import Saved
from .study import CoDesign, Request, Subject, codesign, steps


def make(subject: Subject, request: Request, out: Path, command: str, quiet: bool) -> Saved:
    """Study the subject and write page and files; the page is there, and says that it is not finished, meanwhile."""

    seen: list[CoDesign] = []

    def notice(result: CoDesign) -> None:
        if not seen:
            files.clear(files.folder_of(out))
        seen[:] = [result]
        save(page.report(result, command), out)

    try:
        result = _study(subject, request, quiet, notice)
    except BaseException as error:
        if seen:  # what is finished stays, and the page no longer promises more
            why = "it was stopped by hand" if isinstance(error, KeyboardInterrupt) else str(error)
            save(page.report(replace(seen[0], running=False, failure=why), command), out)
        raise
    made = page.report(result, command)
    save(made, out)
    kept = files.saved(result, made, command)
    files.write(kept, made, files.folder_of(out))
    return kept


def _study(
    subject: Subject, request: Request, quiet: bool, notice: Callable[[CoDesign], None] = lambda _: None
) -> CoDesign:
    with progress.bar("report", "steps", steps(request), quiet) as advance:
        return codesign(subject, request, advance, notice)


def side(word: str, subject_of: Callable[[str | None], Subject], request: Request, command: str, quiet: bool) -> Saved:
    """One side of a comparison: a report that was made; or one made now, without measuring, of a machine or a trace.

    subject_of: the subject of a trace by its name, None for the one asked for.
    """
    path = Path(word)
    if files.is_report(path):
        return files.read(path)
    machine = word in machines() or path.suffix == ".toml"
    if machine:
        load_machine(word)
    subject = subject_of(None if machine else word)
    asked = replace(request, measure="none", here=None, machine=word if machine else request.machine)
    result = _study(subject, asked, quiet)
    return files.saved(result, page.report(result, command), command)


def compare(a: Saved, b: Saved, out: Path, command: str) -> Report:
    """Write the page of both side by side; HotrowError where they have nothing in common."""
    made = comparing.page(comparing.compare(a, b), command)
    save(made, out)
    return made
