"""Kernels of levels that answer to each other: any inclusion, any replacement, private levels per core.

An inclusive level takes back from the levels above whatever it loses; an exclusive one trades lines with the level
above. All levels have the same line bytes. Words and requests are those of set_associative. A line stays in its way: a
set is `lanes` words of its lines, then `lanes` marks: when each way was used last (LRU) or filled (FIFO), 0 where it is
unused; for tree-PLRU the first mark holds the tree's bits.
"""

from functools import partial
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array
from numpy.typing import NDArray

from ...jit import lean_kernel, lean_step
from ..stack.intrinsics import COMPILED, prefetch

UNUSED = -2  # no line has this word; even, so that it is never dirty
LRU, FIFO, TREE_PLRU = range(3)
NON_INCLUSIVE, INCLUSIVE, EXCLUSIVE = range(3)

# `levels` is flat: each level has FIELDS numbers there, and is called by the place of its first.
# FIRST: where its sets begin. MASK: sets − 1 where that is a mask, else −1. CORE: shift that turns a line into its
# core's number; the sets of the cores follow one another. HOLDS: which of the lines of the levels above. FAR: whether
# its sets are prefetched. CLOCK: its newest mark. Then what it counts, in the order of LevelStats.
FIRST, SETS, MASK, WAYS, LANES, CORE, POLICY, HOLDS, FAR, CLOCK, COUNTS = range(11)
READS, WRITES, READ_MISSES, WRITE_MISSES, WRITE_BACKS, BACK_INVALIDATIONS, VICTIMS, FIELDS = range(COUNTS, COUNTS + 8)

_SHORT, _LONG = 8, 16  # lanes that one vector operation covers; more are a loop over _LONG
_AHEAD, _CACHE_LINE = 16, 64  # requests that sets are prefetched ahead; bytes

Array = NDArray[np.int64]
Words = NDArray[Any]  # int32 or int64


# Two vector operations on a short or a long vector. These definitions are what they mean, under NUMBA_DISABLE_JIT=1.


def _plain_find(lanes: int, words: Words, at: int, word: int) -> int:
    """The first of `lanes` words from `at` that is this line, dirty or not; `lanes` if none."""
    return next((lane for lane in range(lanes) if words[at + lane] | 1 == word | 1), lanes)


def _plain_oldest(lanes: int, words: Words, at: int, but: int) -> int:
    """The first lane of the smallest of `lanes` marks from `at`, the lane `but` left out (−1: none)."""
    return min((lane for lane in range(lanes) if lane != but), key=lambda lane: int(words[at + lane]))


def _vector(context: Any, builder: Any, array: Any, value: Any, at: Any, lanes: int) -> Any:
    """The `lanes` words from `at`, a multiple of `lanes`; no bounds check."""
    first = builder.gep(make_array(array)(context, builder, value).data, [at])
    bits = array.dtype.bitwidth
    words = builder.load(builder.bitcast(first, ir.VectorType(ir.IntType(bits), lanes).as_pointer()))
    words.align = min(64, lanes * bits // 8)
    return words


def _equal(builder: Any, words: Any, value: Any) -> Any:
    """Which lanes of `words` are `value`, an element of theirs or an int64."""
    number = ir.IntType(32)
    if value.type != words.type.element:
        value = builder.trunc(value, words.type.element)
    one = builder.insert_element(ir.Constant(words.type, ir.Undefined), value, number(0))
    lanes = ir.Constant(ir.VectorType(number, words.type.count), [0] * words.type.count)
    return builder.icmp_unsigned("==", words, builder.shuffle_vector(one, one, lanes))


def _without(builder: Any, marks: Any, but: Any) -> Any:
    """`marks` with the largest number in the lane `but`."""
    lanes, largest = marks.type.count, 2 ** (marks.type.element.width - 1) - 1
    numbers = ir.Constant(marks.type, list(range(lanes)))
    return builder.select(_equal(builder, numbers, but), ir.Constant(marks.type, [largest] * lanes), marks)


def _first_equal(builder: Any, words: Any, value: Any) -> Any:
    """The first lane of `words` that is `value`; their number if none. An int64."""
    lanes, result = words.type.count, ir.IntType(64)
    equal = builder.bitcast(_equal(builder, words, value), ir.IntType(lanes))
    bits = builder.or_(builder.zext(equal, result), result(1 << lanes))
    shape = ir.FunctionType(result, [result, ir.IntType(1)])
    count = cgutils.get_or_insert_function(builder.module, shape, "llvm.cttz.i64")
    return builder.call(count, [bits, ir.IntType(1)(1)])


def _find_vector(lanes: int) -> Any:
    @intrinsic
    def find(typing: Any, words: Any, at: Any, word: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            held = _vector(context, builder, signature.args[0], args[0], args[1], lanes)
            as_dirty = builder.or_(held, ir.Constant(held.type, [1] * lanes))
            return _first_equal(builder, as_dirty, builder.or_(args[2], args[2].type(1)))

        return types.int64(words, types.int64, types.int64), build

    return find


def _oldest_vector(lanes: int) -> Any:
    @intrinsic
    def oldest(typing: Any, words: Any, at: Any, but: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            marks = _without(builder, _vector(context, builder, signature.args[0], args[0], args[1], lanes), args[2])
            shape, name = ir.FunctionType(marks.type.element, [marks.type]), f"llvm.vector.reduce.smin.v{lanes}i"
            reduce = cgutils.get_or_insert_function(builder.module, shape, f"{name}{marks.type.element.width}")
            return _first_equal(builder, marks, builder.call(reduce, [marks]))

        return types.int64(words, types.int64, types.int64), build

    return oldest


_find_short, _find_long = (_find_vector(n) if COMPILED else partial(_plain_find, n) for n in (_SHORT, _LONG))
_oldest_short, _oldest_long = (_oldest_vector(n) if COMPILED else partial(_plain_oldest, n) for n in (_SHORT, _LONG))


@lean_step
def _find(words: Words, at: int, lanes: int, word: int) -> int:
    """The first of a set's lanes that holds this line, dirty or not; `lanes` if none."""
    if lanes == _SHORT:
        return _find_short(words, at, word)
    for skipped in range(0, lanes, _LONG):
        lane: int = _find_long(words, at + skipped, word)
        if lane < _LONG:
            return skipped + lane
    return lanes


@lean_step
def _oldest(words: Words, at: int, lanes: int, but: int) -> int:
    """The first of a set's lanes with the smallest mark, the marks from `at` and the lane `but` left out (−1: none)."""
    if lanes == _SHORT:
        return _oldest_short(words, at, but)
    best: int = _oldest_long(words, at, but)
    for skipped in range(_LONG, lanes, _LONG):
        lane = skipped + _oldest_long(words, at + skipped, but - skipped)
        if words[at + lane] < words[at + best]:
            best = lane
    return best


@lean_step
def _get(array: Words, at: int) -> Any:
    """An element, by an index that is known not to be negative, which saves a comparison."""
    return np.int64(array[np.uint64(at)])


@lean_step
def _put(array: Words, at: int, value: int) -> None:
    array[np.uint64(at)] = value


@lean_step
def _add(array: Words, at: int, value: int) -> None:
    _put(array, at, _get(array, at) + value)


@lean_step
def _place(levels: Array, level: int, word: int) -> int:
    """Where a line's set begins; unsigned numbers divide faster."""
    line = word >> 1
    sets, mask = _get(levels, level + SETS), _get(levels, level + MASK)
    number = line & mask if mask >= 0 else np.int64(np.uint64(line) % np.uint64(sets))
    number += (line >> _get(levels, level + CORE)) * sets
    return _get(levels, level + FIRST) + number * (2 * _get(levels, level + LANES))  # type: ignore[no-any-return]


@lean_step
def _touch_tree(words: Words, tree: int, ways: int, way: int) -> None:
    """Point every node on the way's path to its other side; node n has the bit n − 1 and the children 2n, 2n + 1."""
    node, half, bits = 1, ways >> 1, _get(words, tree)
    while half:  # no branch on the way, which nobody could predict
        right: Any = np.int64(way & half != 0)
        bits = (bits & ~(np.int64(1) << (node - 1))) | (1 - right) << (node - 1)
        node = 2 * node + right
        half >>= 1
    _put(words, tree, bits)


@lean_step
def _way_of_tree(words: Words, tree: int, ways: int) -> int:
    """The way that the tree points to."""
    node, half, way, bits = 1, ways >> 1, 0, _get(words, tree)
    while half:
        right = (bits >> (node - 1)) & 1
        way += half * right
        node = 2 * node + right
        half >>= 1
    return way


@lean_step
def _mark(words: Words, levels: Array, level: int, at: int, way: int) -> None:
    """Note that `way` is the newest of its set."""
    marks = at + _get(levels, level + LANES)
    if _get(levels, level + POLICY) == TREE_PLRU:
        _touch_tree(words, marks, _get(levels, level + WAYS), way)
    else:
        _add(levels, level + CLOCK, 1)
        _put(words, marks + way, _get(levels, level + CLOCK))


@lean_step
def _victim(words: Words, levels: Array, level: int, at: int) -> int:
    """The way that the next line of a set goes into."""
    lanes = _get(levels, level + LANES)
    if _get(levels, level + POLICY) != TREE_PLRU:
        return _oldest(words, at + lanes, lanes, -1)
    way = _find(words, at, lanes, UNUSED)
    return way if way < _get(levels, level + WAYS) else _way_of_tree(words, at + lanes, _get(levels, level + WAYS))


@lean_step
def _fetch(words: Words, levels: Array, level: int, word: int) -> None:
    """Ask for the set of a line to come."""
    at = _place(levels, level, word)
    for part in range(0, 2 * _get(levels, level + LANES), _CACHE_LINE // words.itemsize):
        prefetch(words, np.uint64(at + part))


@lean_step
def _fetch_below(words: Words, levels: Array, level: int, at: int, way: int) -> None:
    """Ask for the set that a set's next victim but `way` goes into, where it goes into the level below for sure.

    Before `way` is written: the processor cannot load a vector of which it has yet to store an element.
    """
    below, lanes = level + FIELDS, _get(levels, level + LANES)
    if below == len(levels) or _get(levels, below + HOLDS) != EXCLUSIVE:
        return
    if _get(levels, below + FAR) and _get(levels, level + POLICY) != TREE_PLRU:
        word = _get(words, at + _oldest(words, at + lanes, lanes, way))
        if word != UNUSED:
            _fetch(words, levels, below, word)


@lean_step
def _insert(words: Words, levels: Array, level: int, at: int, word: int) -> int:
    """Put a line into its set at `at`, which does not hold it; the word it displaces, UNUSED if none."""
    way = _victim(words, levels, level, at)
    displaced: int = _get(words, at + way)
    _fetch_below(words, levels, level, at, way)
    _put(words, at + way, word)
    _mark(words, levels, level, at, way)
    return displaced


@lean_step
def _vacate(words: Words, levels: Array, level: int, at: int, way: int) -> int:
    """Take the line in `way` out of its level; its word."""
    held: int = _get(words, at + way)
    _put(words, at + way, UNUSED)
    if _get(levels, level + POLICY) != TREE_PLRU:
        _put(words, at + _get(levels, level + LANES) + way, 0)
    return held


@lean_step
def _remove(words: Words, levels: Array, level: int, word: int) -> int:
    """Take a line out of a level; its word there, UNUSED if the level does not hold it."""
    at, lanes = _place(levels, level, word), _get(levels, level + LANES)
    way = _find(words, at, lanes, word)
    return UNUSED if way == lanes else _vacate(words, levels, level, at, way)


@lean_step
def _write_down(words: Words, levels: Array, above: int, word: int) -> int:
    """Write a dirty line from level `above` into the next, or to memory; the word it displaces there."""
    _add(levels, above + WRITE_BACKS, 1)
    to = above + FIELDS
    if to == len(levels):
        return UNUSED
    _add(levels, to + WRITES, 1)
    at, lanes = _place(levels, to, word), _get(levels, to + LANES)
    way = _find(words, at, lanes, word)
    if way < lanes:
        _put(words, at + way, _get(words, at + way) | 1)
        if _get(levels, to + POLICY) != FIFO:
            _mark(words, levels, to, at, way)
        return UNUSED
    _add(levels, to + WRITE_MISSES, 1)
    if to + FIELDS < len(levels) and _get(levels, to + FIELDS + HOLDS) == EXCLUSIVE:
        _remove(words, levels, to + FIELDS, word)
    return _insert(words, levels, to, at, word)


@lean_step
def _settle(words: Words, levels: Array, level: int, word: int) -> None:
    """Find a place for the word that `level` displaced, and for those that it displaces further down."""
    while word != UNUSED:
        if _get(levels, level + HOLDS) == INCLUSIVE:
            for above in range(0, level, FIELDS):
                held = _remove(words, levels, above, word)
                if held != UNUSED:
                    _add(levels, above + BACK_INVALIDATIONS, 1)
                    word |= held & 1
        if level + FIELDS < len(levels) and _get(levels, level + FIELDS + HOLDS) == EXCLUSIVE:
            _add(levels, level + WRITE_BACKS, word & 1)
            _add(levels, level + FIELDS + VICTIMS, 1)
            word = _insert(words, levels, level + FIELDS, _place(levels, level + FIELDS, word), word)
        elif word & 1:
            word = _write_down(words, levels, level, word)
        else:
            word = UNUSED
        level += FIELDS


@lean_kernel
def serve(words: Words, levels: Array, requests: Array, depth: NDArray[np.uint8]) -> None:
    """Serve `requests` in order; depth: the level that each hit, or the number of levels where none had the line."""
    for i in range(len(requests)):
        if i + _AHEAD < len(requests):
            for level in range(0, len(levels), FIELDS):
                if _get(levels, level + FAR):
                    _fetch(words, levels, level, requests[i + _AHEAD])
        word, write, found, dirty = requests[i] & ~1, requests[i] & 1, 0, 0
        while found < len(levels):
            stores = write if found == 0 else 0  # the levels below only read what is missing
            _add(levels, found + READS + stores, 1)
            at, lanes = _place(levels, found, word), _get(levels, found + LANES)
            way = _find(words, at, lanes, word)
            if way < lanes:
                if _get(levels, found + HOLDS) == EXCLUSIVE:
                    dirty = _vacate(words, levels, found, at, way) & 1
                elif _get(levels, found + POLICY) != FIFO:
                    _mark(words, levels, found, at, way)
                if stores:  # a store of the same word would hold up the next load of the set
                    _put(words, at + way, _get(words, at + way) | 1)
                break
            _add(levels, found + READ_MISSES + stores, 1)
            found += FIELDS
        for level in range(found - FIELDS, -1, -FIELDS):  # the lowest level first; it keeps `dirty`
            if _get(levels, level + HOLDS) != EXCLUSIVE:
                kept = word | dirty | (write if level == 0 else 0)
                dirty = 0
                _settle(words, levels, level, _insert(words, levels, level, _place(levels, level, word), kept))
        depth[i] = found // FIELDS


@lean_kernel
def flush(words: Words, levels: Array, level: int, dirty: Array) -> None:
    """Write `dirty` words of `level` down; into memory where the next level is exclusive of this one."""
    for word in dirty:
        if level + FIELDS < len(levels) and _get(levels, level + FIELDS + HOLDS) == EXCLUSIVE:
            _add(levels, level + WRITE_BACKS, 1)
        else:
            _settle(words, levels, level + FIELDS, _write_down(words, levels, level, word))
