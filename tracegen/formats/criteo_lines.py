"""Criteo lines: bytes to numbers and back, compiled.

A line is a label, 13 integers and 26 hexadecimal ids, parted by tabs; any field may be empty.
"""

import math
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from ...jit import kernel

DENSE = 13
TABLES = 26
FIELDS = 1 + DENSE + TABLES
DIGITS = 18  # decimal digits that surely fit an int64
MAX_COUNT = 10**DIGITS - 1
HEX_DIGITS = 8
LOGARITHMS = 4096  # looked up: 16 KB stay in the first-level cache
MAX_LABEL = 2**24  # float32 holds every integer up to here
LINE_ROOM = (1 + DENSE) * 21 + TABLES * (HEX_DIGITS + 1)  # bytes of the longest line written

FINE, BROKEN, LARGE_LABEL = range(3)
TAB, NEWLINE, RETURN, MINUS = 9, 10, 13, 45


@kernel
def dense_of(count: Any) -> float:
    """The benchmark's dense feature: log(x + 1), 0 for negative x; rounded to float32 by its user."""
    return math.log1p(float(count)) if count > 0 else 0.0


@kernel
def logarithms(count: int) -> NDArray[np.float32]:
    """dense_of(0 … count − 1), looked up for small counts, which are most."""
    values = np.empty(count, np.float32)
    for x in range(count):
        values[x] = dense_of(x)
    return values


@kernel
def features_of(counts: Any, logs: Any, dense: Any) -> None:
    """Write the dense features of `counts` [n, k] to `dense`; logs are logarithms(…)."""
    for sample in range(counts.shape[0]):
        for column in range(counts.shape[1]):
            count = counts[sample, column]
            dense[sample, column] = logs[count] if 0 <= count < len(logs) else dense_of(count)


@kernel
def counts_of(dense: Any, counts: Any, limit: int) -> int:
    """Write the counts that `dense` [n, k] comes from to `counts`; return the first sample with none, or −1.

    Where there is none up to `limit`, the nearest one is written.
    """
    first = -1
    for sample in range(dense.shape[0]):
        for column in range(dense.shape[1]):
            value = dense[sample, column]
            nearest = math.expm1(min(max(float(value), 0.0), 50.0))
            count = np.int64(round(nearest)) if nearest < limit else np.int64(limit)
            counts[sample, column] = count
            if first < 0 and np.float32(dense_of(count)) != value:
                first = sample
    return first


def eight_bytes(data: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Every eight consecutive bytes of `data` as one little-endian word, a view [max(0, n − 7)]."""
    if len(data) < HEX_DIGITS:
        return np.empty(0, np.uint64)
    return as_strided(data[:HEX_DIGITS].view("<u8"), (len(data) - HEX_DIGITS + 1,), (1,))


def _in_every_byte(value: int) -> np.uint64:
    return np.uint64(value * 0x0101010101010101)


HIGH, LOW, ONE = _in_every_byte(0x80), _in_every_byte(0x0F), _in_every_byte(0x01)
ZERO, LOWER, BEFORE_A = _in_every_byte(ord("0")), _in_every_byte(0x20), _in_every_byte(ord("a") - 1)
ABOVE_9, ABOVE_6, ABOVE_0 = _in_every_byte(0x80 - 10), _in_every_byte(0x80 - 7), _in_every_byte(0x80 - 1)
EVEN_BYTES, EVEN_PAIRS, HALF = np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0000FFFF0000FFFF), np.uint64(0xFFFFFFFF)
S4, S6, S8, S16, S32, NINE = (np.uint64(k) for k in (4, 6, 8, 16, 32, 9))


@kernel
def _all_hexadecimal(word: Any) -> bool:
    """Whether all eight bytes are hexadecimal digits: per byte, adding 0x80 − k sets the high bit from k on."""
    no_digit = (word ^ ZERO) + ABOVE_9
    letter = (word | LOWER) ^ BEFORE_A  # 1 to 6 for a to f
    no_letter = (letter + ABOVE_6) | ~(letter + ABOVE_0)
    return bool(((no_digit & no_letter) | word) & HIGH == np.uint64(0))


@kernel
def _hexadecimal(word: Any) -> Any:
    """The number that eight hexadecimal digits spell; the first byte is the highest digit."""
    digits = (word & LOW) + ((word >> S6) & ONE) * NINE
    digits = ((digits << S4) | (digits >> S8)) & EVEN_BYTES
    digits = ((digits << S8) | (digits >> S16)) & EVEN_PAIRS
    return np.int64(((digits << S16) | (digits >> S32)) & HALF)


@kernel
def parse(
    data: Any, words: Any, position: int, filled: int, labels: Any, dense: Any, keys: Any, logs: Any, nibbles: Any
) -> tuple[int, int, int, int]:
    """Read lines of `data` from `position` on into row `filled` … of labels [n], dense [n, 13] and keys [26, n].

    `data` ends with a newline; words are eight_bytes(data). Stops where the arrays are full.
    Returns the next position, the rows filled, and FINE, or what is wrong with the line at this position and the first
    field that shows it (0 is the label).
    """
    while position < len(data) and filled < len(labels):
        at = position
        for field in range(1 + DENSE):
            negative = data[at] == MINUS
            if negative:
                at += 1
            start = at
            value = np.int64(0)
            digit = np.int64(data[at]) - 48
            while 0 <= digit <= 9 and at - start <= DIGITS:
                value = value * 10 + digit
                at += 1
                digit = np.int64(data[at]) - 48
            if data[at] != TAB or at - start > DIGITS or (negative and at == start):
                return position, filled, BROKEN, field
            at += 1
            if field == 0:
                value = -value if negative else value
                if abs(value) > MAX_LABEL:
                    return position, filled, LARGE_LABEL, field
                labels[filled] = value
            elif negative:
                dense[filled, field - 1] = 0.0
            elif value < len(logs):
                dense[filled, field - 1] = logs[value]
            else:
                dense[filled, field - 1] = dense_of(value)
        for table in range(TABLES):
            start = at
            key = np.int64(0)
            if at < len(words):  # nearly every id has all its digits: take them at once
                word = words[at]
                if _all_hexadecimal(word):
                    key = _hexadecimal(word)
                    at += HEX_DIGITS
            nibble = np.int64(nibbles[data[at]])
            while nibble >= 0 and at - start <= HEX_DIGITS:
                key = (key << 4) | nibble
                at += 1
                nibble = np.int64(nibbles[data[at]])
            long = at - start > HEX_DIGITS
            if data[at] == RETURN and data[at + 1] == NEWLINE:
                at += 1
            if data[at] != (TAB if table < TABLES - 1 else NEWLINE) or long:
                return position, filled, BROKEN, 1 + DENSE + table
            at += 1
            keys[table, filled] = key
        position = at
        filled += 1
    return position, filled, FINE, 0


def nibble_values() -> NDArray[np.int8]:
    """The value of every byte as a hexadecimal digit, −1 where it is none."""
    values = np.full(256, -1, np.int8)
    for base in ("0123456789abcdef", "0123456789ABCDEF"):
        values[np.frombuffer(base.encode(), np.uint8)] = np.arange(16)
    return values


@kernel
def encode(out: Any, labels: Any, dense: Any, ids: Any) -> int:
    """Write lines to `out`; return the bytes used.

    labels: int64 [n] or [0] for none. dense: int64 [n, up to 13]. ids: int64 [up to 26, n], −1 for an empty field.
    """
    at = 0
    for sample in range(ids.shape[1]):
        if len(labels):
            at = _decimal(out, at, labels[sample])
        for column in range(DENSE):
            out[at] = TAB
            at += 1
            if column < dense.shape[1]:
                at = _decimal(out, at, dense[sample, column])
        for table in range(TABLES):
            out[at] = TAB
            at += 1
            if table < ids.shape[0] and ids[table, sample] >= 0:
                for digit in range(HEX_DIGITS):
                    nibble = (ids[table, sample] >> (4 * (HEX_DIGITS - 1 - digit))) & 15
                    out[at] = nibble + (48 if nibble < 10 else 87)
                    at += 1
        out[at] = NEWLINE
        at += 1
    return at


@kernel
def _decimal(out: Any, at: int, value: int) -> int:
    if value < 0:
        out[at] = MINUS
        at += 1
        value = -value
    power = np.int64(1)
    while value // power >= 10:
        power *= 10
    while power > 0:
        out[at] = 48 + value // power % 10
        at += 1
        power //= 10
    return at
