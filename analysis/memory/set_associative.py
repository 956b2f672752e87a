"""One set-associative level as a kernel: a set's lines lie in recency order in one or two vector registers.

A line is kept as a *word*: line number × 2, + 1 if it is dirty. A set is `lanes` words of `tags`, the most recently
used (FIFO: inserted) first; unused ways hold UNUSED and stand last. A request is a word too: its lowest bit says that
it writes. Words are int32 as long as all that was accessed fits, 64 GiB with lines of 64 bytes, then int64.
A look-up is one comparison of the whole set, a use one shuffle, neither with a branch to mispredict.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload
from numba.np.arrayobj import make_array
from numpy.typing import NDArray

from ...jit import kernel
from ..stack.intrinsics import prefetch

UNUSED = -2  # no line has this word; even, so that it is never dirty
READS, WRITES, READ_MISSES, WRITE_MISSES, WRITE_BACKS, COUNTERS = range(6)

_WORD, _LANE, _BIT = ir.IntType(64), ir.IntType(32), ir.IntType(1)
_SHORT, _LONG = 8, 16  # lanes that one vector operation covers; more are a loop over _LONG
_AHEAD = 32  # requests that the words are prefetched ahead
_NEAR_BYTES = 2**15  # up to so many bytes of words are near anyway, in a first-level cache


def lanes_of(ways: int) -> int:
    """Words that a set of `ways` ways takes: whole vectors."""
    return _SHORT if ways <= _SHORT else -(-ways // _LONG) * _LONG


def aligned(words: NDArray[Any], dtype: type[np.signedinteger[Any]]) -> NDArray[Any]:
    """A copy of `words` that begins at a cache line, as the vector loads require."""
    room = np.empty(len(words) + 64, dtype)
    skip = -room.ctypes.data % 64 // room.itemsize
    copy = room[skip : skip + len(words)]
    copy[:] = words
    return copy


# Two vector operations. Python's definitions are what they mean, and run under NUMBA_DISABLE_JIT=1.


def _find(tags: NDArray[Any], at: int, lanes: int, word: int) -> int:
    """The first of `lanes` words from `at` that is this line, dirty or not; `lanes` if none."""
    for lane in range(lanes):
        if tags[at + lane] | 1 == word | 1:
            return lane
    return lanes


def _push(tags: NDArray[Any], at: int, lanes: int, last: int, word: int) -> None:
    """Move the words from `at` up to `last` − 1 one lane on and put `word` first; nothing where last is −1."""
    if last >= 0:
        tags[at + 1 : at + last + 1] = tags[at : at + last].copy()
        tags[at] = word


def _vector_at(context: Any, builder: Any, array: Any, value: Any, at: Any, lanes: int) -> tuple[Any, Any, Any]:
    """Pointer to, type and value of the `lanes` words of an array from `at`."""
    vector = ir.VectorType(ir.IntType(array.dtype.bitwidth), lanes)
    first = builder.gep(make_array(array)(context, builder, value).data, [at])  # no bounds check
    pointer = builder.bitcast(first, vector.as_pointer())
    words = builder.load(pointer)
    words.align = _alignment(array, lanes)
    return pointer, vector, words


def _alignment(array: Any, lanes: int) -> int:
    bits: int = array.dtype.bitwidth
    return min(64, lanes * bits // 8)


def _as_word(builder: Any, value: Any, vector: Any) -> Any:
    """An int64 as an element of `vector`."""
    return value if value.type == vector.element else builder.trunc(value, vector.element)


def _splat(builder: Any, value: Any, vector: Any) -> Any:
    undefined = ir.Constant(vector, ir.Undefined)
    one = builder.insert_element(undefined, value, ir.Constant(_LANE, 0))
    return builder.shuffle_vector(one, undefined, ir.Constant(ir.VectorType(_LANE, vector.count), [0] * vector.count))


def _find_vector(lanes: int) -> Any:
    @intrinsic
    def find(typing: Any, tags: Any, at: Any, word: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            _, vector, words = _vector_at(context, builder, signature.args[0], args[0], args[1], lanes)
            sought = _as_word(builder, builder.or_(args[2], ir.Constant(_WORD, 1)), vector)
            equal = builder.icmp_unsigned(
                "==", builder.or_(words, ir.Constant(vector, [1] * lanes)), _splat(builder, sought, vector)
            )
            bits = builder.zext(builder.bitcast(equal, ir.IntType(lanes)), _WORD)
            bits = builder.or_(bits, ir.Constant(_WORD, 1 << lanes))  # found nothing: `lanes`
            count = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(_WORD, [_WORD, _BIT]), "llvm.cttz.i64"
            )
            return builder.call(count, [bits, ir.Constant(_BIT, 1)])

        return types.int64(tags, types.int64, types.int64), build

    return find


def _push_vector(lanes: int) -> Any:
    @intrinsic
    def push(typing: Any, tags: Any, at: Any, last: Any, word: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            pointer, vector, words = _vector_at(context, builder, signature.args[0], args[0], args[1], lanes)
            order = ir.Constant(ir.VectorType(_LANE, lanes), [0] + [lanes + lane - 1 for lane in range(1, lanes)])
            moved = builder.shuffle_vector(_splat(builder, _as_word(builder, args[3], vector), vector), words, order)
            number = ir.Constant(vector, list(range(lanes)))
            moves = builder.icmp_signed("<=", number, _splat(builder, _as_word(builder, args[2], vector), vector))
            kept = builder.store(builder.select(moves, moved, words), pointer)
            kept.align = _alignment(signature.args[0], lanes)
            return context.get_dummy_value()

        return types.void(tags, types.int64, types.int64, types.int64), build

    return push


_find_short, _find_long = _find_vector(_SHORT), _find_vector(_LONG)
_push_short, _push_long = _push_vector(_SHORT), _push_vector(_LONG)


@kernel
def _find_wide(tags: NDArray[Any], at: int, lanes: int, word: int) -> int:
    for skipped in range(0, lanes, _LONG):
        lane: int = _find_long(tags, at + skipped, word)
        if lane < _LONG:
            return skipped + lane
    return lanes


@kernel
def _push_wide(tags: NDArray[Any], at: int, last: int, word: int) -> None:
    first = word
    for skipped in range(0, last + 1, _LONG):
        over = int(tags[at + skipped + _LONG - 1])
        _push_long(tags, at + skipped, last - skipped, first)
        first = over


@overload(_find, inline="always")
def _compile_find(tags: Any, at: Any, lanes: Any, word: Any) -> Any:
    def find(tags: Any, at: Any, lanes: Any, word: Any) -> Any:
        if lanes == _SHORT:
            return _find_short(tags, at, word)
        if lanes == _LONG:
            return _find_long(tags, at, word)
        return _find_wide(tags, at, lanes, word)

    return find


@overload(_push, inline="always")
def _compile_push(tags: Any, at: Any, lanes: Any, last: Any, word: Any) -> Any:
    def push(tags: Any, at: Any, lanes: Any, last: Any, word: Any) -> Any:
        if lanes == _SHORT:
            _push_short(tags, at, last, word)
        elif lanes == _LONG:
            _push_long(tags, at, last, word)
        else:
            _push_wide(tags, at, last, word)

    return push


@kernel
def _set_of(line: int, sets: int, mask: int) -> int:
    return line & mask if mask >= 0 else line % sets


@kernel
def filter_requests(
    tags: NDArray[Any],
    sets: int,
    ways: int,
    lanes: int,
    fifo: bool,
    shift: int,
    fetches: int,
    requests: NDArray[np.int64],
    below: NDArray[np.int64],
    counts: NDArray[np.int64],
    writing: bool | None,
    missed: NDArray[np.bool_] | None,
) -> int:
    """Serve `requests` in order; put what the level asks of the level below into `below`; how many words that are.

    A miss reads its line from below before it writes a dirty victim back. lanes: lanes_of(ways). fifo: or LRU.
    shift: log2 of this level's line over that of the requests. fetches: 1 where a write that misses reads its line from
    below, 0 where it brings the whole line. below: room for two words per request. counts: added to [COUNTERS].
    writing: None promises that nothing writes. missed: whether each request missed, or None. The compiler leaves out
    the work for what is None.
    """
    mask = sets - 1 if sets & (sets - 1) == 0 else -1
    stays = -1 if fifo else 0  # all ones where a hit moves nothing
    far = tags.nbytes > _NEAR_BYTES
    shift += 1
    asked = writes = misses = write_misses = write_backs = 0
    for i in range(len(requests)):
        if far and i + _AHEAD < len(requests):
            soon = np.uint64(_set_of(requests[i + _AHEAD] >> shift, sets, mask) * lanes)
            prefetch(tags, soon)
            if lanes * tags.itemsize > 64:
                prefetch(tags, soon + np.uint64(_SHORT))
        line = requests[i] >> shift
        at = _set_of(line, sets, mask) * lanes
        way = _find(tags, at, lanes, line << 1)
        miss = int(way >= ways)
        way = min(way, ways - 1)
        last = way | (stays & (miss - 1))
        if missed is not None:
            missed[i] = miss
        below[asked] = line << 1
        if writing is None:
            asked += miss
            _push(tags, at, lanes, last, line << 1)
            continue
        write = requests[i] & 1
        old = int(tags[at + way])
        if fifo and write & (1 - miss):
            tags[at + way] = old | 1
        _push(tags, at, lanes, last, line << 1 | write | (old & (1 - miss)))
        asked += miss & (fetches | (1 - write))
        below[asked] = old
        asked += old & miss
        writes += write
        misses += miss
        write_misses += miss & write
        write_backs += old & miss
    if writing is None:
        misses = asked
    counts[READS] += len(requests) - writes
    counts[WRITES] += writes
    counts[READ_MISSES] += misses - write_misses
    counts[WRITE_MISSES] += write_misses
    counts[WRITE_BACKS] += write_backs
    return asked


class FilteringCaches:
    """Non-inclusive levels over time, LRU or FIFO: each passes on to the next what it cannot serve itself.

    shapes: sets and ways of each level, the innermost first. lines: log2 of their line bytes. fifo: or LRU, each.
    """

    def __init__(self, shapes: Sequence[tuple[int, int]], lines: Sequence[int], fifo: Sequence[bool]) -> None:
        self.counts = np.zeros((len(shapes), COUNTERS), np.int64)
        self._shapes, self._fifo = tuple(shapes), tuple(fifo)
        self._coarser = [0, *np.diff(lines).tolist()]
        empty = [np.broadcast_to(np.int32(UNUSED), sets * lanes_of(ways)) for sets, ways in shapes]
        self._tags: list[NDArray[Any]] = [aligned(words, np.int32) for words in empty]
        self._below = [np.empty(0, np.int64) for _ in shapes]
        self._writing: bool | None = None

    def serve(self, words: NDArray[np.int64], noting: bool) -> list[tuple[NDArray[np.int64], NDArray[np.bool_]]]:
        """Serve requests in order; for noting, each level's accesses as lines, and whether each missed."""
        if self._writing is None and (words & 1).any():
            self._writing = True
        if self._tags[0].dtype == np.int32 and len(words) and words.max() >= 2**31:
            self._tags = [aligned(tags, np.int64) for tags in self._tags]
        return self._pass_down(0, words, noting)

    def flush(self) -> None:
        """Write every dirty line back, level by level, set by set, the most recently used line first."""
        for level, tags in enumerate(self._tags):
            dirty = tags & 1 == 1
            words = tags[dirty].astype(np.int64)
            tags[dirty] ^= 1
            self.counts[level, WRITE_BACKS] += len(words)
            self._pass_down(level + 1, words, False)

    def _pass_down(
        self, level: int, requests: NDArray[np.int64], noting: bool
    ) -> list[tuple[NDArray[np.int64], NDArray[np.bool_]]]:
        """Serve requests at `level` and what they ask of the levels below."""
        streams = []
        for to in range(level, len(self._shapes)):
            sets, ways = self._shapes[to]
            fetches = int(to == 0 or self._coarser[to] > 0)
            if len(self._below[to]) < 2 * len(requests):
                self._below[to] = np.empty(2 * len(requests), np.int64)
            below = self._below[to]
            missed = np.empty(len(requests), np.bool_) if noting else None
            asked = filter_requests(
                self._tags[to], sets, ways, lanes_of(ways), self._fifo[to], self._coarser[to], fetches,
                requests, below, self.counts[to], self._writing, missed,
            )  # fmt: skip
            if missed is not None:
                streams.append((requests >> (self._coarser[to] + 1), missed))
            requests = below[:asked]
        return streams
