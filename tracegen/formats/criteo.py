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

import numpy as np
from numpy.typing import NDArray

from ... import HotrowError
from ..trace import MAX_ROWS, TableLookups, Trace
from ..vocabulary import Vocabulary
from . import criteo_lines as lines
from .criteo_columns import NAMES, TEXT, columns_of
from .format import Format, Holds
from .streams import COMPRESSIONS, first_bytes, line_blocks, writing

PART_SAMPLES = 32_768
WRITE_LINES = 8192


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
    logs, nibbles = lines.logarithms(lines.LOGARITHMS), lines.nibble_values()
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
    """Write the parts as lines; tables and dense columns that the trace lacks stay empty, as do empty bags.

    Raises HotrowError as columns_of, for an id of more than 8 digits too.
    """
    out = np.empty(WRITE_LINES * lines.LINE_ROOM, np.uint8)
    with writing(path) as stream:
        for part in parts:
            columns = columns_of(part, lossy, TEXT, empty=-1)
            for start in range(0, part.samples, WRITE_LINES):
                some = slice(start, start + WRITE_LINES)
                used = lines.encode(out, columns.labels[some], columns.counts[some], columns.ids[:, some])
                stream.write(out[:used].data)


def samples_in(path: Path) -> int | None:
    """About how many lines, by the length of the first ones; None where the file is compressed."""
    if path.suffix in COMPRESSIONS:
        return None
    with path.open("rb") as file:
        head = file.read(2**20)
    return path.stat().st_size * max(head.count(b"\n"), 1) // max(len(head), 1)


def _sniff(path: Path, head: bytes) -> bool:
    first, newline, _ = first_bytes(path, head).partition(b"\n")
    fields = first.split(b"\t")
    looks_damaged = abs(len(fields) - lines.FIELDS) <= 1 and fields[0] in (
        b"",
        b"0",
        b"1",
    )  # reading says what is wrong
    return bool(newline) and (len(fields) == lines.FIELDS or looks_damaged)


FORMAT = Format(
    name="criteo",
    summary="Criteo TSV: label, 13 integers, 26 hexadecimal ids",
    suffixes=tuple(base + compression for base in (".tsv", ".criteo") for compression in ("", *COMPRESSIONS)),
    holds=Holds(bags=False, rows=False, names=False, time=False, user=False),
    sniff=_sniff,
    scan=scan,
    write=write,
    samples=samples_in,
)
