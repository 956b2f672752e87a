"""Dividing: which feature of a shared table makes each lookup of a synthetic one.

Every row's lookups are divided among the features as released, hot rows by what is known of each, others by what is
known of rows as often looked up. Then, in the order of time, each lookup gets the feature that its row still has to
give, that follows the row's feature before as often as released, and that is behind in its share. At last each
feature's lookups take that feature's slots, in their order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...jit import kernel
from ..clock import feature_of
from ..locality import count_class
from ..popularity import expand
from ..profile import FeatureProfile, TableLocality, TableProfile
from .bags import in_succession
from .owners import mix_of, mixes, pass_table, passes_in

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

CLEAR = 3.0  # noise deviations above which a count is believed
ROUNDS = 40  # of fitting shares to the features' lookups
TURNS = 4  # of dividing, each of which corrects what the last made of `passes`
STRONG = 30.0  # how much likelier, or less likely, a feature may be made at a turn's end
ROOM = 8.0  # samples that a feature may be ahead of its share before others are clearly preferred


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
    per_sample = [feature.per_sample for feature in table.features]
    owner = feature_of(slots, per_sample)
    kinds, totals = len(per_sample), np.bincount(owner, minlength=len(per_sample))
    counts = np.bincount(order, minlength=table.distinct)
    weights = (
        np.ones((len(counts), kinds)) if table.locality is None else _weights(table.locality, counts, per_sample, rng)
    )
    quotas = whole_lookups(fitted_shares(weights, counts, totals, per_sample), counts, totals)
    wanted = None if table.locality is None else _passes(table.locality, kinds)
    given = _given(order, slots, owner, quotas, wanted, sum(per_sample), rng)
    out = np.empty_like(order)
    out[np.argsort(owner, kind="stable")] = order[np.argsort(given, kind="stable")]
    return out


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
            weights[mine] = every[rng.permutation(_drawn(law, len(mine)))]
    return weights


def _clear(counts: Floats, noise: float) -> Floats:
    return np.where(counts > CLEAR * noise, counts, 0.0)


def _drawn(law: Floats, draws: int) -> Ints:
    """As many numbers of each kind as the law says, to the nearest whole."""
    ends = np.cumsum(law) / law.sum() * draws
    return np.asarray(np.searchsorted(ends, np.arange(draws) + 0.5, "right").clip(0, len(law) - 1), np.int64)


def fitted_shares(weights: Floats, counts: Ints, totals: Ints, per_sample: Sequence[int]) -> Floats:
    """Each row's share of every feature, float64 [rows, features]: its weights times a factor for every feature, so
    that the features get their totals as far as weights allow. A row without weights is like all."""
    weights = np.where(weights.sum(1, keepdims=True) > 0, weights, 1.0)
    factors = np.maximum(totals, 1e-9) / max(totals.sum(), 1)
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


def _passes(locality: TableLocality, kinds: int) -> Floats | None:
    """Lookups by feature before × own × octave, without what noise could make; None where they are not known."""
    if locality.passes is None:
        return None
    found = passes_in(locality.passes.array(), kinds).astype(np.float64)
    return _clear(found, locality.noise["passes"])


def _given(
    order: Ints, slots: Ints, owner: Ints, quotas: Ints, wanted: Floats | None, most: int, rng: np.random.Generator
) -> Ints:
    """The feature of every lookup, each row's as often as its quotas say."""
    kinds, rows, length = quotas.shape[1], len(quotas), int(slots[-1]) + 1 if len(slots) else 1
    random = rng.random(len(order))
    if wanted is None:
        return _give(order, slots, owner, quotas.copy(), np.ones((kinds, kinds, 64)), random, ROOM)
    lift = np.ones_like(wanted)
    known = wanted.sum(1, keepdims=True) > 0
    for turn in range(TURNS):
        given = _give(order, slots, owner, quotas.copy(), lift, random, ROOM)
        if turn < TURNS - 1:
            made = passes_in(pass_table(order, slots, given, rows, kinds, length), kinds).astype(np.float64)
            made = np.pad(made, ((0, 0), (0, 0), (0, wanted.shape[2] - made.shape[2])))
            asked = wanted / np.maximum(wanted.sum(1, keepdims=True), 1e-9) * made.sum(1, keepdims=True)
            lift = np.where(known, np.clip(lift * (asked + 1) / (made + 1), 1 / STRONG, STRONG), 1.0)
    return given


@kernel
def _give(order: Ints, slots: Ints, owner: Ints, left: Ints, lift: Floats, random: Floats, room: float) -> Ints:
    """left: lookups that every row still has to give each feature; lift: how much likelier a feature is made by the
    row's before and the octave of the slots between."""
    kinds = left.shape[1]
    out = np.empty(len(order), np.int64)
    last = np.zeros(len(left), np.int64)
    before = np.zeros(len(left), np.int64)
    ahead = np.zeros(kinds)
    weights = np.empty(kinds)
    for i in range(len(order)):
        row, octave = order[i], 0
        ahead[owner[i]] -= 1
        reuse = slots[i] + 1 - last[row]
        while reuse > 1:
            reuse >>= 1
            octave += 1
        total = 0.0
        for k in range(kinds):
            weights[k] = left[row, k] * np.exp(-min(max(ahead[k] / room, -20.0), 20.0))
            if last[row] > 0:
                weights[k] *= lift[before[row], k, octave]
            total += weights[k]
        chosen, target = -1, random[i] * total
        for k in range(kinds):
            if left[row, k] > 0:
                chosen = k
                target -= weights[k]
                if target <= 0:
                    break
        out[i] = chosen
        left[row, chosen] -= 1
        ahead[chosen] += 1
        last[row], before[row] = slots[i] + 1, chosen
    return out
