"""Layouts: every row a number of its own, and the one that a log has is found from its page histogram."""

import msgspec
import numpy as np
import pytest

from hotrow.analysis.recommendation.log_fidelity import log_fidelity
from hotrow.tracegen.generate import generate
from hotrow.tracegen.profile import characterize
from hotrow.tracegen.samples.choice import choose_layouts
from hotrow.tracegen.samples.layout import FAMILY, LAYOUTS, Layout, numbered
from hotrow.tracegen.scenarios import news, zipf
from hotrow.tracegen.trace import Trace


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("declared", [40, 1000])
def test_rows_get_different_declared_numbers(layout: Layout, declared: int) -> None:
    rng = np.random.default_rng(1)
    order = rng.integers(0, 40, 500)
    ids = numbered(layout, order, 40, declared, rng)
    assert len(np.unique(ids)) == 40
    assert ids.min() >= 0
    assert ids.max() < declared


def test_arrival_and_last_use_by_hand() -> None:
    order, rng = np.array([2, 0, 2, 1]), np.random.default_rng(0)
    assert numbered("arrival", order, 3, 9, rng).tolist() == [1, 2, 0]
    assert numbered("last use", order, 3, 9, rng).tolist() == [2, 0, 1]
    together = numbered("families", np.arange(64), 64, 10_000, rng)
    assert (np.diff(together.reshape(-1, FAMILY), axis=1) == 1).all()


def test_the_layout_of_a_log_is_found() -> None:
    arriving = news(30_000, 3, articles=3000)  # numbered by first appearance
    profile = choose_layouts(characterize(Trace.from_ids(arriving)))
    assert profile.tables[0].layout == "arrival"
    real = Trace.from_ids(arriving)
    random = msgspec.structs.replace(profile, tables=(msgspec.structs.replace(profile.tables[0], layout="random"),))
    errors = [log_fidelity(real, generate(p, seed=3)).page_error for p in (profile, random)]
    assert errors[0] < 0.3 * errors[1]
    scattered = np.random.default_rng(0).permutation(5000)[zipf(30_000, 1, rows=5000)]
    assert choose_layouts(characterize(Trace.from_ids(scattered))).tables[0].layout == "random"


def test_the_largest_tables_get_layouts_too() -> None:
    trace = Trace.from_ids(np.array([2**62, 2, 0, 2]), 2**63)
    profile = choose_layouts(characterize(trace))
    assert generate(profile, 10).samples == 10
