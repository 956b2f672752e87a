"""TraceProfile: what a trace is like, as statistics alone; characterize measures it exactly."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Literal

import msgspec

from .. import HotrowError, __version__
from ..atomic import replacing
from .popularity import Spectrum, row_counts, spectrum
from .trace import Trace

VERSION = 1


class TableProfile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One table: declared rows; counts: (lookups, rows with so many); bags: (bag size, samples), None if one-hot."""

    name: str
    rows: int
    counts: Spectrum
    bags: Spectrum | None = None

    def __post_init__(self) -> None:
        for field, pairs, least in (("counts", self.counts, 1), ("bags", self.bags or (), 0)):
            for value, times in pairs:
                if value < least or times < 1:
                    raise ValueError(f"table {self.name!r}, {field}: ({value}, {times}); pairs start at ({least}, 1)")
        if self.distinct > self.rows:
            raise ValueError(f"table {self.name!r}: {self.distinct} rows looked up of {self.rows} declared")
        if self.bags is not None and self.accesses != sum(size * times for size, times in self.bags):
            raise ValueError(f"table {self.name!r}: counts and bags differ in their number of lookups")

    @property
    def distinct(self) -> int:
        """Rows that were looked up."""
        return sum(rows for _, rows in self.counts)

    @property
    def accesses(self) -> int:
        """Lookups."""
        return sum(count * rows for count, rows in self.counts)

    @property
    def samples(self) -> int:
        """Samples."""
        return self.accesses if self.bags is None else sum(times for _, times in self.bags)


class TraceProfile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Statistics of a trace. origin: exact (measured, not private) or published (from somebody's aggregates).

    source: where the numbers come from. assumptions: what the profile does not know and how the gap is filled.
    """

    name: str
    origin: Literal["exact", "published"]
    source: str
    samples: int
    tables: tuple[TableProfile, ...]
    assumptions: tuple[str, ...] = ()
    version: int = VERSION
    written_by: str = f"hotrow {__version__}"

    def __post_init__(self) -> None:
        if self.version > VERSION:
            raise ValueError(f"written by a newer hotrow (profile version {self.version}, this one reads {VERSION})")
        for table in self.tables:
            if table.samples != self.samples:
                raise ValueError(f"table {table.name!r} has {table.samples} samples, the profile {self.samples}")

    def save(self, path: str | Path) -> None:
        """Write as JSON: whole or not at all."""
        with replacing(path) as beside:
            beside.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1))


def load(path: str | Path) -> TraceProfile:
    """Read a profile file; HotrowError names the file, the field and the rule."""
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=TraceProfile)
    except OSError as error:
        raise HotrowError(f"{path}: cannot be read ({error.strerror})") from error
    except msgspec.MsgspecError as error:
        raise HotrowError(f"{path}: not a trace profile ({error})") from error


def built_in() -> tuple[str, ...]:
    """Names of the profiles that come with hotrow."""
    folder = resources.files(__package__) / "profiles"
    return tuple(sorted(file.name.removesuffix(".json") for file in folder.iterdir() if file.name.endswith(".json")))


def characterize(trace: Trace, name: str = "trace") -> TraceProfile:
    """Popularity and bag sizes of every table, exact and so not private; temporal order is not kept."""
    tables = tuple(
        TableProfile(
            table.name,
            table.rows,
            spectrum(row_counts(table.indices)),
            None if table.offsets is None else spectrum(table.bag_sizes()),
        )
        for table in trace.tables
    )
    assumptions = ("temporal order and coupling between tables are not kept: draws are independent",)
    return TraceProfile(name, "exact", "measured on the trace itself; NOT PRIVATE", trace.samples, tables, assumptions)
