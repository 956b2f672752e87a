"""Made click logs of several tables whose fields hang together: what whole samples must keep, without anybody's log."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..scenarios import sessions, zipf_ranks
from ..trace import TableLookups, Trace

Ints = NDArray[np.int64]


def clicks(samples: int, seed: int, users: int = 4_000, items: int = 20_000, loyalty: float = 0.5) -> Trace:
    """Users come in sessions; country and device copy the user, category and tags the item, history is a bag.

    Five one-hot tables (user, country, device, item, category) and two of bags: tags (0 … 5, fixed for an item) and
    history (the user's last items, at most 12). With probability `loyalty` a user takes one of 16 favourites, else
    what is popular.
    """
    rng = np.random.default_rng(seed)
    user = sessions(samples, seed, users, mean_length=6.0, pause=60.0)
    known = int(user.max()) + 1
    favourites = zipf_rows(rng, known * 16, items, 0.7).reshape(known, 16)
    own = favourites[user, np.minimum(rng.geometric(0.25, samples) - 1, 15)]
    item = np.where(rng.random(samples) < loyalty, own, zipf_rows(rng, samples, items, 0.9))
    number_of_tags = rng.binomial(5, 0.35, items)
    tags, tag_offsets = _tags(rng, item, number_of_tags)
    history, history_offsets = _history(user, item, 12)
    return Trace(
        (
            TableLookups("user", known, user),
            TableLookups("country", 60, zipf_rows(rng, known, 60, 1.0)[user]),
            TableLookups("device", 500, (zipf_rows(rng, known, 250, 1.0) * 2)[user] + (rng.random(samples) < 0.05)),
            TableLookups("item", items, item),
            TableLookups("category", 400, zipf_rows(rng, items, 400, 0.6)[item]),
            TableLookups("tags", 3_000, tags, tag_offsets),
            TableLookups("history", items, history, history_offsets),
        )
    )


def groceries(
    samples: int, seed: int, households: int = 1_500, stores: int = 120, products: int = 12_000, lines: float = 2.2
) -> Trace:
    """Lines of baskets, each with its household, its store and its own number; about `lines` lines of a basket follow
    one another, now and then with another basket's in between.

    Four one-hot tables: household, store, product, basket. A household shops mostly in its own store, some far more
    often than others, and buys one of 24 favourites half of the time, else what is popular.
    """
    rng = np.random.default_rng(seed)
    length = rng.geometric(1 / lines, int(2 * samples / lines) + 16)
    households_of = zipf_rows(rng, len(length), households, 0.5)
    home = zipf_rows(rng, households, stores, 0.7)[households_of]
    store_of = np.where(rng.random(len(length)) < 0.85, home, zipf_rows(rng, len(length), stores, 0.7))
    favourites = zipf_rows(rng, households * 24, products, 0.6).reshape(households, 24)
    basket = np.repeat(np.arange(len(length)), length)
    late = np.arange(len(basket)) + rng.exponential(2.0, len(basket)) * (rng.random(len(basket)) < 0.06)
    basket = basket[np.argsort(late, kind="stable")][:samples]
    household = households_of[basket]
    own = favourites[household, np.minimum(rng.geometric(0.15, samples) - 1, 23)]
    product = np.where(rng.random(samples) < 0.5, own, zipf_rows(rng, samples, products, 0.8))
    return Trace(
        (
            TableLookups("household", households, household),
            TableLookups("store", stores, store_of[basket]),
            TableLookups("product", products, product),
            TableLookups("basket", len(length), basket),
        )
    )


def airline(
    samples: int, seed: int, planes: int = 150, airports: int = 400, hubs: int = 3, homing: float = 0.45
) -> Trace:
    """Flights in order of time: one-hot features plane, origin and dest, of which the latter two are airports.

    A plane leaves where it landed. From elsewhere it flies to its hub with probability `homing`; else to an airport by
    Zipf's law. A few airports are only arrived at, as where ferries and broken planes leave a log.
    """
    rng = np.random.default_rng(seed)
    plane = zipf_rows(rng, samples, planes, 0.3)
    home = rng.integers(0, hubs, planes)[plane]
    order = np.argsort(plane, kind="stable")
    to_hub = rng.random(samples) < homing
    dest = np.where(to_hub, home, zipf_rows(rng, samples, airports, 0.9))
    origin = np.empty(samples, np.int64)
    origin[order[1:]] = dest[order[:-1]]
    first = np.concatenate(([True], plane[order][1:] != plane[order][:-1]))
    lost = first | (origin[order] % 10 == 9)  # another plane comes from a hub instead
    origin[order[lost]] = home[order[lost]]
    dest = np.where(dest == origin, (dest + 1) % airports, dest)
    names = (("plane", planes, plane), ("origin", airports, origin), ("dest", airports, dest))
    return Trace(tuple(TableLookups(*each) for each in names))


def independent_fields(samples: int, seed: int, tables: int = 6) -> Trace:
    """Zipf draws, every table for itself: nothing for a coupling to find."""
    rng = np.random.default_rng(seed)
    sizes = [30 * 8**k for k in range(tables)]
    return Trace(tuple(TableLookups(f"t{k}", n, zipf_rows(rng, samples, n, 0.9)) for k, n in enumerate(sizes)))


def _tags(rng: np.random.Generator, item: Ints, number: Ints) -> tuple[Ints, Ints]:
    first = np.concatenate(([0], np.cumsum(number)))
    pool = zipf_rows(rng, int(first[-1]), 3_000, 0.8)
    sizes = number[item]
    offsets = np.concatenate(([0], np.cumsum(sizes)))
    return pool[np.repeat(first[item] - offsets[:-1], sizes) + np.arange(int(offsets[-1]))], offsets


def _history(user: Ints, item: Ints, most: int) -> tuple[Ints, Ints]:
    """The last `most` items of the sample's user before it, the latest first."""
    order = np.argsort(user, kind="stable")
    rank = np.empty(len(user), np.int64)
    place = np.empty(len(user), np.int64)
    place[order] = np.arange(len(user))
    first = np.concatenate(([True], user[order][1:] != user[order][:-1]))
    starts = np.maximum.accumulate(np.where(first, np.arange(len(user)), 0))
    rank[order] = np.arange(len(user)) - starts
    sizes = np.minimum(rank, most)
    offsets = np.concatenate(([0], np.cumsum(sizes)))
    back = np.arange(int(offsets[-1])) - np.repeat(offsets[:-1], sizes) + 1
    return item[order][np.repeat(place, sizes) - back], offsets


def zipf_rows(rng: np.random.Generator, draws: int, rows: int, exponent: float) -> Ints:
    """Rows drawn by Zipf's law; the popular ones bear any numbers."""
    return np.asarray(rng.permutation(rows)[zipf_ranks(rng, draws, rows, exponent)], np.int64)
