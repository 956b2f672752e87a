"""Chains: rows of equal count that were new one after the other, and so are taken to share all their lookups."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .kin import ALIKE, UNLIKE, kin_class

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

CLEAR = 2.0  # noise deviations above which a class's chains are believed


def linked_shares(kin: Ints, noise: float) -> Floats:
    """How many rows of every class stand in a chain behind another, beyond what chance makes alike, float64 [CLASSES].

    kin: of kin.kin_table, exact or noisy; a number that does not stand out of the noise counts as none.
    """
    known = np.maximum(kin.astype(np.float64), 0)
    rows = known.sum(1)
    share = rows / max(rows.sum(), 1.0)  # so often a row that knows nothing of the one before is of its class
    by_chance = known[:, UNLIKE] * share / np.maximum(1 - share, 1e-9)
    behind = np.maximum(known[:, ALIKE] - by_chance, 0)
    return np.asarray(np.where(behind > CLEAR * noise, behind / np.maximum(rows, 1), 0.0), np.float64)


def drawn_chains(counts: Ints, linked: Floats, rng: np.random.Generator) -> Ints:
    """Lengths of the chains that rows of these falling counts form in order, int64 [chains]; only equals are linked."""
    behind = rng.random(len(counts)) < linked[kin_class(counts)]
    behind[1:] &= counts[1:] == counts[:-1]
    behind[:1] = False
    return np.diff(np.append(np.flatnonzero(~behind), len(counts))).astype(np.int64)
