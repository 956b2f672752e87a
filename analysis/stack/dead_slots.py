"""Dead slots: kernels that find a stack distance and keep it findable in one visit to a wide tree.

Every access takes the next slot, counted from 1; last[row] is the slot of a row's last access, 0 before its first. A
slot is dead once its row was accessed again. The stack distance of an access is the number of slots since the row's
last one that are not dead. So all that is asked is: how many dead slots lie after slot s; now s is dead as well.

A bit per slot says which are dead, 64 to a word. Above the words stand counts in groups of 16: an entry counts the dead
slots of the later entries of its group. A visit reads one entry per level and adds one to those before it, a vector
addition. Dead slot 0 adds to nothing; so a first access needs no branch, and its distance comes out as the number of
distinct rows before it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from ...jit import kernel
from .intrinsics import COMPILED, element_pointer, prefetch

SMALLEST = 1 << 16  # slots
LARGEST = 1 << 32  # a slot is a uint32

GROUP = 16  # entries of one group of counts: a 256-bit vector of uint16, a 512-bit vector of uint32
ADDENDS = 2 * GROUP  # each array of counts starts with 16 ones and 16 zeros, a window over which is what a visit adds
# Where the levels of the upper counts start, by the slots that one entry stands for; the lowest is last and as
# long as there are slots, those above are as long as 2^32 slots need (pages that nobody touches take no memory).
SLOTS_30 = ADDENDS
SLOTS_26 = SLOTS_30 + GROUP
SLOTS_22 = SLOTS_26 + (LARGEST >> 26)
SLOTS_18 = SLOTS_22 + (LARGEST >> 22)
SLOTS_14 = SLOTS_18 + (LARGEST >> 18)
SHALLOW, DEEP = 1 << 22, 1 << 26  # slots that the levels up to 2^18, and up to 2^22, cover alone

STAGE = 32  # accesses from one stage to the next, time enough to fetch a line
FIRST = 2**32 - 1  # stands for the distance of a first access


class DeadSlots(NamedTuple):
    """Which slots are dead, and counts above them."""

    words: NDArray[np.uint64]  # a bit per slot
    lower: NDArray[np.uint16]  # entries of 2^10 slots, then of 2^6
    upper: NDArray[np.uint32]  # entries of 2^30, 2^26, 2^22, 2^18, 2^14 slots


def no_dead_slots(slots: int) -> DeadSlots:
    """A tree over `slots` slots, a power of two from SMALLEST to LARGEST, none dead."""
    tree = DeadSlots(
        _aligned_zeros(slots >> 6, np.uint64),
        _aligned_zeros(ADDENDS + (slots >> 10) + (slots >> 6), np.uint16),
        _aligned_zeros(SLOTS_14 + max(slots >> 14, GROUP), np.uint32),
    )
    tree.lower[:GROUP] = 1
    tree.upper[:GROUP] = 1
    return tree


def revive(tree: DeadSlots) -> None:
    """Make no slot dead."""
    tree.words[:] = 0
    tree.lower[ADDENDS:] = 0
    tree.upper[ADDENDS:] = 0


def _aligned_zeros(entries: int, dtype: Any) -> NDArray[Any]:
    size = np.dtype(dtype).itemsize
    raw = np.zeros(entries * size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + entries * size].view(dtype)


def _later_then_add(typing_context: Any, counts: Any, entry: Any) -> Any:
    """counts[entry], and one more in the entries before it in its group of 16, by vector instructions."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, at = arguments
        element = context.get_data_type(signature.args[0].dtype)
        vector = ir.VectorType(element, GROUP)
        word = ir.IntType(64)

        def pointer(index: Any) -> Any:
            return element_pointer(context, builder, signature.args[0], array, index)

        later = builder.zext(builder.load(pointer(at)), word)
        group = builder.bitcast(pointer(builder.and_(at, ir.Constant(word, -GROUP))), vector.as_pointer())
        after = builder.and_(builder.not_(at), ir.Constant(word, GROUP - 1))  # entries after it in its group
        window = pointer(builder.add(after, ir.Constant(word, 1)))
        before, addend = builder.load(group), builder.load(builder.bitcast(window, vector.as_pointer()))
        before.align, addend.align = GROUP * element.width // 8, element.width // 8
        builder.store(builder.add(before, addend), group).align = before.align
        return later

    return types.uint64(counts, types.uint64), generate


def _count_ones(typing_context: Any, word: Any) -> Any:
    """The number of ones in a uint64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        shape = ir.FunctionType(ir.IntType(64), [ir.IntType(64)])
        return builder.call(cgutils.get_or_insert_function(builder.module, shape, "llvm.ctpop.i64"), arguments)

    return types.uint64(types.uint64), generate


def _later_then_add_plain(counts: Any, entry: Any) -> Any:
    later = np.uint64(counts[entry])
    counts[int(entry) // GROUP * GROUP : int(entry)] += 1
    return later


later_then_add: Any = intrinsic(_later_then_add) if COMPILED else _later_then_add_plain
count_ones: Any = intrinsic(_count_ones) if COMPILED else (lambda word: np.uint64(int(word).bit_count()))


@kernel
def access_rows(
    rows: NDArray[np.int32],
    last: NDArray[np.uint32],
    tree: DeadSlots,
    used: int,
    bins: NDArray[np.uint8],
    carries: NDArray[np.uint32],
    out: NDArray[np.int64],
    firsts: NDArray[np.int64],
) -> int:
    """Access `rows` in order, after `used` slots; used + len(rows) must be below the tree's slots.

    Where `out` is empty, adds every distance, a first access's too, to bins of 8 bits, and a lot of 256 that runs over
    to `carries`; else writes distances to out, −1 for a first access. Returns the number of first
    accesses; `firsts`, unless it is empty, receives their positions.

    Three stages, each STAGE accesses behind the one before: take a slot, measure the distance, count it. Each begins
    to fetch what the next will touch.
    """
    words, lower, upper = tree
    accesses = len(rows)
    deep, deepest = len(words) > SHALLOW >> 6, len(words) > DEEP >> 6
    slots_6 = np.uint64(ADDENDS + (len(words) >> 4))
    listing, collecting = len(out) > 0, len(firsts) > 0
    taken, measured = np.zeros(STAGE, np.uint32), np.zeros(STAGE, np.uint32)
    found = 0
    for i in range(accesses + 2 * STAGE):
        place = np.uint64(i & (STAGE - 1))
        slot = np.uint64(taken[place])
        if i < accesses:
            prefetch(last, np.uint64(rows[np.uint64(min(i + STAGE, accesses - 1))]))
            row = np.uint64(rows[np.uint64(i)])
            before = np.uint64(last[row])
            last[row] = np.uint32(used + i + 1)
            taken[place] = np.uint32(before)
            prefetch(words, before >> np.uint64(6))
            prefetch(lower, (before >> np.uint64(6)) + slots_6)
            if collecting:
                firsts[np.uint64(found)] = i
            found += before == 0
        earlier = np.uint64(measured[place])
        if STAGE <= i < accesses + STAGE:
            at, bit = slot >> np.uint64(6), slot & np.uint64(63)
            word = words[at]
            words[at] = word | (np.uint64(1) << bit)
            dead = count_ones((word >> bit) >> np.uint64(1))
            dead += later_then_add(lower, at + slots_6)
            dead += later_then_add(lower, (slot >> np.uint64(10)) + np.uint64(ADDENDS))
            dead += later_then_add(upper, (slot >> np.uint64(14)) + np.uint64(SLOTS_14))
            dead += later_then_add(upper, (slot >> np.uint64(18)) + np.uint64(SLOTS_18))
            if deep:
                dead += later_then_add(upper, (slot >> np.uint64(22)) + np.uint64(SLOTS_22))
            if deepest:
                dead += later_then_add(upper, (slot >> np.uint64(26)) + np.uint64(SLOTS_26))
                dead += later_then_add(upper, (slot >> np.uint64(30)) + np.uint64(SLOTS_30))
            distance = np.uint64(used + i - STAGE) - slot - dead
            prefetch(bins, distance)
            if listing and slot == 0:
                distance = np.uint64(FIRST)
            measured[place] = np.uint32(distance)
        if i >= 2 * STAGE:
            if listing:
                out[np.uint64(i - 2 * STAGE)] = np.int64(earlier) if earlier != FIRST else -1
            else:
                count = (np.int64(bins[earlier]) + 1) & 255
                bins[earlier] = count
                if count == 0:
                    carries[earlier] += 1
    return found


@kernel
def compact(last: NDArray[np.uint32], tree: DeadSlots) -> int:
    """Renumber the slots in `last` 1, 2, 3, … in their order, skipping dead ones; return how many were dead.

    The tree still speaks of the slots before: revive it or take another.
    """
    words = tree.words
    words[0] &= ~np.uint64(1)  # slot 0 is none
    earlier = np.empty(len(words), np.uint32)  # dead slots before each word's
    dead = np.uint64(0)
    for word in range(len(words)):
        earlier[word] = dead
        dead += count_ones(words[word])
    sparse = (len(words) << 6) - np.int64(dead) < len(last) >> 2  # then to skip the rows without a slot saves time
    for row in range(len(last)):
        coming = np.uint64(last[min(row + STAGE, len(last) - 1)]) >> np.uint64(6)
        prefetch(words, coming)
        prefetch(earlier, coming)
        slot = np.uint64(last[row])
        if sparse and slot == 0:
            continue
        at, bit = slot >> np.uint64(6), slot & np.uint64(63)
        last[row] = slot - earlier[at] - count_ones(words[at] & ((np.uint64(1) << bit) - np.uint64(1)))
    return int(dead)


@kernel
def rows_by_slot(last: NDArray[np.uint32], rows: int) -> NDArray[np.int32]:
    """The rows in order of their slots, which must be 1 … rows: compact first."""
    order = np.empty(rows, np.int32)
    for row in range(len(last)):
        if last[row]:
            order[last[row] - 1] = row
    return order
