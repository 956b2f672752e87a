"""Address traces: a trace's memory accesses as text for hardware simulators."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import HotrowError
from ...atomic import replacing
from ...jit import kernel
from ...progress import Advance, ignore
from ...tracegen import files
from ...tracegen.trace import Trace
from .checks import checked_line
from .layout import Layout
from .line_words import line_words

_LINES = 2**18  # of text, formatted together
_DIGITS = 16  # hexadecimal ones of an address, at most


@dataclass(frozen=True)
class AddressFormat:
    """What stands before an address, in hexadecimal digits, that is read or written; one access per line of text."""

    read: bytes
    write: bytes


FORMATS = {
    "din": AddressFormat(b"0 ", b"1 "),  # Dinero IV, traditional input: label, address
    "ramulator2": AddressFormat(b"LD 0x", b"ST 0x"),  # Ramulator 2, frontend LoadStoreTrace
}


@dataclass(frozen=True)
class Converted:
    """What a file of addresses was made of, and how many addresses it has."""

    samples: int
    lookups: int
    addresses: int


def convert_to_addresses(
    source: str | Path,
    target: str | Path,
    format: str = "din",
    row_bytes: int | Sequence[int] | Mapping[str, int] = 256,
    update_every: int | None = None,
    *,
    source_format: str | None = None,
    options: Mapping[str, Any] | None = None,
    advance: Advance = ignore,
) -> Converted:
    """Write the address trace of the trace in a file, in bounded memory.

    The source is read twice, for some formats know the declared rows only at their end; advance: called with the
    samples of each part, both times. Tables lie as Layout.of_rows puts them. source_format, options: as files.scan
    takes them. The rest and the errors as for write_address_trace.
    """

    def parts() -> Iterator[Trace]:
        for part in files.scan(source, source_format, **(options or {})):
            yield part
            advance(part.samples)

    samples = lookups = 0
    layout = Layout(())
    for part in parts():
        samples += part.samples
        lookups += part.accesses
        layout = Layout.of_rows(part, row_bytes)
    addresses = write_address_trace(parts(), layout, target, format, update_every=update_every)
    return Converted(samples, lookups, addresses)


def write_address_trace(
    trace: Trace | Iterable[Trace],
    layout: Layout,
    path: str | Path,
    format: str = "din",
    *,
    line_bytes: int = 64,
    update_every: int | None = None,
) -> int:
    """Write the first address of every cache line that a trace's lookups touch, in order; how many that are.

    trace: whole, or its parts in order; about 2^18 accesses are in memory at a time. Order and updates as
    line_words says. A trace without lookups gives an empty file. The file is there whole or not at all.
    Raises HotrowError for an unknown format, for a table or a row without a place, and where `path` cannot be written.
    """
    if format not in FORMATS:
        raise HotrowError(f"unknown address format {format!r}; known are {', '.join(FORMATS)}")
    shift = checked_line(line_bytes, "lines")
    read, write = (np.frombuffer(each, np.uint8) for each in (FORMATS[format].read, FORMATS[format].write))
    room = np.empty(_LINES * (max(len(read), len(write)) + _DIGITS + 1), np.uint8)
    accesses = 0
    with replacing(path) as beside, beside.open("wb") as file:
        for words in line_words(trace, layout, line_bytes, update_every):
            accesses += len(words)
            for start in range(0, len(words), _LINES):
                length = _format(words[start : start + _LINES], shift, read, write, room)
                file.write(room[:length].data)
    return accesses


@kernel
def _format(
    words: NDArray[np.int64],
    shift: int,
    read: NDArray[np.uint8],
    write: NDArray[np.uint8],
    text: NDArray[np.uint8],
) -> int:
    """Put the text of `words` (line × 2 + write) at the start of `text`; its length."""
    end = 0
    for word in words:
        for byte in write if word & 1 else read:
            text[end] = byte
            end += 1
        address = (word >> 1) << shift
        digits = 1
        while digits < _DIGITS and address >> (4 * digits):
            digits += 1
        for place in range(digits - 1, -1, -1):
            digit = (address >> (4 * place)) & 15
            text[end] = digit + (48 if digit < 10 else 87)  # "0" or, for ten, "a"
            end += 1
        text[end] = 10  # the end of the line
        end += 1
    return end
