"""Pairing: which of a table's units (lookups, or bags) stands in which sample, so that joint misses are right.

A table's units keep their order but for a window: at every sample one of the next units is taken, by class, in
proportion to how many of that class wait and to how much likelier the class is beside what the sample already holds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...jit import kernel

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def pair(state: Ints, classes: Ints, lift: Floats, window: int, rng: np.random.Generator) -> Ints:
    """The unit that stands at every sample, int64 [samples], at most `window` samples from its own place.

    state: what each sample already holds; classes: of every unit in order, both [samples]; lift: float64 [states,
    classes], likelihood of a class beside a state over its likelihood alone.
    """
    cells = lift.shape[1]
    queue = np.argsort(classes, kind="stable")
    starts = np.searchsorted(classes[queue], np.arange(cells + 1))
    return _pair(state, classes, queue, starts.astype(np.int64), lift, window, rng.random(len(state)))


@kernel
def _pair(state: Ints, classes: Ints, queue: Ints, starts: Ints, lift: Floats, window: int, random: Floats) -> Ints:
    samples, cells = len(state), lift.shape[1]
    out = np.empty(samples, np.int64)
    head = starts[:-1].copy()
    waiting = np.zeros(cells, np.int64)
    weights = np.empty(cells)
    entered = 0
    for s in range(samples):
        while entered < samples and entered <= s + window:
            waiting[classes[entered]] += 1
            entered += 1
        total = 0.0
        oldest, of_oldest = samples, 0
        for c in range(cells):
            weights[c] = 0.0
            if waiting[c] > 0:
                weights[c] = waiting[c] * lift[state[s], c]
                total += weights[c]
                if queue[head[c]] < oldest:
                    oldest, of_oldest = queue[head[c]], c
        chosen = of_oldest
        if s - oldest < window and total > 0:
            target = random[s] * total
            for c in range(cells):
                target -= weights[c]
                if weights[c] > 0 and target <= 0:
                    chosen = c
                    break
        out[s] = queue[head[chosen]]
        head[chosen] += 1
        waiting[chosen] -= 1
    return out
