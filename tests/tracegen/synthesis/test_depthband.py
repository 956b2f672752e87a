"""Depth band: what is asked of bands can be corrected by what a trace lacked."""

from __future__ import annotations

import msgspec
import numpy as np

from hotrow.analysis.miss_ratio import lru_curve
from hotrow.tracegen.generate import synthesize, table_rng
from hotrow.tracegen.profile import Variant, characterize
from hotrow.tracegen.scenarios import phases
from hotrow.tracegen.synthesis.depthband import Demand, lacking
from hotrow.tracegen.synthesis.depths import depth_edges
from hotrow.tracegen.trace import Trace


def test_lacking_bins_are_asked_for_more_and_never_at_a_jump() -> None:
    asked = np.array([100_000.0, 100_000.0, 100_000.0, 0.0])
    once = lacking(asked, np.array([80_000.0, 125_000.0, 0.0, 0.0]), None)
    np.testing.assert_allclose(once.array(), [1250, 800, 2000, 1000], atol=1)
    twice = lacking(asked, np.array([100_000.0, 100_000.0, 10_000.0, 0.0]), once)
    np.testing.assert_allclose(twice.array(), [1250, 800, 4000, 1000], atol=1)


def test_corrected_demand_multiplies_all_but_first_lookups_and_leaves_the_rest() -> None:
    table = characterize(Trace.from_ids(phases(20_000, 3))).tables[0]
    assert table.locality is not None
    asked = Demand.of(table, table.locality)
    assert asked.corrected(None) is asked
    ones = np.ones(asked.depths.shape[1] - 1)
    doubled = asked.corrected(lacking(ones, ones / 10, None))
    np.testing.assert_allclose(doubled.depths[:, :-1], 2 * asked.depths[:, :-1], rtol=1e-3)
    np.testing.assert_array_equal(doubled.depths[:, -1], asked.depths[:, -1])
    np.testing.assert_array_equal(doubled.ages.demand, asked.ages.demand)


def test_a_table_with_corrected_demand_generates_by_it() -> None:
    """Depths come nearer to what is asked, in a trace of other random numbers than the one that told what lacked."""
    table = characterize(Trace.from_ids(phases(120_000, 3))).tables[0]
    table = msgspec.structs.replace(table, variant=Variant("depthband", windows=False))
    assert table.locality is not None
    asked = Demand.of(table, table.locality).depths[:, :-1].sum(0)
    edges = depth_edges(table.distinct)

    def made(of, seed: int) -> np.ndarray:
        order = synthesize(of, table_rng(seed, 0, 1)).order
        return np.diff((1 - lru_curve(order).miss_ratio(edges[1:])) * len(order), prepend=0.0)

    corrected = msgspec.structs.replace(table, demand=lacking(asked, made(table, 0), None))
    before, after = np.abs(made(table, 1) - asked).sum(), np.abs(made(corrected, 1) - asked).sum()
    assert after < 0.8 * before
