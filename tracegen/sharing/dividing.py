"""Dividing: which feature of a shared table makes each lookup of a synthetic one.

Every row's lookups are divided among the features as released, hot rows by what is known of each, others by what is
known of rows as often looked up. Then every slot takes one of the next lookups (see filling.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..clock import feature_of
from ..locality import count_class
from ..popularity import expand
from ..profile import FeatureProfile, TableLocality, TableProfile
from ..samples.bags import in_succession
from .filling import CLEAR, Filling, fitted_lifts, packed, unpacked
from .owners import heat_of, mix_of, mixes

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

ROUNDS = 40  # of fitting shares to the features' lookups


def feature_sizes(table: TableProfile, rng: np.random.Generator) -> Ints:
    """Lookups of every feature in every sample, int64 [features, samples], in succession as released."""
    noise = {} if table.locality is None else table.locality.noise
    return np.array([_sizes(feature, noise.get("steps", 0.0), rng) for feature in table.features], np.int64)


def _sizes(feature: FeatureProfile, noise: float, rng: np.random.Generator) -> Ints:
    sizes = expand(feature.sizes)
    if feature.steps is None:
        return sizes
    return in_succession(sizes, feature.steps.array(), noise, feature.per_sample, rng)


def feature_slots(sizes: Ints, per_sample: Sequence[int], sample: Ints) -> Ints:
    """The slots that features' bags fill, int64 [lookups], rising; sizes: features × samples, which stand at `sample`
    on the clock."""
    every, start = [], 0
    for size, most in zip(sizes, per_sample, strict=True):
        first = np.repeat(sample * sum(per_sample) + start - (np.cumsum(size) - size), size)
        every.append(first + np.arange(len(first)))
        start += most
    return every[0] if len(every) == 1 else np.sort(np.concatenate(every), kind="stable")


def divided(table: TableProfile, order: Ints, slots: Ints, rng: np.random.Generator) -> Ints:
    """The table's lookups in an order in which those at each feature's slots are of rows that it looks up.

    order: rows, 0 the most popular, in time order; slots: that they fill.
    """
    quotas, filling = _asked(table, order, slots, rng)
    lifts = fitted_lifts(table, quotas, filling) if table.lifts is None else unpacked(table.lifts)
    return filling.filled(quotas, lifts)


def with_lifts(table: TableProfile, order: Ints, slots: Ints, rng: np.random.Generator) -> TableProfile:
    """The table with what `divided` finds out anew where it is missing; order: before it was divided."""
    return msgspec.structs.replace(table, lifts=packed(fitted_lifts(table, *_asked(table, order, slots, rng))))


def _asked(table: TableProfile, order: Ints, slots: Ints, rng: np.random.Generator) -> tuple[Ints, Filling]:
    """Lookups of every row by feature, and the order that is to be divided so."""
    per_sample = [feature.per_sample for feature in table.features]
    owner = feature_of(slots, per_sample)
    totals = np.bincount(owner, minlength=len(per_sample))
    counts = np.bincount(order, minlength=table.distinct)
    known = table.locality
    weights = np.zeros((len(counts), len(totals))) if known is None else _weights(known, counts, per_sample, rng)
    quotas = whole_lookups(fitted_shares(weights, counts, totals), counts, totals)
    hot = 0 if known is None or known.owners is None else min(known.owners.shape[0], len(counts))
    rank = np.where(np.arange(len(counts)) < hot, np.arange(len(counts)), -1)
    length = int(slots.max(initial=0)) + 1 if known is None else known.length
    filling = Filling(
        order, slots, owner, heat_of(rank, hot), len(totals), length, table.samples, rng.random(len(order))
    )
    return quotas, filling


def _weights(locality: TableLocality, counts: Ints, per_sample: Sequence[int], rng: np.random.Generator) -> Floats:
    """How each row divides, float64 [rows, features], but for a factor per feature; zeros where nothing is known."""
    kinds = len(per_sample)
    weights = np.zeros((len(counts), kinds))
    if locality.owners is None or locality.mixes is None:
        return weights
    hot = min(locality.owners.shape[0], len(counts))
    owners = locality.owners.array()[:hot].reshape(hot, kinds).astype(np.float64)
    weights[:hot] = _clear(owners, locality.noise["owners"])
    table, noise, every = locality.mixes.array().astype(np.float64), locality.noise["mixes"], mixes(kinds)
    clear, overall = _clear(table, noise), _clear(table.sum(0), noise * len(table) ** 0.5)
    if overall.sum() == 0:  # then as the hot ones
        known = weights[weights.sum(1) > 0]
        overall = np.bincount(mix_of(known, np.array(per_sample)), minlength=len(every)).astype(np.float64)
    classes = count_class(counts)
    for c in np.unique(classes[hot:]):
        mine = hot + np.flatnonzero(classes[hot:] == c)
        law = clear[c] if clear[c].sum() > 0 else overall
        if law.sum() > 0:
            weights[mine] = every[rng.permutation(_drawn(law, len(mine)))] * per_sample
    return weights


def _clear(counts: Floats, noise: float) -> Floats:
    return np.where(counts > CLEAR * noise, counts, 0.0)


def _drawn(law: Floats, draws: int) -> Ints:
    """As many numbers of each kind as the law says, to the nearest whole."""
    ends = np.cumsum(law) / law.sum() * draws
    return np.asarray(np.searchsorted(ends, np.arange(draws) + 0.5, "right").clip(0, len(law) - 1), np.int64)


def fitted_shares(weights: Floats, counts: Ints, totals: Ints) -> Floats:
    """Each row's share of every feature, float64 [rows, features]: its weights times a factor for every feature, so
    that the features get their totals as far as weights allow. A row without weights is like all."""
    weights = np.where(weights.sum(1, keepdims=True) > 0, weights, totals + 1e-9)
    factors = np.ones(len(totals))
    for _ in range(ROUNDS):
        shares = weights * factors
        shares /= np.maximum(shares.sum(1, keepdims=True), 1e-300)
        factors = factors * (totals + 1e-9) / (counts @ shares + 1e-9)
        factors /= factors.sum()
    return np.asarray(shares)


def whole_lookups(shares: Floats, counts: Ints, totals: Ints) -> Ints:
    """Lookups of every row by feature, int64 [rows, features]: near counts × shares, with both sums kept."""
    quotas = np.zeros(shares.shape, np.int64)
    left, rest = counts.copy(), np.ones(len(counts))
    for k in range(shares.shape[1] - 1):
        part = np.clip(shares[:, k] / np.maximum(rest, 1e-12), 0, 1)
        taken = np.diff(np.round(np.cumsum(left * part) + 1e-6), prepend=0).astype(np.int64)
        quotas[:, k] = np.clip(taken, 0, left)
        left, rest = left - quotas[:, k], rest - shares[:, k]
    quotas[:, -1] = left
    return _balanced(quotas, totals)


def _balanced(quotas: Ints, totals: Ints) -> Ints:
    """The same with columns that sum to `totals`: first of rows that both features look up, in proportion."""
    made = quotas.copy()
    for mixed in (True, False):
        for k in range(made.shape[1]):
            for j in range(made.shape[1]):
                surplus = made.sum(0) - totals
                much = int(min(surplus[k], -surplus[j]))
                if much <= 0:
                    continue
                room = np.where(made[:, j] > 0, np.maximum(made[:, k] - 1, 0), 0) if mixed else made[:, k]
                much = min(much, int(room.sum()))
                if much > 0:
                    ends = np.floor(np.cumsum(room) * (much / room.sum()) + 1e-9)
                    moved = np.minimum(np.diff(ends, prepend=0).astype(np.int64), room)
                    made[:, k] -= moved
                    made[:, j] += moved
    return made
