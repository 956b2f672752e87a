"""Repeating: as many lookups repeat a row of their bag as released; lookups of bags not far apart change places.

What is exchanged are hot lookups alone, and runs of repeats as they stand, so that neither what is cold in a bag nor
chains of rows are torn apart.
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
    numbers: Ints, sizes: Ints, rows: int, hot: NDArray[np.bool_], asked: float, rng: np.random.Generator
) -> Ints:
    """The lookups in an order in which about `asked` of them repeat a row of their bag, as far as it goes.

    hot: of every lookup, whether it may change places.
    """
    bags = np.repeat(np.arange(len(sizes)), sizes)
    now = int(np.count_nonzero(repeats(numbers, bags, rows)))
    out, starts = numbers.copy(), np.concatenate(([0], np.cumsum(sizes)))
    if now > asked:
        doomed = repeats(out, bags, rows) & hot
        _part(out, starts, bags, doomed, hot, rows, now - asked, rng)
    elif asked > now:
        _bring(out, starts, bags, hot, rows, asked - now, rng)
    return out


@kernel
def _part(
    out: Ints,
    starts: Ints,
    bags: Ints,
    doomed: NDArray[np.bool_],
    hot: NDArray[np.bool_],
    rows: int,
    excess: float,
    rng: np.random.Generator,
) -> None:
    """Exchange runs of repeats for as many lookups of a bag nearby, until there are `excess` fewer."""
    here = np.full(rows, -1, np.int64)  # the bag that a row was last entered for
    total = np.count_nonzero(doomed)
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
        for _ in range(TRIES):
            length = stop - i
            j = int(starts[low] + rng.random() * (starts[high] - starts[low]))
            if j + length > len(out) or bags[j] == s or bags[j + length - 1] != bags[j]:
                continue
            for k in range(starts[s], starts[s + 1]):
                if k < i or k >= stop:
                    here[out[k]] = s
            fits = True
            for k in range(length):
                fits = fits and hot[j + k] and not doomed[j + k] and here[out[j + k]] != s
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
    hot: NDArray[np.bool_],
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
            if place == anchor or out[place] == out[anchor] or not hot[place] or not hot[j]:
                continue
            t, there = bags[j], False
            for k in range(starts[t], starts[t + 1]):
                there = there or out[k] == out[place]
            if not there:
                out[place], out[j] = out[j], out[place]
                done -= 1
