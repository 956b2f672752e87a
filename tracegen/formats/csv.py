"""CSV and TSV with a column mapping, plain, gzip or zstd: which columns are ids, bags, dense, label, time and user.

What we write names its columns so that it needs no mapping: a table's own name, bag:NAME for bags, table:NAME where a
name would be taken for another column, dense_0, dense_1, …, label, time, user.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import HotrowError
from ..trace import SampleError, TableLookups, Trace
from .format import PART_LOOKUPS, Format, Holds
from .streams import COMPRESSIONS, first_bytes, reading, writing

TABLE, BAG = "table:", "bag:"
DENSE = re.compile(r"dense_\d+")
BLOCK = 1 << 22  # bytes
HEAD = 1 << 16
SUFFIXES = tuple(base + end for base in (".csv", ".tsv", ".tab") for end in ("", *COMPRESSIONS))


@dataclass
class _Table:
    """A table on its way in; `seen` numbers its ids in order of appearance, None keeps them as they are."""

    name: str
    column: str
    is_bag: bool
    seen: dict[str, int] | None
    rows: int = 0

    def number(self, texts: Any) -> NDArray[np.int64]:
        """Row ids of an Arrow array of strings; ArrowInvalid where one is no integer."""
        import pyarrow as pa

        if self.seen is None:
            ids: NDArray[np.int64] = texts.cast(pa.int64()).to_numpy(zero_copy_only=False)
            self.rows = max(self.rows, int(ids.max()) + 1 if len(ids) else 0)
            return ids
        coded = texts.dictionary_encode()
        numbers = [self.seen.setdefault(key, len(self.seen)) for key in coded.dictionary.to_pylist()]
        self.rows = len(self.seen)
        known = np.array(numbers, np.int64)
        coded_ids: NDArray[np.int64] = known[coded.indices.to_numpy()]
        return coded_ids


@dataclass
class _Mapping:
    tables: list[_Table]
    dense: list[str]
    single: dict[str, str] = field(default_factory=dict)  # label, time, user: column
    time_is_whole: bool | None = None  # known from the first part


def scan(
    path: Path,
    *,
    samples: int,
    ids: str = "",
    bags: str = "",
    dense: str = "",
    label: str = "label",
    time: str = "time",
    user: str = "user",
    separator: str = "",
    bag_separator: str = "|",
    header: bool = True,
    renumber: bool = False,
) -> Iterator[Trace]:
    """Yield parts of at most `samples` lines.

    ids, bags, dense: columns parted by commas, by name, or by number from 0 without a header; if ids and bags are
    "", every column without another meaning is a table. label, time, user: a column each, where it exists.
    separator: "" is a tab for .tsv and .tab, else a comma. renumber: ids are any text, numbered in order of
    appearance. Raises HotrowError with the line, the column and the rule.
    """
    separator = _separator(path, separator, bag_separator)
    names = _names(path, separator, header)
    mapping = _mapping(path, names, (ids, bags, dense, label, time, user), renumber)
    done = 0
    for batch in _batches(path, names, mapping, separator, header):
        step = max(1, min(samples, PART_LOOKUPS // max(len(mapping.tables), 1)))
        for start in range(0, batch.num_rows, step):
            part = _part(batch.slice(start, step), mapping, bag_separator)
            done += part.samples
            yield part
    if not done:
        import pyarrow as pa

        empty = pa.record_batch([pa.array([], kind) for kind in _kinds(mapping).values()], list(_kinds(mapping)))
        yield _part(empty, mapping, bag_separator)


def _separator(path: Path, separator: str, bag_separator: str) -> str:
    if not separator:
        separator = "\t" if ".tsv" in path.suffixes or ".tab" in path.suffixes else ","
    separator = {"\\t": "\t", "tab": "\t"}.get(separator, separator)
    if len(separator) != 1 or not bag_separator or separator in bag_separator:
        rule = "the first is one character, the second another text"
        raise HotrowError(f"separator {separator!r} and bag_separator {bag_separator!r}; {rule}")
    return separator


def _names(path: Path, separator: str, header: bool) -> list[str]:
    """The columns' names: from the first line, or their numbers."""
    with path.open("rb") as file:
        head = first_bytes(path, file.read(HEAD), HEAD)
    if b"\0" in head:
        raise HotrowError(f"{path}, line 1: holds binary data; this is no text")
    try:
        first = head.split(b"\n", 1)[0].decode("utf-8-sig").rstrip("\r")
    except UnicodeDecodeError as error:
        raise HotrowError(f"{path}, line 1: not UTF-8 ({error.reason}); convert the file to UTF-8") from error
    names = next(csv.reader([first], delimiter=separator), [])
    if not header:
        return [str(k) for k in range(len(names))]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise HotrowError(f"{path}, line 1: column {twice[0]!r} stands twice; names must be unique")
    return names


def _mapping(path: Path, names: list[str], chosen: tuple[str, ...], renumber: bool) -> _Mapping:
    ids, bags, dense = ([name.strip() for name in text.split(",")] if text else [] for text in chosen[:3])
    for name in (*ids, *bags, *dense):
        if name not in names:
            raise HotrowError(f"{path}: no column {name!r}; there are {', '.join(names[:20])}")
    single = {role: name for role, name in zip(("label", "time", "user"), chosen[3:], strict=True) if name in names}
    single = {role: name for role, name in single.items() if name not in (*ids, *bags, *dense)}
    dense = dense or [name for name in names if DENSE.fullmatch(name) and name not in (*ids, *bags)]
    if not ids and not bags:
        others = [name for name in names if name not in (*dense, *single.values())]
        ids, bags = [n for n in others if not n.startswith(BAG)], [n for n in others if n.startswith(BAG)]
    tables = [
        _Table(name.removeprefix(BAG if name in bags else TABLE), name, name in bags, {} if renumber else None)
        for name in names
        if name in ids or name in bags
    ]
    if not tables:
        raise HotrowError(f"{path}: no column of ids; name them with the option ids")
    return _Mapping(tables, dense, single)


def _kinds(mapping: _Mapping) -> dict[str, Any]:
    """The Arrow type of every column in use."""
    import pyarrow as pa

    kinds = {t.column: pa.string() if t.is_bag or t.seen is not None else pa.int64() for t in mapping.tables}
    kinds |= dict.fromkeys(mapping.dense, pa.float32())
    roles = {"label": pa.float32(), "time": pa.string(), "user": pa.int64()}
    return kinds | {name: roles[role] for role, name in mapping.single.items()}


def _batches(path: Path, names: list[str], mapping: _Mapping, separator: str, header: bool) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.csv as pc

    kinds = _kinds(mapping)
    try:
        with reading(path) as stream:
            reader = pc.open_csv(
                stream,
                pc.ReadOptions(use_threads=False, block_size=BLOCK, column_names=names, skip_rows=int(header)),
                pc.ParseOptions(delimiter=separator, ignore_empty_lines=len(names) > 1),
                pc.ConvertOptions(column_types=kinds, include_columns=list(kinds), null_values=[], check_utf8=True),
            )
            yield from reader
    except pa.ArrowInvalid as error:
        if "Empty CSV file" in str(error):
            return
        raise HotrowError(f"{path}{_explained(str(error), names)}") from error


def _explained(message: str, names: list[str]) -> str:
    """Arrow's complaint in our words."""
    row = re.search(r"Row #(\d+)", message)
    line = f", line {row[1]}" if row else ""
    column = re.search(r"column #(\d+)", message)
    place = f", column {names[int(column[1])]!r}" if column else ""
    if wrong := re.search(r"conversion error to (\w+): invalid value (.*)", message):
        return f"{line}{place}: {wrong[2]} is no {wrong[1]}; correct it, or number text ids with renumber"
    if count := re.search(r"Expected (\d+) columns, got (\d+)", message):
        return f"{line}: {count[2]} fields; the first line has {count[1]}: correct or drop the line"
    return f"{line}{place}: {message.partition(chr(10))[0]}"


def _part(batch: Any, mapping: _Mapping, bag_separator: str) -> Trace:
    tables = tuple(_lookups(batch.column(table.column), table, bag_separator) for table in mapping.tables)
    values: dict[str, Any] = {}
    for role, name in mapping.single.items():
        column = batch.column(name)
        values[role] = _time(column, mapping) if role == "time" else column.to_numpy(zero_copy_only=False)
    if mapping.dense:
        columns = [batch.column(name).to_numpy(zero_copy_only=False) for name in mapping.dense]
        values["dense"] = np.stack(columns, axis=1)
    return Trace(tables, **values)


def _time(column: Any, mapping: _Mapping) -> NDArray[Any]:
    """Times as integers if the first part's all are, else as float64; SampleError where one is neither."""
    import pyarrow as pa

    if mapping.time_is_whole is None:
        mapping.time_is_whole = all(re.fullmatch(r"-?\d+", text) for text in column.to_pylist())
    try:
        times: NDArray[Any] = column.cast(pa.int64() if mapping.time_is_whole else pa.float64()).to_numpy()
    except pa.ArrowInvalid as error:
        kind = "whole number, as those before are" if mapping.time_is_whole else "number"
        rule = f"is no {kind}"
        raise _at_first(column, "time", rule, int if mapping.time_is_whole else float) from error
    return times


def _at_first(texts: Any, name: str, rule: str, kind: type) -> SampleError:
    """The error about the first of `texts` that is not of this kind."""
    for sample, text in enumerate(texts.to_pylist()):
        try:
            kind(text)
        except ValueError:
            return SampleError(f"column {name!r}", sample, f"{text!r} {rule}; correct the line")
    return SampleError(f"column {name!r}", 0, f"a value here or below {rule}; correct the line")


def _lookups(column: Any, table: _Table, bag_separator: str) -> TableLookups:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not table.is_bag:
        numbers = table.number(column)
        return TableLookups(table.name, table.rows, numbers)
    pieces = pc.split_pattern(column, bag_separator)
    starts = pieces.offsets.to_numpy()
    is_empty = pc.equal(column, "").to_numpy(zero_copy_only=False)
    sizes = np.where(is_empty, 0, np.diff(starts))
    keep = np.ones(starts[-1] - starts[0], bool)
    keep[(starts[:-1] - starts[0])[is_empty]] = False
    offsets = np.concatenate(([0], np.cumsum(sizes, dtype=np.int64)))
    texts = pieces.flatten().filter(pa.array(keep))
    try:
        numbers = table.number(texts)
    except pa.ArrowInvalid as error:
        wrong = _at_first(texts, table.column, "is no row id", int)
        sample = int(np.searchsorted(offsets, wrong.sample, "right")) - 1
        raise SampleError(wrong.where, sample, wrong.problem) from error
    return TableLookups(table.name, table.rows, numbers, offsets)


def write(
    parts: Iterable[Trace], path: Path, *, lossy: bool = False, separator: str = "", bag_separator: str = "|"
) -> None:
    """Write the parts under a line of column names; separators as in scan. Names must not hold a line break."""
    import pyarrow as pa
    import pyarrow.csv as pc

    separator = _separator(path, separator, bag_separator)
    writer = None
    with writing(path) as stream:
        try:
            for part in parts:
                rows = pa.table(_columns(part, bag_separator))
                if writer is None:
                    options = pc.WriteOptions(delimiter=separator, quoting_style="needed")
                    writer = pc.CSVWriter(stream, rows.schema, write_options=options)
                writer.write_table(rows)
        finally:
            if writer is not None:
                writer.close()


def _columns(part: Trace, bag_separator: str) -> dict[str, Any]:
    import pyarrow as pa
    import pyarrow.compute as pc

    columns: dict[str, Any] = {}
    for table in part.tables:
        if "\n" in table.name or "\r" in table.name:
            raise HotrowError(f"table {table.name!r}: its name holds a line break; write .parquet")
        ids = pa.array(table.indices)
        if table.offsets is None:
            columns[_column_name(table.name)] = ids
        else:
            lists = pa.LargeListArray.from_arrays(pa.array(table.offsets), ids.cast(pa.string()))
            columns[BAG + table.name] = pc.binary_join(lists, bag_separator)
    if part.dense is not None:
        columns |= {f"dense_{k}": pa.array(values) for k, values in enumerate(part.dense.T.copy())}
    if part.label is not None:
        columns["label"] = pa.array(part.label)
    if part.time is not None:
        times = pa.array(part.time)
        if part.time.dtype.kind == "f":  # 1.0 is written as 1, which would come back as an integer
            times = times.cast(pa.string())
            is_whole = pc.match_substring_regex(times, r"^-?\d+$")
            times = pc.if_else(is_whole, pc.binary_join_element_wise(times, ".0", ""), times)
        columns["time"] = times
    if part.user is not None:
        columns["user"] = pa.array(part.user)
    return columns


def _column_name(table: str) -> str:
    taken = table in ("label", "time", "user") or DENSE.fullmatch(table) or table.startswith((TABLE, BAG))
    return TABLE + table if taken else table


def _sniff(path: Path, head: bytes) -> bool:
    first = first_bytes(path, head) if path.name.lower().endswith(SUFFIXES) else b""
    return bool(first) and b"\0" not in first


FORMAT = Format(
    name="csv",
    summary="CSV or TSV with a column mapping",
    suffixes=SUFFIXES,
    holds=Holds(rows=False),
    sniff=_sniff,
    scan=scan,
    write=write,
)
