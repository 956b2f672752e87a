"""TLBs against stack distances of pages."""

import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.analysis.hierarchy import simulate
from hotrow.analysis.memory.layout import Layout
from hotrow.analysis.memory.tlb import LARGE_PAGE, SKYLAKE, SMALL_PAGE, Tlb, simulate_tlb
from hotrow.analysis.reuse_distance import stack_distances
from hotrow.tracegen.trace import Trace


def test_skylake_reaches() -> None:
    small, large = SKYLAKE.levels(SMALL_PAGE), SKYLAKE.levels(LARGE_PAGE)
    assert [level.bytes for level in small] == [64 * 4096, 1536 * 4096]
    assert [level.bytes for level in large] == [32 * 2**21, 1536 * 2**21]
    assert [level.sets for level in (*small, *large)] == [16, 128, 8, 128]


def test_fully_associative_tlbs_follow_the_stack_distance_of_pages() -> None:
    rows = np.random.default_rng(0).integers(0, 3000, 4000)
    trace = Trace.from_ids(rows)
    tlb = Tlb("small", {4096: (8, 8)}, (40, 40))
    first, second = simulate_tlb(trace, Layout.of_rows(trace, 256), tlb=tlb)
    pages = rows * 256 // 4096
    distances = stack_distances(pages)
    assert first.accesses == len(rows)
    assert first.hits == np.count_nonzero((distances >= 0) & (distances < 8))
    assert second.accesses == first.misses
    assert simulate(pages * 4096, tlb.levels(4096)) == (first, second)


def test_a_row_on_two_pages_needs_both() -> None:
    trace = Trace.from_ids([0, 1, 2])
    layout = Layout.of_rows(trace, 3000)
    first, _ = simulate_tlb(trace, layout)
    assert (first.accesses, first.misses) == (5, 3)
    large, _ = simulate_tlb(trace, layout, LARGE_PAGE)
    assert (large.accesses, large.misses) == (3, 1)


def test_mistakes_are_told() -> None:
    with pytest.raises(HotrowError, match="no entries for pages of 65536 bytes; it translates 4096, 2097152"):
        SKYLAKE.levels(65536)
    with pytest.raises(HotrowError, match="no whole number of sets of 3 ways"):
        Tlb("odd", {4096: (64, 3)}, (1536, 12)).levels(4096)
