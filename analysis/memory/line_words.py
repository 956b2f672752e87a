"""Line words: the cache lines that a trace's lookups touch, in order, a chunk at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ... import HotrowError
from ...jit import kernel
from ...tracegen.trace import Indices, TableLookups, Trace
from .checks import checked_line, checked_whole
from .layout import Layout, Placed

CHUNK_LINES = 2**18  # about as many lines are in memory at a time


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
    batch = None if update_every is None else checked_whole(update_every, "samples between updates")
    if batch is not None and batch < 1:
        raise HotrowError(f"updates every {batch} samples; a batch has at least 1 sample")
    for part in (trace,) if isinstance(trace, Trace) else trace:
        placed = [layout.table(table.name) for table in part.tables]
        for table, place in zip(part.tables, placed, strict=True):
            _check_rows(table, place)
        for start, stop in _cuts(part, placed, line_bytes, batch):
            yield _expand_chunk(part.samples_between(start, stop), placed, shift, batch)


def _check_rows(table: TableLookups, place: Placed) -> None:
    if table.rows > place.rows and len(table.indices) and (largest := int(table.indices.max())) >= place.rows:
        raise HotrowError(
            f"table {table.name!r}: row {largest} is looked up but the layout places {place.rows} rows; "
            "lay out the table with all its rows"
        )


def _cuts(part: Trace, placed: Sequence[Placed], line_bytes: int, batch: int | None) -> Iterator[tuple[int, int]]:
    """First samples and ends of the chunks: whole batches whose words are at most CHUNK_LINES, or one batch."""
    writes = 1 if batch is None else 2
    lines = [(place.row_bytes + line_bytes - 2) // line_bytes + 1 for place in placed]  # that a row touches, at most
    of_row = [float(writes * each) for each in lines]  # so that no product overflows
    one_hot = sum(words for table, words in zip(part.tables, of_row, strict=True) if table.offsets is None)
    upto = np.arange(part.samples + 1) * (1.0 + one_hot)  # words before each sample, at most
    for table, words in zip(part.tables, of_row, strict=True):
        if table.offsets is not None:
            upto += table.offsets * words
    start, together = 0, batch or 1
    while start < part.samples:
        fit = int(np.searchsorted(upto, upto[start] + CHUNK_LINES, "right")) - 1 - start
        stop = min(part.samples, start + max(1, fit // together) * together)
        yield start, stop
        start = stop


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
