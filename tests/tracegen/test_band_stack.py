"""The stack with markers against a plain list: bands, weights and the row that a weight leads to."""

import numpy as np
import pytest

from hotrow.tracegen.synthesis import band_stack as stack
from hotrow.tracegen.synthesis.band_state import empty_stack
from hotrow.tracegen.synthesis.depths import depth_edges


@pytest.mark.parametrize("rows", [1, 2, 7, 90])
def test_bands_and_weights_follow_a_list(rows: int) -> None:
    rng = np.random.default_rng(rows)
    edges = depth_edges(rows)
    s = empty_stack(np.full(rows, 9), 0, edges)
    plain: list[int] = []  # newest first
    weights = np.zeros(rows, np.int64)
    born = 0
    for _ in range(400):
        row = born if born < rows and (born == 0 or rng.random() < 0.3) else int(rng.integers(max(born, 1)))
        born = max(born, row + 1)
        stack._unweigh(s.node, s.tree, s.levels, s.band, row)
        stack._to_top(s.node, s.first, s.band, s.ends, edges, row)
        weights[row] = rng.integers(0, 5)
        stack._weigh(s.node, s.row_at, s.tree, s.levels, s.ends, s.band, row, int(weights[row]))
        plain = [row, *(r for r in plain if r != row)]
        bands = np.searchsorted(edges, np.arange(len(plain)), "right") - 1
        assert s.node[plain, stack.BAND].tolist() == bands.tolist()
        mass = np.bincount(bands, weights[plain], minlength=len(edges) - 1)
        assert s.band[stack.MASS, : len(mass)].tolist() == mass.tolist()
        oldest_first = np.repeat(plain[::-1], weights[plain[::-1]])
        for rest in range(0, len(oldest_first), 7):
            assert s.row_at[stack._find(s.tree, s.levels, rest)] == oldest_first[rest]


def test_sums_miss_no_band() -> None:
    for rows in (1, 5, 40, 300, 5000, 60_000):
        edges = depth_edges(rows)
        bins = len(edges) - 1
        band = empty_stack(np.ones(rows, np.int64), 0, edges).band
        band[stack.MASS, :bins] = np.arange(1, bins + 1)
        for start in range(bins + 1):
            assert stack._sum(band, stack.MASS, start) == np.arange(start + 1, bins + 1).sum()
