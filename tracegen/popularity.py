"""Popularity: how often a row is asked for."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Spectrum = tuple[tuple[int, int], ...]  # (count, how many rows were looked up that often), rising


def row_counts(indices: NDArray[Any]) -> Counts:
    """Lookups of every row that was looked up at least once, most first, int64 [distinct rows]."""
    if not len(indices):
        return np.zeros(0, np.int64)
    top = int(indices.max())
    if top <= 8 * len(indices) + 1024:
        counts = np.bincount(indices, minlength=1)
        counts = counts[counts > 0]
    else:
        counts = np.unique(indices, return_counts=True)[1]
    return np.sort(counts.astype(np.int64))[::-1]


def spectrum(values: NDArray[Any]) -> Spectrum:
    """(value, how often it occurs) of non-negative integers, rising in value."""
    found, times = np.unique(values, return_counts=True)
    return tuple((int(value), int(n)) for value, n in zip(found, times, strict=True))


def expand(spectrum: Spectrum) -> Counts:
    """The values behind a spectrum, largest first: the inverse of `spectrum` up to order."""
    values, times = np.array(spectrum, np.int64).reshape(-1, 2).T
    return np.repeat(values, times)[::-1]


def top_share(counts: Counts, fraction: float) -> float:
    """Share of the lookups that goes to the most popular `fraction` of the touched rows; counts as of row_counts."""
    if not len(counts):
        return 0.0
    head = max(1, round(fraction * len(counts)))
    return float(counts[:head].sum() / counts.sum())


def rows_for_share(counts: Counts, share: float) -> int:
    """The fewest rows that together take `share` of the lookups; counts as of row_counts."""
    return int(np.searchsorted(np.cumsum(counts), share * counts.sum())) + 1 if len(counts) else 0


def reuse_bins(counts: Counts, edges: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fractions of rows and of lookups whose row count lies in (edges[k], edges[k+1]]; the last bin is open.

    The form of the locality statistics that Meta published with its embedding-bag data sets.
    """
    bins = np.searchsorted(edges, counts, side="left") - 1
    rows = np.bincount(bins, minlength=len(edges)).astype(np.float64)
    lookups = np.bincount(bins, weights=counts, minlength=len(edges))
    return rows / max(rows.sum(), 1), lookups / max(lookups.sum(), 1)
