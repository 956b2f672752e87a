"""Filling: every slot of a shared table takes one of the next lookups, whose row has some left for the slot's feature.

Among those that wait, one is taken in proportion to the part of its row's lookups that is left for the feature, and to
how much likelier than so a lookup must be, by its row's feature before and the time since, to bring about the released
`passes`. How much that is, is found by filling several times.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...jit import kernel
from ..locality import octaves
from ..packed import Packed
from ..profile import TableProfile
from .owners import HEATS, by_before, pass_table

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

CLEAR = 3.0  # noise deviations above which a count is believed
TURNS = 8  # of filling, each of which corrects what the last made of `passes`
STRONGEST = 1000.0  # how much likelier, or less likely, a lookup may become
WAITING = 24  # lookups to choose among
SEEN = 192  # and how many are looked at to find them
ROOM = 4.0  # samples' lookups between two that wait, after which the later is less likely by a factor of e
STEPS = 100  # of a stored logarithm


class Filling(NamedTuple):
    """What is to be filled. order: rows as they come; slots: that they take, rising; owner: the feature of every slot;
    heat: of every row; kinds: features; length: slots of the clock; random: a number in 0 … 1 for every slot."""

    order: Ints
    slots: Ints
    owner: Ints
    heat: Ints
    kinds: int
    length: int
    samples: int
    random: Floats

    def filled(self, quotas: Ints, lifts: Floats) -> Ints:
        """The rows in the order of the slots; quotas: lookups of every row by feature, with the sums that rows and
        features have; lifts: heat × feature before, the last for none × own × octave of the time between."""
        room = ROOM * len(self.order) / max(self.samples, 1)
        fading = np.exp(-np.arange(SEEN) / max(room, 1e-9))
        return _fill(self.order, self.slots, self.owner, quotas.copy(), self.heat, lifts, self.random, fading)

    def even(self) -> Floats:
        """Lifts that know nothing."""
        return np.ones((HEATS, self.kinds + 1, self.kinds, octaves(self.length)))


def fitted_lifts(table: TableProfile, quotas: Ints, filling: Filling) -> Floats:
    """The lifts that make `passes` as released, as far as that goes."""
    lifts = filling.even()
    if table.locality is None or table.locality.passes is None:
        return lifts
    wanted = by_before(table.locality.passes.array(), filling.kinds)
    noise = CLEAR * table.locality.noise["passes"]
    for _ in range(TURNS - 1):
        rows = filling.filled(quotas, lifts)
        seen = pass_table(rows, filling.slots, filling.owner, filling.heat, filling.kinds, filling.length)
        found = by_before(seen, filling.kinds)
        asked = np.clip(found, wanted - noise, wanted + noise)  # what noise could explain stays
        lifts = np.clip(lifts * (np.maximum(asked, 0) + 1) / (found + 1), 1 / STRONGEST, STRONGEST)
    return lifts


def packed(lifts: Floats) -> Packed:
    """Lifts for a file: their logarithms in steps of 1 %."""
    return Packed.of(np.round(STEPS * np.log(lifts)).astype(np.int64))


def unpacked(lifts: Packed) -> Floats:
    """Lifts of a file."""
    return np.asarray(np.exp(lifts.array() / STEPS))


@kernel
def _fill(
    order: Ints, slots: Ints, owner: Ints, left: Ints, heat: Ints, lifts: Floats, random: Floats, fading: Floats
) -> Ints:
    """left: lookups of every row by feature, used up; fading: by how many lookups later one stands."""
    kinds = left.shape[1]
    out = np.empty(len(order), np.int64)
    taken = np.zeros(len(order), np.bool_)
    all_left = left.sum(1)
    next_of = np.zeros(kinds, np.int64)  # no lookup before it is left for a feature
    last = np.zeros(len(left), np.int64)
    before = np.full(len(left), kinds)
    waiting = np.empty(WAITING, np.int64)
    weights = np.empty(WAITING)
    for i in range(len(order)):
        own = owner[i]
        j = next_of[own]
        while taken[j] or left[order[j], own] == 0:
            j += 1
        next_of[own] = first = j
        found, total = 0, 0.0
        while found < WAITING and j < len(order) and j < first + len(fading):
            row = order[j]
            if not taken[j] and left[row, own] > 0:
                octave = 0
                since = slots[i] + 1 - last[row] if last[row] > 0 else 1
                while since > 1:
                    since >>= 1
                    octave += 1
                waiting[found] = j
                lift = lifts[heat[row], before[row], own, octave]
                weights[found] = lift * fading[j - first] * left[row, own] / all_left[row]
                total += weights[found]
                found += 1
            j += 1
        chosen, target = 0, random[i] * total
        for c in range(found):
            chosen = c
            target -= weights[c]
            if target <= 0:
                break
        row = order[waiting[chosen]]
        for c in range(chosen):  # the first of the row's lookups
            if order[waiting[c]] == row:
                chosen = c
                break
        out[i] = row
        taken[waiting[chosen]] = True
        left[row, own] -= 1
        all_left[row] -= 1
        last[row], before[row] = slots[i] + 1, own
    return out
