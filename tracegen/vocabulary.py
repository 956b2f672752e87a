"""Vocabulary: numbers keys in the order in which they first come, in bounded memory."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import HotrowError
from ..jit import kernel

MAX_KEYS = 2**31 - 1  # row ids are int32
FIRST_BITS = 10


class Vocabulary:
    """Distinct 32-bit keys with their numbers 0, 1, … in order of first appearance.

    An open-addressing hash table with linear probing, 8 bytes per slot and at most three quarters full: 11 to 21
    bytes per distinct key, 32 in the moment in which it grows.
    """

    def __init__(self) -> None:
        self._bits = FIRST_BITS
        self._slots = np.zeros(1 << FIRST_BITS, np.int64)
        self.size = 0

    def number(self, keys: NDArray[np.uint32]) -> NDArray[np.int32]:
        """The number of each key, int32 [keys]; a key not seen before gets the next one."""
        numbers = np.empty(len(keys), np.int32)
        done = 0
        while True:
            done, self.size = _number(keys, done, self._slots, self._bits, self.size, numbers)
            if done == len(keys):
                return numbers
            if self.size >= MAX_KEYS:
                raise HotrowError(f"more than {MAX_KEYS} distinct ids in one field; fold them with max_ind_range")
            self._bits += 1
            grown = np.zeros(1 << self._bits, np.int64)
            _rehash(self._slots, grown, self._bits)
            self._slots = grown


class WideVocabulary:
    """Distinct 64-bit keys with their numbers in order of first appearance, as Vocabulary; 16 to 32 bytes per key."""

    def __init__(self) -> None:
        self._bits = FIRST_BITS
        self._keys = np.zeros(1 << FIRST_BITS, np.int64)
        self._ends = np.zeros(1 << FIRST_BITS, np.int32)  # a key's number + 1, 0 where the slot is free
        self.size = 0

    def number(self, keys: NDArray[np.int64]) -> NDArray[np.int32]:
        """The number of each key, int32 [keys]; a key not seen before gets the next one."""
        numbers = np.empty(len(keys), np.int32)
        done = 0
        while True:
            done, self.size = _number_wide(keys, done, self._keys, self._ends, self._bits, self.size, numbers)
            if done == len(keys):
                return numbers
            if self.size >= MAX_KEYS:
                raise HotrowError(f"more than {MAX_KEYS} distinct ids in one field")
            self._bits += 1
            grown, ends = np.zeros(1 << self._bits, np.int64), np.zeros(1 << self._bits, np.int32)
            _rehash_wide(self._keys, self._ends, grown, ends, self._bits)
            self._keys, self._ends = grown, ends


@kernel
def _place(key: Any, bits: int) -> Any:
    """Multiplicative hashing (Knuth, TAOCP 3, 6.4): the top bits of key · odd constant mod 2^32."""
    return ((key * 1540483477) & 0xFFFFFFFF) >> (32 - bits)


@kernel
def _number(keys: Any, done: int, slots: Any, bits: int, size: int, numbers: Any) -> tuple[int, int]:
    """Number keys from position `done` on; stop where a new key finds the table three quarters full."""
    mask = len(slots) - 1
    room = min(len(slots) // 4 * 3, MAX_KEYS)
    for position in range(done, len(keys)):
        key = np.int64(keys[position])
        place = _place(key, bits)
        slot = slots[place]
        while slot != 0 and slot & 0xFFFFFFFF != key:
            place = (place + 1) & mask
            slot = slots[place]
        if slot == 0:
            if size >= room:
                return position, size
            size += 1
            slot = (np.int64(size) << 32) | key
            slots[place] = slot
        numbers[position] = (slot >> 32) - 1
    return len(keys), size


@kernel
def _rehash(slots: Any, grown: Any, bits: int) -> None:
    mask = len(grown) - 1
    for slot in slots:
        if slot != 0:
            place = _place(slot & 0xFFFFFFFF, bits)
            while grown[place] != 0:
                place = (place + 1) & mask
            grown[place] = slot


@kernel
def _place_wide(key: Any, bits: int) -> Any:
    """As _place, of the key's two halves folded by another odd constant."""
    low, high = key & 0xFFFFFFFF, (key >> 32) & 0xFFFFFFFF
    return _place((low + ((high * 1103515245) & 0xFFFFFFFF)) & 0xFFFFFFFF, bits)


@kernel
def _number_wide(keys: Any, done: int, slots: Any, ends: Any, bits: int, size: int, numbers: Any) -> tuple[int, int]:
    """As _number, with a key's number + 1 beside it."""
    mask = len(slots) - 1
    room = min(len(slots) // 4 * 3, MAX_KEYS)
    for position in range(done, len(keys)):
        key = keys[position]
        place = _place_wide(key, bits)
        while ends[place] != 0 and slots[place] != key:
            place = (place + 1) & mask
        if ends[place] == 0:
            if size >= room:
                return position, size
            size += 1
            slots[place] = key
            ends[place] = size
        numbers[position] = ends[place] - 1
    return len(keys), size


@kernel
def _rehash_wide(slots: Any, ends: Any, grown: Any, grown_ends: Any, bits: int) -> None:
    mask = len(grown) - 1
    for old in range(len(slots)):
        if ends[old] != 0:
            place = _place_wide(slots[old], bits)
            while grown_ends[place] != 0:
                place = (place + 1) & mask
            grown[place] = slots[old]
            grown_ends[place] = ends[old]
