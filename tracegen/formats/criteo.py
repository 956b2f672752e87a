"""Criteo TSV, plain, gzip or zstd: a label, 13 integers, 26 hexadecimal ids; any may be empty.

Dense features become log(x + 1), negative and missing ones 0. A missing label is 0. An empty id reads as the key 0,
as in the DLRM benchmark, so that it is a row of its own wherever the log does not use the key 0 itself. Keys become
row ids in order of first appearance, or key modulo `max_ind_range`; `max_ind_range=2**32` keeps the keys as they are.
The tables are C1 … C26. Format: the Criteo Kaggle and Terabyte data sets; preprocessing: the DLRM benchmark
(facebookresearch/dlrm, Naumov et al., arXiv 1906.00091).

Written: row ids as 8 hexadecimal digits and dense features as round(exp(x) − 1). What is written reads back to the bit
with max_ind_range=2**32, or without it where each table's ids already come in order of first appearance. Counts above
about 10^6 share a float32 logarithm with their neighbours: reading a file and writing it anew may change those.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import HotrowError
from ..trace import MAX_ROWS, SampleError, TableLookups, Trace
from ..vocabulary import Vocabulary
from . import criteo_lines as lines
from .flat import fixed_bags, must_fit
from .format import Format, Holds
from .streams import COMPRESSIONS, first_bytes, line_blocks, writing

LOGARITHMS = 4096  # 16 KB: stays in the first-level cache
PART_SAMPLES = 32_768
WRITE_LINES = 8192
NAMES = tuple(f"C{k + 1}" for k in range(lines.TABLES))


class _Ids:
    """Turns keys [26, n] into row ids: numbered in order of appearance, or folded."""

    def __init__(self, max_ind_range: int) -> None:
        if max_ind_range > MAX_ROWS:
            raise HotrowError(f"max_ind_range is {max_ind_range}; at most 2^63 rows are possible")
        self._range = max_ind_range
        self._vocabularies = [Vocabulary() for _ in NAMES]

    def tables(self, keys: NDArray[np.uint32]) -> tuple[TableLookups, ...]:
        if self._range > 0:
            folded = keys if self._range >= 2**32 else keys % np.uint32(self._range)
            return tuple(TableLookups(name, self._range, row.copy()) for name, row in zip(NAMES, folded, strict=True))
        tables = []
        for name, vocabulary, row in zip(NAMES, self._vocabularies, keys, strict=True):
            numbers = vocabulary.number(row)
            tables.append(TableLookups(name, vocabulary.size, numbers))
        return tuple(tables)


def scan(path: Path, *, samples: int, max_ind_range: int = 0) -> Iterator[Trace]:
    """Yield parts of at most `samples` samples; memory grows with the distinct ids only, with max_ind_range not at all.

    max_ind_range: above 0, ids are keys modulo this and each table declares as many rows; else ids are numbered in
    order of first appearance. Raises HotrowError with the line, the field and the rule.
    """
    ids = _Ids(max_ind_range)
    room = min(samples, PART_SAMPLES)
    labels, dense = np.empty(room, np.float32), np.empty((room, lines.DENSE), np.float32)
    keys = np.empty((lines.TABLES, room), np.uint32)
    logs, nibbles = lines.logarithms(LOGARITHMS), lines.nibble_values()
    done = filled = 0

    def part() -> Trace:
        return Trace(ids.tables(keys[:, :filled]), dense=dense[:filled].copy(), label=labels[:filled].copy())

    for block in line_blocks(path):
        position, words = 0, lines.eight_bytes(block)
        while position < len(block):
            position, filled, code, field = lines.parse(
                block, words, position, filled, labels, dense, keys, logs, nibbles
            )
            if code != lines.FINE:
                line = bytes(block[position : position + (1 << 16)]).split(b"\n")[0]
                raise HotrowError(f"{path}, line {done + filled + 1}{_explained(line, code, field)}")
            if filled == room:
                yield part()
                done, filled = done + filled, 0
    if filled or not done:
        yield part()


def _explained(line: bytes, code: int, field: int) -> str:
    """What is wrong with a line, as the end of a message."""
    fields = line.rstrip(b"\r").split(b"\t")
    if len(fields) != lines.FIELDS:
        hint = "; is the label missing?" if len(fields) == lines.FIELDS - 1 else ""
        rule = f"a Criteo line has {lines.FIELDS}: label, 13 integers, 26 hexadecimal ids, parted by tabs"
        return f": {len(fields)} fields; {rule}{hint}"
    name = "label" if field == 0 else (f"I{field}" if field <= lines.DENSE else NAMES[field - 1 - lines.DENSE])
    text = fields[field] if len(fields[field]) <= 40 else fields[field][:40] + b"..."
    what = f", field {field + 1} ({name}): {text.decode('ascii', 'backslashreplace')!r}"
    if field > lines.DENSE:
        return f"{what}; an id is up to {lines.HEX_DIGITS} hexadecimal digits, or empty: correct or drop the line"
    if code == lines.LARGE_LABEL:
        return f"{what}; a label is a small integer, 0 or 1 as a rule: correct or drop the line"
    return f"{what}; it must be a whole number of up to {lines.DIGITS} digits, or empty: correct or drop the line"


def write(parts: Iterable[Trace], path: Path, *, lossy: bool = False) -> None:
    """Write the parts as lines; tables and dense columns that the trace lacks stay empty.

    Raises HotrowError for more than 26 tables or 13 dense columns, a label that is no integer and a dense value that
    is no logarithm of a count (with `lossy`, these are cut or rounded), and for an id of more than 8 digits.
    """
    out = np.empty(WRITE_LINES * lines.LINE_ROOM, np.uint8)
    with writing(path) as stream:
        for part in parts:
            columns = _columns(part, lossy)
            for start in range(0, part.samples, WRITE_LINES):
                labels, dense, ids = (column[..., start : start + WRITE_LINES] for column in columns)
                used = lines.encode(out, labels, dense.T, ids)
                stream.write(out[:used].data)


def _columns(part: Trace, lossy: bool) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Labels int64 [n] or [0], counts int64 [up to 13, n], ids int64 [up to 26, n]."""
    remedy = "write .parquet, or allow the loss with --lossy"
    if len(part.tables) > lines.TABLES and not lossy:
        raise HotrowError(f"{len(part.tables)} tables; a Criteo line holds {lines.TABLES}: {remedy}")
    ids = np.empty((min(len(part.tables), lines.TABLES), part.samples), np.int64)
    for row, table in zip(ids, part.tables, strict=False):
        row[:] = fixed_bags(table, 1, empty=-1)[:, 0]
        must_fit(table.name, row, 16**lines.HEX_DIGITS, f"has more than {lines.HEX_DIGITS} hexadecimal digits")
    labels = np.empty(0, np.int64)
    if part.label is not None:
        labels = np.rint(np.clip(part.label, -lines.MAX_LABEL, lines.MAX_LABEL)).astype(np.int64)
    if part.label is not None and not lossy:
        wrong = np.flatnonzero(labels != part.label)
        if len(wrong):
            s = int(wrong[0])
            raise SampleError("label", s, f"{part.label[s]} is not a small integer; {remedy}")
    dense = np.empty((part.samples, 0), np.float32) if part.dense is None else part.dense
    if dense.shape[1] > lines.DENSE and not lossy:
        raise HotrowError(f"{dense.shape[1]} dense features; a Criteo line holds {lines.DENSE}: {remedy}")
    dense = np.ascontiguousarray(dense[:, : lines.DENSE])
    counts = np.empty(dense.shape, np.int64)
    wrong_sample = lines.counts_of(dense, counts)
    if wrong_sample >= 0 and not lossy:
        raise SampleError("dense", wrong_sample, f"a value is not log(x + 1) of a whole number x; {remedy}")
    return labels, counts.T, ids


def _sniff(path: Path, head: bytes) -> bool:
    first, newline, _ = first_bytes(path, head).partition(b"\n")
    return bool(newline) and first.count(b"\t") == lines.FIELDS - 1


FORMAT = Format(
    name="criteo",
    summary="Criteo TSV: label, 13 integers, 26 hexadecimal ids",
    suffixes=tuple(base + compression for base in (".tsv", ".criteo") for compression in ("", *COMPRESSIONS)),
    holds=Holds(bags=False, rows=False, names=False, time=False, user=False),
    sniff=_sniff,
    scan=scan,
    write=write,
)
