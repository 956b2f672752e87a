"""Made traces of one table with one known temporal habit each: what a generator must cope with, without anybody's log.

Every function takes a number of lookups and a seed and returns row ids, int64 [lookups], dense from 0 in order of
first appearance. Rows are hashed in spirit: ids carry no meaning.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]


def zipf(lookups: int, seed: int, rows: int = 50_000, exponent: float = 1.0) -> Ids:
    """Independent draws, the k-th row in proportion to k^−exponent: no locality beyond popularity."""
    rng = np.random.default_rng(seed)
    return _dense(zipf_ranks(rng, lookups, rows, exponent))


def sessions(lookups: int, seed: int, users: int = 30_000, mean_length: float = 8.0, pause: float = 400.0) -> Ids:
    """Users come in sessions: bursts of about `mean_length` lookups, `pause` slots apart on average within one."""
    rng = np.random.default_rng(seed)
    lengths = rng.geometric(1 / mean_length, int(2 * lookups / mean_length) + 16)
    starts = rng.uniform(0, lookups, len(lengths))
    users_of = zipf_ranks(rng, len(lengths), users, 0.6)
    return _in_time_order(starts, lengths, users_of, rng.exponential(pause, int(lengths.sum())), lookups)


def news(lookups: int, seed: int, articles: int = 20_000, life: float = 0.01, background: float = 0.2) -> Ids:
    """Articles appear all the time, are hot for about `life` of the trace and die; the rest is a stable Zipf tail."""
    rng = np.random.default_rng(seed)
    fame = rng.pareto(1.1, articles) + 0.05
    old = rng.random(lookups) < background
    picked = rng.choice(articles, lookups, p=fame / fame.sum())
    times = rng.uniform(-life, 1, articles)[picked] + rng.exponential(life * rng.uniform(0.3, 2, articles)[picked])
    times[old] = rng.random(int(old.sum()))
    picked[old] = articles + zipf_ranks(rng, int(old.sum()), 20_000, 0.9)
    inside = (times >= 0) & (times < 1)
    order = np.argsort(times[inside], kind="stable")
    ids = picked[inside][order]
    return _dense(np.resize(ids, lookups) if len(ids) < lookups else ids[:lookups])


def loops(lookups: int, seed: int, loop_rows: int = 4_000, share: float = 0.5, exponent: float = 0.8) -> Ids:
    """A scan that goes round and round over `loop_rows` rows takes `share` of the lookups, a Zipf mix the rest."""
    rng = np.random.default_rng(seed)
    looping = rng.random(lookups) < share
    ids = loop_rows + zipf_ranks(rng, lookups, 5 * loop_rows, exponent)
    ids[looping] = np.arange(int(looping.sum())) % loop_rows
    return _dense(ids)


def phases(lookups: int, seed: int, working_set: int = 3_000, mean_length: int = 20_000, groups: int = 12) -> Ids:
    """Working sets that take turns and return; now and then a scan of rows that nobody needs again."""
    rng = np.random.default_rng(seed)
    parts: list[Ids] = []
    done, fresh = 0, groups * working_set
    while done < lookups:
        length = int(rng.exponential(mean_length)) + 1
        if rng.random() < 0.15:
            part = fresh + np.arange(length // 4 + 1)
            fresh += len(part)
        else:
            part = int(rng.integers(groups)) * working_set + zipf_ranks(rng, length, working_set, 0.7)
        parts.append(part.astype(np.int64))
        done += len(part)
    return _dense(np.concatenate(parts)[:lookups])


def retail(lookups: int, seed: int, customers: int = 4_000, products: int = 20_000, loyalty: float = 0.6) -> Ids:
    """Products in baskets: customers buy their own favourites again, with seasons in what everybody buys."""
    rng = np.random.default_rng(seed)
    favourites = zipf_ranks(rng, customers * 20, products, 0.7).reshape(customers, 20)
    customer = np.repeat(zipf_ranks(rng, lookups, customers, 0.5), rng.geometric(0.15, lookups))[:lookups]
    own = favourites[customer, np.minimum(rng.geometric(0.2, lookups) - 1, 19)]
    season = (np.arange(lookups) * 8 // lookups) * (products // 40)
    common = (zipf_ranks(rng, lookups, products, 0.9) + season) % products
    return _dense(np.where(rng.random(lookups) < loyalty, own, common))


def drift(lookups: int, seed: int, rows: int = 30_000, exponent: float = 0.9, turnover: float = 3.0) -> Ids:
    """A Zipf law whose ranks shift by `turnover` times the head of 1,000 rows over the trace: what was hot cools."""
    rng = np.random.default_rng(seed)
    ranks = zipf_ranks(rng, lookups, rows, exponent)
    shift = (np.arange(lookups) / lookups * turnover * 1000).astype(np.int64)
    return _dense(np.where(ranks < 1000, (ranks * 7919 + shift) % 4000, 4000 + ranks))


SCENARIOS: dict[str, Callable[..., Ids]] = {f.__name__: f for f in (zipf, sessions, news, loops, phases, retail, drift)}


def zipf_ranks(rng: np.random.Generator, draws: int, rows: int, exponent: float) -> Ids:
    """Ranks drawn by Zipf's law, 0 the most likely."""
    cdf = np.cumsum(np.arange(1, rows + 1, dtype=np.float64) ** -exponent)
    return np.asarray(np.searchsorted(cdf, rng.random(draws) * cdf[-1]), np.int64)


def _in_time_order(starts: Any, lengths: Any, owners: Any, pauses: Any, lookups: int) -> Ids:
    """Lookups of bursts that overlap, by time; the first `lookups` of them."""
    first = np.cumsum(lengths) - lengths
    steps = np.cumsum(pauses)
    times = np.repeat(starts, lengths) + steps - np.repeat(steps[first], lengths)
    ids = np.repeat(owners, lengths)[np.argsort(times, kind="stable")]
    return _dense(np.resize(ids, lookups) if len(ids) < lookups else ids[:lookups])


def _dense(ids: NDArray[Any]) -> Ids:
    """The same ids numbered in order of first appearance."""
    _, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first))
    return rank[inverse]
