"""Every policy against a plain reference, access by access, at every capacity from the smallest to all rows + 1."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow.analysis.cache import hit_mask, simulate
from hotrow.analysis.policies.registry import POLICIES, Policy, find

Size = dict[int, int]
Reference = Callable[[list[int], int, Size], Iterator[bool]]


def held(rows: list[int], size: Size) -> int:
    return sum(size[x] for x in rows)


def lru(ids: list[int], capacity: int, size: Size) -> Iterator[bool]:
    cache: list[int] = []
    for x in ids:
        yield x in cache
        if x in cache:
            cache.remove(x)
        if size[x] <= capacity:
            while held(cache, size) + size[x] > capacity:
                cache.pop(0)
            cache.append(x)


def fifo(ids: list[int], capacity: int, size: Size) -> Iterator[bool]:
    cache: list[int] = []
    for x in ids:
        yield x in cache
        if x not in cache and size[x] <= capacity:
            while held(cache, size) + size[x] > capacity:
                cache.pop(0)
            cache.append(x)


def clock(ids: list[int], capacity: int, size: Size) -> Iterator[bool]:
    cache: list[int] = []
    used: set[int] = set()
    for x in ids:
        yield x in cache
        if x in cache:
            used.add(x)
        elif size[x] <= capacity:
            while held(cache, size) + size[x] > capacity:
                y = cache.pop(0)
                if y in used:
                    used.remove(y)
                    cache.append(y)
            cache.append(x)


def sieve(ids: list[int], capacity: int, size: Size) -> Iterator[bool]:
    cache: list[int] = []
    used: set[int] = set()
    hand = 0
    for x in ids:
        yield x in cache
        if x in cache:
            used.add(x)
        elif size[x] <= capacity:
            while held(cache, size) + size[x] > capacity:
                if cache[hand] in used:
                    used.remove(cache[hand])
                    hand += 1
                else:
                    cache.pop(hand)
                hand = 0 if hand == len(cache) else hand
            cache.append(x)


def lfu(ids: list[int], capacity: int, size: Size) -> Iterator[bool]:
    cache: dict[int, tuple[int, int]] = {}  # uses, and when this number was reached
    for now, x in enumerate(ids):
        yield x in cache
        if x not in cache and size[x] <= capacity:
            while held(list(cache), size) + size[x] > capacity:
                del cache[min(cache, key=lambda y: cache[y])]
            cache[x] = (0, 0)
        if x in cache:
            cache[x] = (cache[x][0] + 1, now)


def s3_fifo(ids: list[int], capacity: int, size: Size) -> Iterator[bool]:
    small: list[int] = []
    main: list[int] = []
    ghost: list[int] = []
    uses: dict[int, int] = {}
    evicted = False
    for x in ids:
        yield x in small + main
        if x in small + main:
            uses[x] = min(uses[x] + 1, 3)
            continue
        remembered = x in ghost
        if remembered:
            ghost.remove(x)
        while held(small + main, size) + size[x] > capacity:
            evicted = True
            if held(main, size) > capacity - int(0.1 * capacity) or not small:
                while uses[y := main.pop(0)]:
                    uses[y] -= 1
                    main.append(y)
                continue
            while small:
                y = small.pop(0)
                if uses[y] >= 2:
                    uses[y] = 0
                    main.append(y)
                    continue
                while held(ghost, size) + size[y] > int(0.9 * capacity):
                    ghost.pop(0)
                ghost.append(y)
                break
        full = not evicted and held(small, size) >= int(0.1 * capacity)
        uses[x] = 0
        (main if remembered or full else small).append(x)


def two_q(ids: list[int], capacity: int, size: Size) -> Iterator[bool]:
    new: list[int] = []
    main: list[int] = []
    ghost: list[int] = []
    for x in ids:
        yield x in new + main
        if x in new:
            continue
        remembered = x in ghost
        for where in (main, ghost):
            if x in where:
                where.remove(x)
                remembered = True
        while held(new + main, size) + size[x] > capacity:
            if held(new, size) > capacity // 4 or not main:
                ghost.append(new.pop(0))
                while held(ghost, size) > capacity // 2:
                    ghost.pop(0)
            else:
                main.pop(0)
        (main if remembered else new).append(x)


def slru(ids: list[int], capacity: int, size: Size) -> Iterator[bool]:
    segments: list[list[int]] = [[], [], [], []]
    room = [capacity - 3 * (capacity // 4)] + 3 * [capacity // 4]
    for x in ids:
        at = [x in segment for segment in segments]
        yield any(at)
        if any(at):
            segments[at.index(True)].remove(x)
            to = min(at.index(True) + 1, 3)
        else:
            to = next((k for k in range(4) if held(segments[k], size) + size[x] <= room[k]), 0)
        segments[to].append(x)
        for k in range(to, -1, -1):
            while held(segments[k], size) > room[k]:
                y = segments[k].pop(0)
                if k:
                    segments[k - 1].append(y)


def arc(ids: list[int], capacity: int, size: Size) -> Iterator[bool]:
    t1: list[int] = []
    t2: list[int] = []
    b1: list[int] = []
    b2: list[int] = []
    p = 0.0
    for x in ids:
        yield x in t1 + t2
        before = [len(part) for part in (t1, t2, b1, b2)]
        replace = sum(before) >= capacity
        in_b2 = x in b2
        seen = x in t1 + t2 + b1 + b2
        if x in t1 + t2:
            replace = False
        elif x in b1:
            p = min(capacity, p + max(len(b2) / len(b1), 1))
        elif x in b2:
            p = max(0, p - max(len(b1) / len(b2), 1))
        elif len(t1) + len(b1) == capacity:
            replace = len(t1) < capacity
            (b1 if replace else t1).pop(0)
        elif sum(before) == 2 * capacity:
            b2.pop(0)
        if replace:
            if t1 and (len(t1) > p or (in_b2 and len(t1) == p)):
                b1.append(t1.pop(0))
            else:
                b2.append(t2.pop(0))
        for part in (t1, t2, b1, b2):
            if x in part:
                part.remove(x)
        (t2 if seen else t1).append(x)


def lirs(ids: list[int], capacity: int, size: Size) -> Iterator[bool]:
    stack: list[int] = []
    short: set[int] = set()  # resident rows with short gaps
    queue: list[int] = []  # the other resident rows
    ghost: list[int] = []  # rows of the stack that are not resident
    room = capacity - max(1, capacity // 100)
    for x in ids:
        resident = x in short or x in queue
        yield resident
        stacked = x in stack
        fills = not resident and not stacked and len(short) < room
        for part in (stack, ghost):
            if x in part:
                part.remove(x)
        if not resident and not fills and len(short) + len(queue) == capacity:
            y = queue.pop(0)
            if y in stack:
                ghost.append(y)
            if len(ghost) > capacity:
                stack.remove(ghost.pop(0))
        stack.append(x)
        if x in queue:
            queue.remove(x)
        if stacked or fills:
            short.add(x)
        else:
            queue.append(x)
        if len(short) > room:
            short.remove(stack[0])
            queue.append(stack.pop(0))
        while stack[0] not in short:
            y = stack.pop(0)
            if y in ghost:
                ghost.remove(y)


def w_tinylfu(ids: list[int], capacity: int, size: Size) -> Iterator[bool]:
    window: list[int] = []
    probation: list[int] = []
    protected: list[int] = []
    counts = dict.fromkeys(ids, 0)
    main = capacity - capacity // 100
    for now, x in enumerate(ids):
        if now and now % (10 * capacity) == 0:
            counts = {y: count // 2 for y, count in counts.items()}
        counts[x] = min(counts[x] + 1, 15)
        yield x in window + probation + protected
        if x in probation + protected:
            (probation if x in probation else protected).remove(x)
            protected.append(x)
            if len(protected) > int(0.8 * main):
                probation.append(protected.pop(0))
            continue
        if x in window:
            window.remove(x)
        window.append(x)
        if len(window) > capacity // 100:
            y = window.pop(0)
            if len(probation + protected) < main:
                probation.append(y)
            elif counts[y] > counts[probation[0]]:
                probation.pop(0)
                probation.append(y)


def belady(ids: list[int], capacity: int, size: Size) -> Iterator[bool]:
    cache: set[int] = set()
    for now, x in enumerate(ids):
        yield x in cache
        if x not in cache and len(cache) == capacity:
            after = ids[now:]
            cache.remove(max(cache, key=lambda y: after.index(y) if y in after else len(ids)))
        cache.add(x)


def pinned(rows: list[int], learned: list[int], capacity: int, size: Size) -> list[int]:
    kept: list[int] = []
    for x in sorted(dict.fromkeys(rows), key=lambda x: (-learned.count(x) / size[x], learned.index(x))):
        if held(kept, size) + size[x] <= capacity:
            kept.append(x)
    return kept


def static(ids: list[int], capacity: int, size: Size) -> Iterator[bool]:
    kept = pinned(ids, ids, capacity, size)
    yield from (x in kept for x in ids)


def static_prefix(ids: list[int], capacity: int, size: Size) -> Iterator[bool]:
    first = ids[: int(0.1 * len(ids))]
    kept = pinned(first, first, capacity, size)
    yield from (now >= len(first) and x in kept for now, x in enumerate(ids))


def set_of(x: int, sets: int) -> int:
    h = x ^ x >> 33
    h = h * 0xFF51AFD7ED558CCD % 2**64
    h = (h ^ h >> 33) * 0xC4CEB9FE1A85EC53 % 2**64
    return (h ^ h >> 33) % sets


def fbgemm_lru(ids: list[int], capacity: int, size: Size) -> Iterator[bool]:
    sets: list[list[int]] = [[] for _ in range(capacity // 32)]
    for x in ids:
        ways = sets[set_of(x, len(sets))]
        yield x in ways
        if x in ways:
            ways.remove(x)
        elif len(ways) == 32:
            ways.pop(0)
        ways.append(x)


def fbgemm_lfu(ids: list[int], capacity: int, size: Size) -> Iterator[bool]:
    sets: list[list[int]] = [[] for _ in range(capacity // 32)]
    counts = dict.fromkeys(ids, 0)
    for x in ids:
        counts[x] += 1
        ways = sets[set_of(x, len(sets))]
        yield x in ways
        if x in ways:
            continue
        if len(ways) < 32:
            ways.append(x)
            continue
        way = min(range(32), key=lambda k: counts[ways[k]])
        if counts[ways[way]] <= counts[x]:
            ways[way] = x


REFERENCES: dict[str, Reference] = {
    "LRU": lru,
    "FIFO": fifo,
    "LFU": lfu,
    "CLOCK": clock,
    "SIEVE": sieve,
    "S3-FIFO": s3_fifo,
    "ARC": arc,
    "2Q": two_q,
    "SLRU": slru,
    "LIRS": lirs,
    "W-TinyLFU": w_tinylfu,
    "Belady": belady,
    "static": static,
    "static-prefix": static_prefix,
    "FBGEMM-LRU": fbgemm_lru,
    "FBGEMM-LFU": fbgemm_lfu,
}


def accesses(rng: np.random.Generator, rows: int, count: int) -> list[int]:
    """Runs of skewed draws, loops and scans over the same rows, so that every list of a policy gets used."""
    ids: list[int] = []
    while len(ids) < count:
        span, start, length = rng.integers(1, rows + 1), rng.integers(rows), rng.integers(1, 4 * rows)
        kind = rng.integers(3)
        if kind == 0:
            run = np.floor(rows * rng.random(length) ** rng.integers(1, 5)).astype(int)
        else:
            run = np.arange(length) % span if kind == 1 else np.repeat(np.arange(length) // 2, rng.integers(1, 3))
        ids += ((run + start) % rows).tolist()
    return ids[:count]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), extra=st.integers(0, 12))
def test_hits_are_the_references(policy: Policy, seed: int, extra: int) -> None:
    rng = np.random.default_rng(seed)
    rows = max(1, policy.smallest + extra if policy.multiple == 1 else 6 * extra + 1)
    ids = accesses(rng, rows, min(12 * rows, 1300) + int(rng.integers(40)))
    for capacity in range(policy.smallest, rows + 2 + policy.multiple, policy.multiple):
        expected = list(REFERENCES[policy.name](ids, capacity, dict.fromkeys(ids, 1)))
        assert hit_mask(ids, policy.name, capacity).tolist() == expected
        assert simulate(ids, policy.name, capacity).hits == sum(expected)


@pytest.mark.parametrize("name", [policy.name for policy in POLICIES if policy.mixed])
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), rows=st.integers(1, 12))
def test_rows_of_different_size_share_by_the_byte(name: str, seed: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    ids = accesses(rng, rows, 80)
    size = {x: int(rng.integers(1, 6)) for x in range(rows)}
    if len({size[x] for x in ids}) == 1:
        size[ids[0]] += 1
    smallest = find(name).smallest
    least = smallest * max(size[x] for x in ids) if smallest > 1 else min(size[x] for x in ids)
    for capacity in range(least, max(least, sum(size.values())) + 2):
        expected = list(REFERENCES[name](ids, capacity, size))
        assert hit_mask(ids, name, capacity, row_bytes=[size[x] for x in ids]).tolist() == expected


def test_every_policy_has_a_reference() -> None:
    assert set(REFERENCES) == {policy.name for policy in POLICIES}
