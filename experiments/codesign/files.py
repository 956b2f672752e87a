"""Files: what stands beside a report's page: the same as JSON, CSV and SVG, in a folder of the page's name."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ... import HotrowError, __version__
from ...atomic import replacing
from ...models.config import ModelConfig
from ...profiling.host import Host
from ...tracegen.trace import Trace
from ..grid import Grid
from ..report import Report
from ..traffic import log_spaced
from .findings import Finding, findings
from .study import CoDesign, plain

VERSION = 1
NAME = "report.json"


class Curve(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Points of an LRU curve."""

    capacity_rows: tuple[int, ...]
    miss_ratio: tuple[float, ...]


class Saved(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A report as a file. version: of this format; hotrow: that made it, by the command `made`.

    digest: of the trace's lookups. machine: that times are predicted for. details: everything as plain values.
    """

    version: int
    hotrow: str
    made: str
    name: str
    digest: str
    model: ModelConfig
    batch: int
    machine: str | None
    host: Host
    answer: tuple[str, ...]
    findings: tuple[Finding, ...]
    curve: Curve
    details: dict[str, Any]

    def plain(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        made: dict[str, Any] = msgspec.to_builtins(self)
        return made


def saved(result: CoDesign, page: Report, command: str) -> Saved:
    """The report as it is kept."""
    capacities = log_spaced(result.curves.shared.distinct)
    curve = Curve(tuple(capacities.tolist()), tuple(result.curves.shared.miss_ratio(capacities).tolist()))
    return Saved(
        VERSION,
        __version__,
        command,
        result.subject.name,
        digest(result.subject.trace),
        result.subject.config,
        result.request.batch,
        result.request.machine,
        result.host,
        page.answer,
        findings(result),
        curve,
        plain(result),
    )


def digest(trace: Trace) -> str:
    """A hash of a trace's lookups: of every table's name, bags and ids."""
    made = hashlib.sha256()
    for table in trace.tables:
        made.update(table.name.encode())
        made.update(table.bag_sizes().astype("<i8").tobytes())
        made.update(table.indices.astype("<i8").tobytes())
    return made.hexdigest()[:16]


def folder_of(page: Path) -> Path:
    """Where the files beside a page stand."""
    return page.with_suffix("") if page.suffix else page.with_name(f"{page.name}-files")


def write(kept: Saved, page: Report, folder: Path) -> None:
    """report.json, findings.csv, and every table and figure as a file of its own."""
    _write(folder / NAME, msgspec.json.format(msgspec.json.encode(kept), indent=1).decode())
    heads = ("name", "value", "low", "high", "unit", "how")
    rows = ([f.name, f.value, f.low, f.high, f.unit, f.how] for f in kept.findings)
    _write(folder / "findings.csv", as_csv(heads, rows))
    for section in page.sections:
        for k, grid in enumerate(section.grids, 1):
            _write(folder / "tables" / f"{section.anchor}-{k}.csv", _grid(grid))
        for k, picture in enumerate(section.pictures, 1):
            _write(folder / "figures" / f"{section.anchor}-{k}.svg", picture.alone())


def read(path: Path) -> Saved:
    """The report in a file, in the folder of a page, or beside a page.

    Raises HotrowError where there is none, or it is damaged or of another version.
    """
    file = folder_of(path) / NAME if path.suffix == ".html" else path / NAME if path.is_dir() else path
    try:
        text = file.read_bytes()
    except OSError as error:
        raise HotrowError(
            f"{file}: cannot be read ({error.strerror}); hotrow report writes it beside its page"
        ) from error
    try:
        version = msgspec.json.decode(text, type=dict[str, Any]).get("version")
    except msgspec.DecodeError as error:
        raise HotrowError(f"{file}: not a report: {error}") from error
    if version != VERSION:
        raise HotrowError(f"{file}: a report of version {version}, this hotrow reads {VERSION}; make it again")
    try:
        return msgspec.json.decode(text, type=Saved)
    except ValueError as error:  # msgspec's and our own
        raise HotrowError(f"{file}: a damaged report: {error}; make it again") from error


def as_csv(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Lines of a CSV file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(heads)
    writer.writerows(rows)
    return text.getvalue()


def _grid(grid: Grid) -> str:
    return as_csv((*grid.heads, "how"), ([*row, grid.how] for row in grid.rows))


def _write(path: Path, text: str) -> None:
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")
