"""Teacher: dense features and labels for a synthetic log, so that a model has something to learn from it.

Nothing here comes from a real log: dense features are independent and log-normal, and a planted teacher draws labels.
Correlations between features, between features and rows, and between a real label and anything are not preserved.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..trace import TableLookups, Trace

Floats = NDArray[np.float64]

ROW_EFFECT, DENSE_EFFECT, BIAS = 1.0, 0.3, -1.0  # of the teacher's logit: deviation by rows, by dense, mean
ASSUMED = "dense features are independent and labels come from a planted teacher: neither is like the real log's"


def with_targets(trace: Trace, features: int, seed: int, block: int) -> Trace:
    """The trace with dense float32 [samples, features] and labels 0 or 1, the same for the same seed and block.

    The teacher's logit is a sum over tables of the mean effect of the bag's rows, every row's effect fixed by the seed,
    and of a linear part in the dense features; a label is one draw of its probability.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(2**31, block)))
    dense = np.log1p(rng.lognormal(0.0, 1.0, (trace.samples, features))).astype(np.float32)
    weights = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(2**31 - 1,))).normal(size=features)
    logit = np.full(trace.samples, BIAS)
    for k, table in enumerate(trace.tables):
        logit += ROW_EFFECT / len(trace.tables) ** 0.5 * _bag_means(table, seed * 1_000_003 + k)
    if features:
        logit += DENSE_EFFECT * ((dense - dense.mean(0)) @ weights) / features**0.5
    label = (rng.random(trace.samples) < 1 / (1 + np.exp(-logit))).astype(np.float32)
    return replace(trace, dense=dense if features else None, label=label)


def _bag_means(table: TableLookups, key: int) -> Floats:
    """Mean effect of every sample's rows, 0 for an empty bag."""
    effects = row_effects(table.indices.astype(np.uint64), key)
    if table.offsets is None:
        return effects
    sums = np.diff(np.concatenate(([0.0], np.cumsum(effects)))[table.offsets])
    return np.asarray(sums / np.maximum(np.diff(table.offsets), 1))


def row_effects(rows: NDArray[np.uint64], key: int) -> Floats:
    """A fixed effect for every row id, of mean 0 and deviation 1, from a hash (SplitMix64's finalizer)."""
    mixed = rows + np.uint64(key * 0x9E3779B97F4A7C15 % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray((mixed >> np.uint64(11)).astype(np.float64) / 2**53 * 2 - 1) * 3**0.5
