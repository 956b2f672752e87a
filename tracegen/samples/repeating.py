"""Repeating: as many lookups repeat a row of their bag as released; lookups of bags not far apart change places.

Runs of repeats are exchanged as they stand, so that chains of rows are not torn apart, and hot lookups for hot ones, so
that what is cold in a bag stays; where none is near, for cold ones, but never for a row's first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...jit import kernel
from ..fit import simplex
from .kin import repeats
from .levels import grades

Ints = NDArray[np.int64]

CLEAR = 3.0  # noise deviations above which a number of samples is believed
REACH = 16  # bags that a lookup may move
TRIES = 24  # places looked at until one fits


def repeats_asked(table: Ints, noise: float, samples: int, most: int) -> float | None:
    """Lookups that repeat a row of their bag, in all; None where noise drowns it.

    table: of kin.repeat_table, exact or noisy.
    """
    law = grades(1, most, True)
    known = np.where(table > CLEAR * noise, table, 0).astype(np.float64)
    widest = np.append(law.edges[1:], most + 1) - 1
    middle = (law.edges + widest) / 2
    return float(simplex(known, float(samples)) @ middle) if known.sum() > 0 else None


def with_repeats(
    numbers: Ints, sizes: Ints, rows: int, passed: NDArray[np.uint8], asked: float, rng: np.random.Generator
) -> Ints:
    """The lookups in an order in which about `asked` of them repeat a row of their bag, as far as it goes.

    passed: of every lookup, 0 hot, 1 cold, 2 first (see levels.above).
    """
    bags = np.repeat(np.arange(len(sizes)), sizes)
    now = int(np.count_nonzero(repeats(numbers, bags, rows)))
    out, starts = numbers.copy(), np.concatenate(([0], np.cumsum(sizes)))
    if now > asked:
        doomed = repeats(out, bags, rows) & (passed == 0)
        _part(out, starts, bags, doomed, passed, rows, now - asked, rng)
    elif asked > now:
        _bring(out, starts, bags, passed, rows, asked - now, rng)
    return out


@kernel
def _part(
    out: Ints,
    starts: Ints,
    bags: Ints,
    doomed: NDArray[np.bool_],
    passed: NDArray[np.uint8],
    rows: int,
    excess: float,
    rng: np.random.Generator,
) -> None:
    """Exchange runs of repeats for as many lookups of a bag nearby, until there are `excess` fewer."""
    here = np.full(rows, -1, np.int64)  # the bag that a row was last entered for
    total = int(np.count_nonzero(doomed))
    chance = excess / max(total, 1)
    i = 0
    while i < len(out):
        stop = i + 1
        while doomed[i] and stop < len(out) and doomed[stop] and bags[stop] == bags[i]:
            stop += 1
        if not doomed[i] or rng.random() >= chance:
            i = stop
            continue
        s = bags[i]
        low, high = max(0, s - REACH), min(len(starts) - 1, s + REACH + 1)
        for turn in range(2 * TRIES):
            length = stop - i
            j = int(starts[low] + rng.random() * (starts[high] - starts[low]))
            if j + length > len(out) or bags[j] == s or bags[j + length - 1] != bags[j]:
                continue
            for k in range(starts[s], starts[s + 1]):
                if k < i or k >= stop:
                    here[out[k]] = s
            fits = True
            for k in range(length):
                fits = fits and passed[j + k] <= turn // TRIES and not doomed[j + k] and here[out[j + k]] != s
            for k in range(starts[s], starts[s + 1]):
                here[out[k]] = -1
            t = bags[j]
            for k in range(starts[t], starts[t + 1]):
                if k < j or k >= j + length:
                    here[out[k]] = t
            for k in range(i, stop):
                fits = fits and here[out[k]] != t
            for k in range(starts[t], starts[t + 1]):
                here[out[k]] = -1
            if fits:
                for k in range(length):
                    out[i + k], out[j + k] = out[j + k], out[i + k]
                break
        i = stop


@kernel
def _bring(
    out: Ints,
    starts: Ints,
    bags: Ints,
    passed: NDArray[np.uint8],
    rows: int,
    lacking: float,
    rng: np.random.Generator,
) -> None:
    """Bring the next lookup of a row into a bag that holds it, in exchange for another of the bag."""
    following = np.full(len(out), -1, np.int64)
    last = np.full(rows, -1, np.int64)
    for i in range(len(out)):
        if last[out[i]] >= 0:
            following[last[out[i]]] = i
        last[out[i]] = i
    chance = lacking / max(len(out), 1)
    done = 0.0
    for i in range(len(out)):
        done += chance
        tries = 0
        while done >= 1 and tries < TRIES:
            tries += 1
            s = bags[i]
            begin, end = starts[s], starts[s + 1]
            anchor = begin + int(rng.random() * (end - begin))
            j = following[anchor]
            place = begin + int(rng.random() * (end - begin))
            if j < 0 or out[j] != out[anchor] or bags[j] == s or bags[j] > s + REACH:
                continue
            if place == anchor or out[place] == out[anchor] or passed[place] > 0 or passed[j] > 0:
                continue
            t, there = bags[j], False
            for k in range(starts[t], starts[t + 1]):
                there = there or out[k] == out[place]
            if not there:
                out[place], out[j] = out[j], out[place]
                done -= 1
