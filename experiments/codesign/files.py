"""Files: what stands beside a report's page: the same as JSON, CSV and SVG, in a folder of the page's name."""

from __future__ import annotations

import csv
import hashlib
import io
import re
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
FINDINGS = "findings.csv"
FORMULA = re.compile(r"[=@\t]|[+-][^\d.∞]")  # what a spreadsheet may take for one


class Curve(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Points of an LRU curve."""

    capacity_rows: tuple[int, ...]
    miss_ratio: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.capacity_rows) != len(self.miss_ratio):
            raise HotrowError(f"a curve of {len(self.capacity_rows)} capacities and {len(self.miss_ratio)} ratios")


class Saved(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A report as a file. version: of this format; hotrow: that made it, by the command `made`.

    digest: of the trace's lookups. machine: that times are predicted for, with a digest of its file; limit: seconds of
    a step. contended: whether other work disturbed a measurement. details: everything as plain values.
    """

    version: int
    hotrow: str
    made: str
    name: str
    digest: str
    model: ModelConfig
    batch: int
    machine: str | None
    machine_digest: str | None
    limit: float | None
    contended: bool
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
    told = None if result.elsewhere is None else result.elsewhere.answer
    steps = () if result.measured is None else result.measured.profile.steps
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
        None if told is None else told.machine.name,
        None if told is None else hashlib.sha256(msgspec.json.encode(told.machine)).hexdigest()[:16],
        None if told is None else told.limit,
        any(step.total.metadata.get("contended") for step in steps),
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


def clear(folder: Path) -> None:
    """Remove what an earlier report left in its folder, so that it is not taken for a later one's."""
    for old in (folder / NAME, folder / FINDINGS, *folder.glob("tables/*.csv"), *folder.glob("figures/*.svg")):
        old.unlink(missing_ok=True)


def is_report(path: Path) -> bool:
    """Whether a word of --compare means a report: a page, the folder beside one, or JSON that is no profile."""
    if path.suffix == ".html" or (path.is_dir() and (path / NAME).exists()):
        return True
    if path.suffix != ".json":
        return False
    try:
        return "origin" not in msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError):
        return True  # read says what is wrong


def write(kept: Saved, page: Report, folder: Path) -> None:
    """report.json, findings.csv, and every table and figure as a file of its own."""
    _write(folder / NAME, msgspec.json.format(msgspec.json.encode(kept), indent=1).decode())
    heads = ("name", "value", "low", "high", "unit", "how")
    rows = ([f.name, f.value, f.low, f.high, f.unit, f.how] for f in kept.findings)
    _write(folder / FINDINGS, as_csv(heads, rows))
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
    return as_csv((*grid.heads, "how"), ([*map(harmless, row), grid.how] for row in grid.rows))


def harmless(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula: a name may begin with anything."""
    return f"'{cell}" if FORMULA.match(cell) else cell


def _write(path: Path, text: str) -> None:
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")
