"""Layout: where in memory the rows of a trace's tables lie, and the cache lines that its lookups touch, in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ... import HotrowError
from ...jit import kernel
from ...tracegen.trace import Indices, TableLookups, Trace

ADDRESSES = 2**63  # addresses are int64
SMALLEST_LINE = 4  # bytes; leaves two bits of an address for the kernels
CHUNK_LINES = 2**18  # about as many lines are in memory at a time


@dataclass(frozen=True)
class Placed:
    """One table in memory: row r lies at base + r × row_bytes."""

    name: str
    rows: int
    row_bytes: int
    base: int

    def __post_init__(self) -> None:
        if self.row_bytes < 1:
            raise HotrowError(f"table {self.name!r}: rows of {self.row_bytes} bytes; a row has at least 1")
        if self.base < 0 or self.end > ADDRESSES:
            raise HotrowError(
                f"table {self.name!r}: {self.rows} rows of {self.row_bytes} bytes from address {self.base} "
                "leave the address space; it ends at 2^63 bytes"
            )

    @property
    def end(self) -> int:
        """The first address behind the table."""
        return self.base + self.rows * self.row_bytes


@dataclass(frozen=True)
class Layout:
    """Tables in memory, in a trace's order. Raises HotrowError where a name stands twice."""

    tables: tuple[Placed, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "tables", tuple(self.tables))
        names = [table.name for table in self.tables]
        if len(set(names)) < len(names):
            raise HotrowError(f"the layout places a table twice: {', '.join(sorted(names))}")

    @classmethod
    def of_rows(
        cls,
        trace: Trace,
        row_bytes: int | Sequence[int] | Mapping[str, int],
        *,
        start: int = 0,
        page_bytes: int = 4096,
    ) -> Layout:
        """The tables of `trace` one after the other from `start`, each from a page of its own.

        row_bytes: of every table, of each in order, or by name. start is rounded up to a page.
        """
        if page_bytes < 1:
            raise HotrowError(f"pages of {page_bytes} bytes; a page has at least 1")
        placed, end = [], start
        for table, each in zip(trace.tables, _of_each(trace, row_bytes, "row bytes"), strict=True):
            base = -(-end // page_bytes) * page_bytes
            placed.append(Placed(table.name, table.rows, each, base))
            end = placed[-1].end
        return cls(tuple(placed))

    @classmethod
    def of_dims(
        cls,
        trace: Trace,
        dim: int | Sequence[int] | Mapping[str, int],
        *,
        element_bytes: int = 4,
        start: int = 0,
        page_bytes: int = 4096,
    ) -> Layout:
        """As of_rows, for embedding rows of `dim` elements of `element_bytes` bytes (4: float32)."""
        row_bytes = [each * element_bytes for each in _of_each(trace, dim, "dimensions")]
        return cls.of_rows(trace, row_bytes, start=start, page_bytes=page_bytes)

    @property
    def end(self) -> int:
        """The first address behind the last table."""
        return max((table.end for table in self.tables), default=0)

    def table(self, name: str) -> Placed:
        """The table called `name`; HotrowError where the layout does not place it."""
        for table in self.tables:
            if table.name == name:
                return table
        raise HotrowError(f"the layout has no table {name!r}; it places {', '.join(t.name for t in self.tables)}")

    def addresses(self, name: str, rows: ArrayLike) -> NDArray[np.int64]:
        """Addresses of the first bytes of these rows of a table, int64 [rows]."""
        table = self.table(name)
        chosen = np.asarray(rows, np.int64)
        outside = chosen[(chosen < 0) | (chosen >= table.rows)]
        if len(outside):
            raise HotrowError(f"table {name!r}: rows 0 to {table.rows - 1} have a place, asked for {outside[0]}")
        return table.base + chosen * table.row_bytes


def checked_line(line_bytes: int, what: str) -> int:
    """log2 of the bytes of a line or a span of lines; HotrowError unless they are a power of two from 4."""
    if line_bytes < SMALLEST_LINE or line_bytes & (line_bytes - 1):
        raise HotrowError(f"{what}: {line_bytes} bytes; they must be a power of two, at least {SMALLEST_LINE}")
    return line_bytes.bit_length() - 1


def line_words(
    trace: Trace | Iterable[Trace], layout: Layout, line_bytes: int, update_every: int | None = None
) -> Iterator[NDArray[np.int64]]:
    """The lines that the lookups of a trace touch, as words line × 2 + write, some 2^18 at a time: int64 [lines].

    Sample by sample, in a sample table by table, in a table in bag order, of a row every line from its first to its
    last. trace: whole, or its parts in order. update_every: None reads only (inference); B writes, after the reads of
    every B samples, the same lines again in the same order (training with batches of B samples; a part ends its last
    batch). Never fewer samples at a time than one batch. Raises HotrowError for a table or a row without a place.
    """
    shift = checked_line(line_bytes, "lines")
    if update_every is not None and update_every < 1:
        raise HotrowError(f"updates every {update_every} samples; a batch has at least 1 sample")
    for part in (trace,) if isinstance(trace, Trace) else trace:
        placed = [layout.table(table.name) for table in part.tables]
        for table, place in zip(part.tables, placed, strict=True):
            _check_rows(table, place)
        step = _samples_at_a_time(part, placed, line_bytes, update_every or 1)
        for start in range(0, part.samples, step):
            chunk = part.samples_between(start, min(start + step, part.samples))
            yield _expand_chunk(chunk, placed, shift, update_every)


def _of_each(trace: Trace, values: int | Sequence[int] | Mapping[str, int], what: str) -> list[int]:
    if isinstance(values, int):
        return [values] * len(trace.tables)
    if isinstance(values, Mapping):
        missing = [table.name for table in trace.tables if table.name not in values]
        if missing:
            raise HotrowError(f"no {what} given for table {missing[0]!r}")
        return [values[table.name] for table in trace.tables]
    if len(values) != len(trace.tables):
        raise HotrowError(f"{len(values)} {what} given for {len(trace.tables)} tables; give one for each")
    return list(values)


def _check_rows(table: TableLookups, place: Placed) -> None:
    if table.rows > place.rows and len(table.indices) and (largest := int(table.indices.max())) >= place.rows:
        raise HotrowError(
            f"table {table.name!r}: row {largest} is looked up but the layout places {place.rows} rows; "
            "lay out the table with all its rows"
        )


def _samples_at_a_time(part: Trace, placed: Sequence[Placed], line_bytes: int, batch: int) -> int:
    """So many samples that their lines are about CHUNK_LINES, in whole batches."""
    lines = sum(
        table.accesses * (1 + place.row_bytes // line_bytes) for table, place in zip(part.tables, placed, strict=True)
    )
    each = lines / max(part.samples, 1) + len(part.tables)
    return max(1, int(CHUNK_LINES / each / batch)) * batch


def _expand_chunk(chunk: Trace, placed: Sequence[Placed], shift: int, batch: int | None) -> NDArray[np.int64]:
    if batch is None and all(
        table.offsets is None and _steady(place, shift) for table, place in zip(chunk.tables, placed, strict=True)
    ):
        return _expand_one_hot(chunk, placed, shift)
    counts = np.empty((chunk.samples, len(placed)), np.int64)
    sizes = [table.bag_sizes() for table in chunk.tables]
    for k, (table, place) in enumerate(zip(chunk.tables, placed, strict=True)):
        if _steady(place, shift):
            np.multiply(sizes[k], max(1, place.row_bytes >> shift), out=counts[:, k])
        else:
            _count_lines(table.indices, sizes[k], place.base, place.row_bytes, shift, counts[:, k])
    ends = np.cumsum(counts).reshape(counts.shape)
    places = ends - counts
    total = int(ends[-1, -1])
    if batch is None:
        return _expand(chunk, sizes, placed, shift, 0, places, np.empty(total, np.int64))
    of_batch = np.arange(chunk.samples) // batch
    firsts = places[::batch, 0]
    lines = np.diff(firsts, append=total)
    words = np.empty(2 * total, np.int64)
    reads = places + firsts[of_batch, None]
    _expand(chunk, sizes, placed, shift, 0, reads, words)
    return _expand(chunk, sizes, placed, shift, 1, reads + lines[of_batch, None], words)


def _expand_one_hot(chunk: Trace, placed: Sequence[Placed], shift: int) -> NDArray[np.int64]:
    """Lines of samples that all look alike: the place of each is known beforehand."""
    lines = [max(1, place.row_bytes >> shift) for place in placed]
    words = np.empty((chunk.samples, sum(lines)), np.int64)
    first = 0
    for table, place, count in zip(chunk.tables, placed, lines, strict=True):
        _write_rows(table.indices, place.base, place.row_bytes, shift, words[:, first : first + count])
        first += count
    return words.reshape(-1)


def _steady(place: Placed, shift: int) -> bool:
    """Whether every row of the table touches equally many lines."""
    line = 1 << shift
    return (place.row_bytes % line == 0 or line % place.row_bytes == 0) and place.base % min(line, place.row_bytes) == 0


def _expand(
    chunk: Trace,
    sizes: Sequence[NDArray[np.int64]],
    placed: Sequence[Placed],
    shift: int,
    write: int,
    places: NDArray[np.int64],
    words: NDArray[np.int64],
) -> NDArray[np.int64]:
    for k, (table, place) in enumerate(zip(chunk.tables, placed, strict=True)):
        _write_lines(table.indices, sizes[k], place.base, place.row_bytes, shift, write, places[:, k], words)
    return words


@kernel
def _count_lines(
    indices: Indices, sizes: NDArray[np.int64], base: int, row_bytes: int, shift: int, counts: NDArray[np.int64]
) -> None:
    at = 0
    for sample in range(len(sizes)):
        counts[sample] = 0
        for _ in range(sizes[sample]):
            address = base + np.int64(indices[at]) * row_bytes
            counts[sample] += ((address + row_bytes - 1) >> shift) - (address >> shift) + 1
            at += 1


@kernel
def _write_rows(indices: Indices, base: int, row_bytes: int, shift: int, words: NDArray[np.int64]) -> None:
    for sample in range(len(indices)):
        line = (base + np.int64(indices[sample]) * row_bytes) >> shift
        for later in range(words.shape[1]):
            words[sample, later] = (line + later) << 1


@kernel
def _write_lines(
    indices: Indices,
    sizes: NDArray[np.int64],
    base: int,
    row_bytes: int,
    shift: int,
    write: int,
    places: NDArray[np.int64],
    words: NDArray[np.int64],
) -> None:
    at = 0
    for sample in range(len(sizes)):
        place = places[sample]
        for _ in range(sizes[sample]):
            address = base + np.int64(indices[at]) * row_bytes
            for line in range(address >> shift, ((address + row_bytes - 1) >> shift) + 1):
                words[place] = line << 1 | write
                place += 1
            at += 1
