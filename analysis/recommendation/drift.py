"""Drift: how fast the hot set of a table cools."""

from dataclasses import dataclass

import numpy as np

from ... import HotrowError
from ...tracegen.trace import TableLookups

WINDOWS = 16
HOT = 0.01  # the hot set is the hottest 1 % of the rows touched in a window


@dataclass(frozen=True)
class Drift:
    """What a hot set frozen in the first window is worth later.

    lookups: of the table, in equal windows. own: share of each window's lookups that its own hot set takes.
    first: share that the first window's hot set (at most as many rows as the window's own) takes. All fractions of 1.
    """

    table: str
    lookups: int
    hot_rows: tuple[int, ...]
    own: tuple[float, ...]
    first: tuple[float, ...]

    @property
    def loss(self) -> float:
        """Mean share of lookups lost by never renewing the first hot set, over all later windows."""
        later = [a - b for a, b in zip(self.own[1:], self.first[1:], strict=True)]
        return float(np.mean(later)) if later else 0.0


def drift(table: TableLookups, windows: int = WINDOWS, hot: float = HOT) -> Drift:
    """Hot-set turnover over `windows` equal parts of the table's lookups.

    Raises HotrowError for fewer than one window, a hot fraction outside (0, 1], or fewer lookups than windows.
    """
    if not isinstance(windows, int | np.integer) or windows < 1 or not 0 < hot <= 1:
        raise HotrowError(f"{windows} windows, hot set {hot}; a whole number from 1 and a fraction above 0, up to 1")
    if table.accesses < windows:
        raise HotrowError(f"table {table.name!r}: {table.accesses} lookups are too few for {windows} windows")
    parts = np.array_split(table.indices, windows)
    ranked = [_ranked(part) for part in parts]
    first = ranked[0][0]
    sizes, own, kept = [], [], []
    for rows, counts in ranked:
        size = max(1, round(hot * len(rows)))
        sizes.append(size)
        own.append(float(counts[:size].sum() / counts.sum()))
        kept.append(float(counts[np.isin(rows, first[:size])].sum() / counts.sum()))
    return Drift(table.name, table.accesses, tuple(sizes), tuple(own), tuple(kept))


def _ranked(indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and their counts, most lookups first; equal counts by row."""
    rows, counts = np.unique(indices, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return rows[order], counts[order]
