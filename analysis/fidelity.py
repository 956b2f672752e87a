"""Fidelity: how far a synthetic stream of lookups is from a real one, as caches and batches see it.

Every number is an error: 0 is perfect. Miss ratios and shares are fractions of 1.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from .. import HotrowError
from ..tracegen.clock import dense
from ..tracegen.popularity import row_counts
from .cache import compare as compare_policies
from .hierarchy import simulate as simulate_level
from .memory.levels import Level
from .miss_ratio import lru_curve
from .policies.registry import find

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

POINTS = 24  # cache sizes, from SMALLEST of the distinct rows to all of them
SMALLEST = 0.001
POLICIES = {"fifo": "FIFO", "lfu": "LFU", "clock": "CLOCK", "s3_fifo": "S3-FIFO"}
WAYS = 8  # of the set-associative cache
LINE = 64  # bytes; one row a line
BATCHES = (128, 512, 2048, 8192)  # lookups
DRIFT_WINDOWS = 10


@dataclass(frozen=True)
class Fidelity:
    """Errors of a synthetic stream, by mean over cache sizes, batches or lags unless it says otherwise.

    NaN: not defined for so few rows. lru, lru_worst: mean and largest absolute difference of LRU miss ratios;
    fifo … set_associative (8 ways, LRU): mean. popularity: Kolmogorov distance of cumulated popularity; reuse_time:
    Kolmogorov distance over all lookups; new_rows: largest difference of the share of rows seen so far;
    batch_distinct: distinct rows per lookup of batches of 128 … 8192; drift: cosine similarity of the popularity of
    two tenths of the stream, by lag.
    """

    lru: float
    lru_worst: float
    popularity: float
    fifo: float
    lfu: float
    clock: float
    s3_fifo: float
    set_associative: float
    reuse_time: float
    new_rows: float
    batch_distinct: float
    drift: float


FIELDS = tuple(field.name for field in fields(Fidelity))


def cache_sizes(distinct: int) -> Ints:
    """Capacities in rows at which curves are compared: 24, log-spaced from 0.1 % to 100 % of `distinct` rows."""
    sizes = np.geomspace(max(1.0, SMALLEST * distinct), max(1, distinct), POINTS)
    return np.unique(np.maximum(1, np.round(sizes)).astype(np.int64))


def fidelity(real: NDArray[np.int64], synthetic: NDArray[np.int64], threads: int | None = None) -> Fidelity:
    """Errors of `synthetic` row ids against `real` ones, both integers in time order.

    Raises HotrowError where one of them has no lookups.
    """
    if not len(real) or not len(synthetic):
        raise HotrowError("nothing to compare: one of the two has no lookups")
    a, b = dense(real)[1], dense(synthetic)[1]
    sizes = cache_sizes(int(a.max()) + 1)
    lru = np.abs(lru_curve(a, threads).miss_ratio(sizes) - lru_curve(b, threads).miss_ratio(sizes))
    reuse = reuse_times(a), reuse_times(b)
    return Fidelity(
        lru=float(lru.mean()),
        lru_worst=float(lru.max()),
        popularity=popularity_distance(row_counts(a), row_counts(b)),
        **{field: _policy_error(a, b, name, sizes[::3], threads) for field, name in POLICIES.items()},
        set_associative=_set_associative_error(a, b, sizes[::3]),
        reuse_time=_reuse_distance(*reuse),
        new_rows=_new_rows_distance(*reuse),
        batch_distinct=_batch_error(a, b),
        drift=_drift_error(a, b),
    )


def popularity_distance(real: Ints, synthetic: Ints) -> float:
    """Largest difference of the lookups' share that the k most popular rows take, over all k; counts, most first."""
    size = max(len(real), len(synthetic))
    shares = [np.cumsum(np.pad(c, (0, size - len(c)))) / c.sum() for c in (real, synthetic)]
    return float(np.abs(shares[0] - shares[1]).max())


def reuse_times(ids: Ints) -> Ints:
    """Lookups since the row's last one, int64 [lookups]; 0 for a first one. ids: dense from 0."""
    order = np.argsort(ids, kind="stable")
    out = np.zeros(len(ids), np.int64)
    same = ids[order][1:] == ids[order][:-1]
    out[order[1:][same]] = np.diff(order)[same]
    return out


def drift_profile(ids: Ints, rows: int) -> Floats:
    """Mean cosine similarity of row popularity in two tenths of the stream, by how many tenths they are apart."""
    wide = len(ids) // DRIFT_WINDOWS
    if not wide:
        return np.ones(DRIFT_WINDOWS - 1)
    parts = [
        np.bincount(ids[w * wide : (w + 1) * wide], minlength=rows).astype(np.float64) for w in range(DRIFT_WINDOWS)
    ]
    return by_lag(np.array([part / np.linalg.norm(part) for part in parts]))


def by_lag(units: Floats) -> Floats:
    """Mean inner product of unit vectors [windows, …] that are 1, 2, … windows apart."""
    inner = units @ units.T
    return np.array([np.diag(inner, lag).mean() for lag in range(1, len(units))])


def _policy_error(a: Ints, b: Ints, policy: str, sizes: Ints, threads: int | None) -> float:
    """Mean difference over `sizes` from which on the policy is defined; NaN where there are none."""
    sizes = sizes[sizes >= find(policy).smallest]
    if not len(sizes):
        return float("nan")
    ratios = [
        np.array([s.miss_ratio for s in compare_policies(x, (policy,), sizes.tolist(), threads=threads)[policy]])
        for x in (a, b)
    ]
    return float(np.abs(ratios[0] - ratios[1]).mean())


def _set_associative_error(a: Ints, b: Ints, sizes: Ints) -> float:
    """Mean difference of 8-way LRU caches with rows in sets at random; NaN where all sizes are too small."""
    sets = np.unique(sizes[sizes >= WAYS * WAYS] // WAYS)
    if not len(sets):
        return float("nan")
    errors = []
    for count in sets.tolist():
        level = Level("cache", int(count), WAYS, LINE)
        ratios = [simulate_level(_scattered(ids) * LINE, (level,))[0].misses / len(ids) for ids in (a, b)]
        errors.append(abs(ratios[0] - ratios[1]))
    return float(np.mean(errors))


def _scattered(ids: Ints) -> Ints:
    """The same rows under random numbers, as hashing gives them."""
    rng = np.random.default_rng(0)
    return rng.permutation(int(ids.max()) + 1)[ids]


def _reuse_distance(a: Ints, b: Ints) -> float:
    top = max(len(a), len(b)) + 1
    edges = np.unique(np.round(np.geomspace(1, top, 200)).astype(np.int64))
    shares = [np.cumsum(np.histogram(x[x > 0], edges)[0]) / len(x) for x in (a, b)]
    return float(np.abs(shares[0] - shares[1]).max()) if len(edges) > 1 else 0.0


def _new_rows_distance(a: Ints, b: Ints) -> float:
    rows = np.count_nonzero(a == 0)
    curves = [np.cumsum(x == 0)[np.linspace(0, len(x) - 1, 200).astype(np.int64)] / rows for x in (a, b)]
    return float(np.abs(curves[0] - curves[1]).max())


def _batch_error(a: Ints, b: Ints) -> float:
    sizes = [size for size in BATCHES if 2 * size <= min(len(a), len(b))] or [min(len(a), len(b))]
    return float(np.mean([abs(batch_distinct(a, size) - batch_distinct(b, size)) for size in sizes]))


def batch_distinct(ids: Ints, size: int) -> float:
    """Distinct rows per lookup in batches of `size` lookups; a last, shorter batch is left out."""
    batches = len(ids) // size
    whole = np.sort(ids[: batches * size].reshape(batches, size), axis=1)
    return float((np.count_nonzero(np.diff(whole, axis=1), axis=1) + 1).mean() / size)


def _drift_error(a: Ints, b: Ints) -> float:
    return float(np.abs(drift_profile(a, int(a.max()) + 1) - drift_profile(b, int(b.max()) + 1)).mean())
