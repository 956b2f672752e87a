"""Pairing: which of a table's units stands in which sample, so that joint misses are right.

A unit is a lookup, a bag, or a run: successive samples that look up the same row of a one-hot table. Units keep their
order but for a window, and what comes again comes again about as soon as before. Where a unit ends, the next is taken
among those that wait, in proportion to how much likelier its classes are beside what the samples already hold: for a
run, that of its first sample, that it goes on beside the next ones, and that it ends where it does.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...jit import kernel

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

WAITING = 48  # units to choose among
AHEAD = 32  # samples of a run that are looked at
EARLY, LATE, SLACK = 0.25, 2.0, 8  # a row comes again after this part of its gap, and after that many of it and samples
NEVER = 2**62  # samples
FURTHEST = 1e3  # how much likelier, or less likely, anything is taken to be


class Units(NamedTuple):
    """Units in order, int64 [units] each. first: sample where one starts; samples: how many it takes; classes: of its
    first sample (a run's others have class 0); gaps: samples since its row's last run ended, 0 where it may come at any
    time; after: the row's next run, −1 for none."""

    first: Ints
    samples: Ints
    classes: Ints
    gaps: Ints
    after: Ints

    def soon(self) -> int:
        """Samples within which half of the units come again; many where fewer ever do."""
        return int(np.sort(np.where(self.gaps > 0, self.gaps, NEVER))[len(self.gaps) // 2])


def single(classes: Ints) -> Units:
    """Every sample a unit, a lookup or a bag, that may come at any time; classes: of every sample."""
    every = np.arange(len(classes))
    return Units(every, np.ones_like(every), classes, np.zeros_like(every), np.full_like(every, -1))


def runs(numbers: Ints, classes: Ints, rows: int) -> Units:
    """The runs of a one-hot table. numbers: dense rows, classes: both of every sample."""
    first = np.flatnonzero(np.concatenate(([True], numbers[1:] != numbers[:-1])))
    samples = np.diff(np.append(first, len(numbers)))
    return Units(first, samples, classes[first], *_neighbours(numbers[first], first, samples, rows))


def pair(state: Ints, units: Units, law: Floats, window: int, power: float, rng: np.random.Generator) -> Ints:
    """The sample whose lookups stand at every sample, int64 [samples], about `window` samples from its own place.

    state: what each sample already holds; law: share of each class beside every state, float64 [states, classes];
    power: of likelihoods, 1 for choices in proportion to them, more for likelier ones.
    """
    alone = np.bincount(units.classes, minlength=law.shape[1]).astype(np.float64)
    alone[0] += len(state) - len(units.first)
    alone /= max(len(state), 1)
    lift = _power(np.where(alone > 0, law / np.maximum(alone, 1e-12), 1.0), power)
    ends = _power((1 - law[:, 0]) / max(1 - alone[0], 1e-12), power)
    return _pair(state, *units, lift, ends, window, rng.random(len(units.first)))


def _power(likelihoods: Floats, power: float) -> Floats:
    return np.asarray(np.clip(likelihoods, 1 / FURTHEST, FURTHEST) ** power)


@kernel
def _neighbours(numbers: Ints, first: Ints, samples: Ints, rows: int) -> tuple[Ints, Ints]:
    """Gaps and next runs of runs of these rows."""
    last = np.full(rows, -1, np.int64)
    gaps = np.zeros(len(first), np.int64)
    after = np.full(len(first), -1, np.int64)
    for u in range(len(first)):
        before = last[numbers[u]]
        if before >= 0:
            gaps[u] = first[u] - first[before] - samples[before] + 1
            after[before] = u
        last[numbers[u]] = u
    return gaps, after


@kernel
def _pair(
    state: Ints,
    first: Ints,
    samples: Ints,
    classes: Ints,
    gaps: Ints,
    after: Ints,
    lift: Floats,
    ends: Floats,
    window: int,
    random: Floats,
) -> Ints:
    length, units = len(state), len(first)
    never = 2 * length + window  # what comes again has its time once the row was placed
    ready = np.where(gaps == 0, first - window, never)
    due = np.where(gaps == 0, first + window, never)
    out = np.empty(length, np.int64)
    wait = np.empty(WAITING, np.int64)
    weights = np.empty(WAITING)
    ahead = np.empty(AHEAD + 1)
    entered, waiting, s = 0, 0, 0
    soonest = never  # when a unit that waits is due, or before
    for placed in range(units):
        while entered < units and waiting < WAITING and (waiting == 0 or first[entered] <= s + window):
            wait[waiting] = entered
            soonest = min(soonest, due[entered])
            waiting += 1
            entered += 1
        chosen = -1
        if soonest <= s:
            chosen = _most_urgent(wait, waiting, due)
            soonest = due[wait[chosen]]
        if soonest > s:
            _weigh(state, s, wait[:waiting], ready, samples, classes, lift, ends, ahead, weights)
            chosen = _drawn(weights, waiting, random[placed])
            u = wait[chosen]
            for i in range(chosen):  # of its kind, what has waited longest
                if weights[i] > 0 and classes[wait[i]] == classes[u] and samples[wait[i]] == samples[u]:
                    chosen = i
                    break
        u = wait[chosen]
        waiting -= 1
        for i in range(chosen, waiting):
            wait[i] = wait[i + 1]
        for i in range(samples[u]):
            out[s + i] = first[u] + i
        s += samples[u]
        v = after[u]
        if v >= 0:
            ready[v] = max(first[v] - window, s - 1 + int(np.ceil(gaps[v] * EARLY)))
            due[v] = max(ready[v], min(first[v] + window, s - 1 + int(gaps[v] * LATE) + SLACK))
            if v < entered:
                soonest = min(soonest, due[v])
    return out


@kernel
def _most_urgent(wait: Ints, waiting: int, due: Ints) -> int:
    """The place in `wait` of the unit that is due first."""
    found = 0
    for i in range(1, waiting):
        if due[wait[i]] < due[wait[found]]:
            found = i
    return found


@kernel
def _weigh(
    state: Ints,
    s: int,
    wait: Ints,
    ready: Ints,
    samples: Ints,
    classes: Ints,
    lift: Floats,
    ends: Floats,
    ahead: Floats,
    weights: Floats,
) -> None:
    """weights: of every unit that waits and may come, how much likelier it is at sample s; 0 of the others.

    ahead: room for how much likelier it is that a run goes on for n samples and ends then.
    """
    known, going = 0, 1.0
    for i in range(len(wait)):
        u = wait[i]
        n = min(samples[u], AHEAD)
        while known < n:
            known += 1
            ahead[known] = going
            if s + known < len(state):
                ahead[known] *= ends[state[s + known]]
                going = min(max(going * lift[state[s + known], 0], 1e-30), 1e30)
        weights[i] = lift[state[s], classes[u]] * ahead[n] if ready[u] <= s else 0.0


@kernel
def _drawn(weights: Floats, waiting: int, random: float) -> int:
    """A place drawn in proportion to the weights; the first where nothing weighs anything."""
    total = 0.0
    for i in range(waiting):
        total += weights[i]
    chosen, target = 0, random * total
    for i in range(waiting):
        if weights[i] > 0:
            chosen = i
            target -= weights[i]
            if target <= 0:
                break
    return chosen
