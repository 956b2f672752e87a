"""The DLRM benchmark's trace: one line of row ids joined by ", ", or the ids as raw little-endian uint64.

It holds one table, one lookup per sample, nothing else. Ids are exact up to 2^63 − 1; the benchmark itself reads and
writes them through float64 and so corrupts those above 2^53. Format: facebookresearch/dlrm, Naumov et al.,
arXiv 1906.00091.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import HotrowError
from ...jit import kernel
from ..trace import Trace
from .flat import Rows, chosen_table, option
from .format import Format, Holds

BLOCK = 1 << 20  # bytes
LAYOUTS = ("", "text", "raw")
RAW_SUFFIX = ".u64"

COMMA, SPACE, NEWLINE, RETURN = 44, 32, 10, 13
START, DIGIT, AFTER, NEXT, END = range(5)  # of the line; in a number; after one; after a comma; of the line
FINE, ODD_BYTE, TOO_LARGE = range(3)


def scan(path: Path, *, samples: int, layout: str = "", renumber: bool = False) -> Iterator[Trace]:
    """Yield parts of at most `samples` ids.

    layout: "text" or "raw"; "" looks at the suffix (.u64 is raw) and the first bytes. renumber: row ids in order of
    first appearance, instead of the ids as they are. Raises HotrowError with the byte and the rule.
    """
    option("layout", layout, LAYOUTS)
    with path.open("rb") as file:
        head = file.read(64)
    is_text = layout == "text" or (layout == "" and path.suffix.lower() != RAW_SUFFIX and _looks_like_text(head))
    rows = Rows(renumber)
    done = 0
    for ids in _text(path, samples) if is_text else _raw(path, samples):
        yield Trace((rows.table(ids),))
        done += len(ids)
    if not done:
        yield Trace((rows.table(np.empty(0, np.uint64)),))


def _raw(path: Path, samples: int) -> Iterator[NDArray[np.uint64]]:
    size = path.stat().st_size
    if size % 8:
        raise HotrowError(f"{path}: {size} bytes; raw ids have 8 bytes each: is it cut off, or text (layout text)?")
    with path.open("rb") as file:
        while data := file.read(8 * samples):
            yield np.frombuffer(bytearray(data), "<u8")


def _text(path: Path, samples: int) -> Iterator[NDArray[np.uint64]]:
    """Ids of a text trace in arrays of `samples`, the last one shorter."""
    ids = np.empty(min(samples, BLOCK), np.uint64)
    state, value, filled, offset = START, 0, 0, 0
    with path.open("rb") as file:
        while data := file.read(BLOCK):
            block = np.frombuffer(data, np.uint8)
            position = 0
            while position < len(block):
                position, state, value, filled, code = _parse(block, position, state, np.uint64(value), ids, filled)
                if code != FINE:
                    raise HotrowError(f"{path}, byte {offset + position}: {_explained(data, position, state, code)}")
                if filled == len(ids):
                    yield ids.copy()
                    filled = 0
            offset += len(block)
    if state == NEXT:
        raise HotrowError(f"{path}, byte {offset}: ends after a comma; is the file cut off?")
    if state == DIGIT:
        ids[filled] = value
        filled += 1
    if filled:
        yield ids[:filled].copy()


def _explained(data: bytes, position: int, state: int, code: int) -> str:
    if code == TOO_LARGE:
        return "an id of 2^64 or above; ids have 64 bits"
    if state == END:
        return "a second line; a trace is one line of ids (three lines are a distribution, not a trace)"
    return f"{data[position : position + 1]!r}; a trace is one line of ids joined by ', ', or raw uint64 (layout raw)"


@kernel
def _parse(block: Any, position: int, state: int, value: Any, ids: Any, filled: int) -> tuple[int, int, Any, int, int]:
    """Read ids into `ids` from place `filled` on; stop where it is full or a rule is broken.

    state and value carry a number over the end of a block. Returns position, state, value, filled and FINE or what
    is wrong with the byte at this position.
    """
    most = np.uint64(0xFFFFFFFFFFFFFFFF)
    ten = np.uint64(10)
    for at in range(position, len(block)):
        byte = np.int64(block[at])
        if 48 <= byte <= 57 and state != AFTER and state != END:
            digit = np.uint64(byte - 48)
            if state == DIGIT:
                if value > (most - digit) // ten:
                    return at, state, value, filled, TOO_LARGE
                value = value * ten + digit
            else:
                state, value = DIGIT, digit
            continue
        is_end = byte in (NEWLINE, RETURN)
        if byte == SPACE or (is_end and state in (START, END)):
            after = AFTER if state == DIGIT else (END if is_end else state)
        elif (byte == COMMA or is_end) and state in (DIGIT, AFTER):
            after = NEXT if byte == COMMA else END
        else:
            return at, state, value, filled, ODD_BYTE
        if state == DIGIT:
            ids[filled] = value
            filled += 1
        state = after
        if filled == len(ids):
            return at + 1, state, value, filled, FINE
    return len(block), state, value, filled, FINE


def write(parts: Iterable[Trace], path: Path, *, lossy: bool = False, layout: str = "", table: str = "") -> None:
    """Write the ids of one table, in order; with `lossy`, bags are strung together.

    layout: "text" or "raw"; "" is raw for the suffix .u64, else text. table: which one of several; the first if "".
    """
    option("layout", layout, LAYOUTS)
    is_raw = layout == "raw" or (layout == "" and path.suffix.lower() == RAW_SUFFIX)
    with path.open("wb") as file:
        separator = b""
        for part in parts:
            ids = chosen_table(part, table).indices
            if is_raw:
                file.write(ids.astype("<i8").data)
            elif len(ids):
                file.write(separator + ", ".join(map(str, ids.tolist())).encode())
                separator = b", "
        if not is_raw:
            file.write(b"\n")


def _looks_like_text(head: bytes) -> bool:
    return all(byte in b"0123456789, \r\n" for byte in head)


def _sniff(path: Path, head: bytes) -> bool:
    if path.suffix.lower() == RAW_SUFFIX:
        return True
    line, _, rest = head.partition(b"\n")
    return b", " in line and not rest.strip() and _looks_like_text(head)


FORMAT = Format(
    name="benchmark_trace",
    summary='the DLRM benchmark\'s trace: ids joined by ", ", or raw uint64',
    suffixes=(".log", ".txt", RAW_SUFFIX),
    holds=Holds(tables=False, bags=False, rows=False, names=False, time=False, user=False, dense=False, label=False),
    sniff=_sniff,
    scan=scan,
    write=write,
    samples=lambda path: path.stat().st_size // 8 if path.suffix.lower() == RAW_SUFFIX else None,
)
