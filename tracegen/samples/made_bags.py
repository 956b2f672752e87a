"""Made logs of one table of bags whose rows keep company, or do not: what bags must keep, without anybody's log."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..scenarios import sessions
from ..trace import TableLookups, Trace
from .made_logs import clicks, zipf_rows

Ints = NDArray[np.int64]


def histories(samples: int, seed: int, users: int = 3_000, items: int = 30_000) -> Trace:
    """The last 12 items of whoever comes, the latest first; several users share an item."""
    return Trace((clicks(samples, seed, users, items).table("history"),))


def prefix_trees(samples: int, seed: int, talks: int = 60, starts: int = 40, branching: float = 0.1) -> Trace:
    """Talks that grow: a bag is all that was said so far and something new; rows are numbered by arrival.

    About `talks` are under way at any time; a talk begins with one of `starts` openings of 1 … 30 rows, most with few
    popular ones; with probability `branching` a turn goes back to an earlier point and says something else.
    """
    rng = np.random.default_rng(seed)
    openings = [[int(row)] for row in range(starts)]
    rows = starts
    for opening in openings:
        more = int(rng.integers(0, 30))
        opening.extend(range(rows, rows + more))
        rows += more
    popular = zipf_rows(rng, samples, starts, 1.2)
    under_way: list[list[int]] = []
    bags: list[list[int]] = []
    for s in range(samples):
        if len(under_way) < talks or rng.random() < 0.25:
            under_way.append(list(openings[popular[s]]))
            if len(under_way) > talks:
                under_way.pop(int(rng.integers(0, talks // 2)))
        at = len(under_way) - 1 - min(int(rng.geometric(0.06)) - 1, len(under_way) - 1)
        talk = under_way[at]
        if rng.random() < branching:
            talk = talk[: int(rng.integers(1, len(talk) + 1))]
        new = int(rng.geometric(0.12))
        talk = talk + list(range(rows, rows + new))
        rows += new
        under_way[at] = talk
        bags.append(talk[:100])
    flat = np.concatenate([np.array(bag, np.int64) for bag in bags])
    arrival = np.full(rows, -1, np.int64)
    seen, first = np.unique(flat, return_index=True)
    arrival[seen[np.argsort(first)]] = np.arange(len(seen))
    return Trace((TableLookups("blocks", rows, arrival[flat], _offsets([len(bag) for bag in bags])),))


def lists(samples: int, seed: int, users: int = 2_000, items: int = 20_000) -> Trace:
    """Shopping lists: whoever comes takes some of a fixed list of 30 items, in any order, now and then two of one."""
    rng = np.random.default_rng(seed)
    user = sessions(samples, seed, users, mean_length=2.0, pause=200.0)
    known = int(user.max(initial=0)) + 1
    own = zipf_rows(rng, known * 30, items, 0.8).reshape(known, 30)
    taken = [rng.permutation(own[u])[: 1 + min(29, int(rng.poisson(6)))] for u in user]
    bags = [np.append(bag, bag[:1]) if rng.random() < 0.3 else bag for bag in taken]
    return Trace((TableLookups("list", items, np.concatenate(bags), _offsets([len(bag) for bag in bags])),))


def strangers(samples: int, seed: int, items: int = 20_000) -> Trace:
    """Bags of independent Zipf draws: nothing to find."""
    rng = np.random.default_rng(seed)
    sizes = rng.poisson(8, samples)
    return Trace((TableLookups("items", items, zipf_rows(rng, int(sizes.sum()), items, 1.0), _offsets(sizes)),))


def _offsets(sizes: Ints | list[int]) -> Ints:
    return np.concatenate(([0], np.cumsum(sizes, dtype=np.int64)))
