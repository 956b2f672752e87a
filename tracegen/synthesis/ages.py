"""Ages: the age matrix and deaths made usable: noise taken out, rows and columns raked to what else was released."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..fit import haar_threshold, simplex
from ..popularity import Spectrum
from ..profile import TableLocality, TableProfile

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ages:
    """demand: accesses per window × reuse bin (first accesses last); deaths: rows that end per window. Not negative."""

    demand: Floats
    deaths: Floats


def fitted_ages(table: TableProfile, locality: TableLocality) -> Ages:
    """Exact matrices as they are; noisy ones shrunk and raked to the table's lookups and rows in all."""
    demand = locality.ages.array().astype(np.float64)
    deaths = locality.deaths.array().astype(np.float64)
    noise = locality.noise["ages"]
    if noise <= 0:
        return Ages(demand, deaths)
    windows, accesses, distinct = len(demand), table.accesses, table.distinct
    usual = independent_births(table.counts, windows)
    reuse, total_of_bins = locality.reuse.array().astype(np.float64), demand[:, :-1].sum(0)
    ours, theirs = windows * noise**2, locality.noise["reuse"] ** 2  # variances: sum of cells, and released
    columns = simplex((total_of_bins * theirs + reuse * ours) / (ours + theirs), accesses - distinct)
    births = _smooth(demand[:, -1], usual, noise, distinct)
    others = _shrunk(demand[:, :-1], noise)
    even = accesses / windows  # every window has as many slots; how full they are is not told apart from noise
    kept = np.array([simplex(row, max(even - b, 0.0)) for row, b in zip(others, births, strict=True)])
    kept = _raked(kept, columns, np.maximum(even - births, 0))
    return Ages(np.column_stack((kept, births)), _smooth(deaths, usual[::-1], noise, distinct))


def _shrunk(matrix: Floats, noise: float) -> Floats:
    """Column means plus the part of the rest that stands out of the noise."""
    means = matrix.mean(0)
    return np.asarray(means + stands_out(matrix - means, noise))


def stands_out(matrix: Floats, noise: float) -> Floats:
    """What noise of that deviation in every cell cannot have made: large singular values, shrunk.

    Gavish and Donoho, Optimal shrinkage of singular values (2017), for the Frobenius norm.
    """
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    m, n = sorted(matrix.shape)
    beta = m / n
    y = values / (noise * np.sqrt(n))
    inner = np.maximum((y**2 - beta - 1) ** 2 - 4 * beta, 0)
    kept = np.where(y > 1 + np.sqrt(beta), np.sqrt(inner) / np.maximum(y, 1e-9), 0.0) * noise * np.sqrt(n)
    return np.asarray((left * kept) @ right)


def independent_births(counts: Spectrum, windows: int) -> Floats:
    """Expected first accesses per window if lookups fell anywhere, float64 [windows]; reversed: last ones."""
    lookups, rows = np.array(counts, np.float64).reshape(-1, 2).T
    still_unborn = (1 - np.arange(windows + 1)[:, None] / windows) ** lookups
    births: Floats = -np.diff(still_unborn, axis=0) @ rows
    return births


def _smooth(values: Floats, usual: Floats, noise: float, total: float) -> Floats:
    """The usual series, and on it what stands out of the noise; not negative and summing to `total`.

    Where the noise of all values together exceeds that sum, nothing that stands out can be believed.
    """
    if total < 2 * noise * np.sqrt(len(values)):
        return simplex(usual, total)
    return simplex(usual + haar_threshold(values - usual, noise), total)


def _raked(matrix: Floats, columns: Floats, rows: Floats, rounds: int = 30) -> Floats:
    """Iterative proportional fitting to column and row sums; a tiny floor lets empty cells take part."""
    cells = np.maximum(matrix, 0) + 1e-4 * columns / max(len(rows), 1)
    for _ in range(rounds):
        cells = cells * (columns / np.maximum(cells.sum(0), 1e-9))
        cells = cells * (rows / np.maximum(cells.sum(1), 1e-9))[:, None]
    return cells
