"""Format: what a trace format is called, how it is recognised, what it can hold, and its scan and write."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..trace import Trace

PART_LOOKUPS = 4_000_000  # lookups in a part where bags are large: about 32 MB


@dataclass(frozen=True)
class Holds:
    """What a format can hold; writing more than it holds is refused unless the caller accepts the loss."""

    tables: bool = True  # more than one table
    bags: bool = True
    rows: bool = True  # declared rows, and so tables whose last rows nobody asked for
    names: bool = True
    time: bool = True
    user: bool = True
    dense: bool = True
    label: bool = True


@dataclass(frozen=True)
class Extent:
    """What a file says of its trace without its lookups being read.

    tables: name and declared rows of each, None where they are not known. lookups: of each table, empty bags perhaps
    counted. cuts: samples, rising, before which a part may begin without what lies before being read.
    """

    tables: tuple[tuple[str, int | None], ...]
    samples: int
    lookups: tuple[int, ...]
    cuts: tuple[int, ...] = ()


@dataclass(frozen=True)
class Format:
    """One trace format.

    suffixes: lower case, with the dot, the longest match wins. sniff: whether a file that begins with these
    bytes looks like this format. scan(path, *, samples, …) yields Traces of at most about `samples` samples each, in
    order; None for formats that are only written. write(parts, path, *, lossy, …) takes an iterable of Traces and a
    path of an empty file; None for formats that are only read. read(path, …): a whole file at once, where that is
    better than joining the scan's parts. samples(path): about how many, where that is cheap to know.
    extent(path), and between(path, tables, start, stop, samples), which scans the lookups of chosen tables (their
    numbers, in the file's order) in a range of samples: for formats that can be read in parts.
    Other keyword-only parameters are the format's options.
    """

    name: str
    summary: str
    suffixes: tuple[str, ...]
    holds: Holds
    sniff: Callable[[Path, bytes], bool]
    scan: Callable[..., Iterator[Trace]] | None
    write: Callable[..., None] | None
    read: Callable[..., Trace] | None = None
    samples: Callable[[Path], int | None] | None = None
    extent: Callable[[Path], Extent] | None = None
    between: Callable[[Path, Sequence[int], int, int, int], Iterator[Trace]] | None = None
