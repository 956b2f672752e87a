"""The teacher's labels can be learned from rows alone, and are the same whoever makes the block."""

import numpy as np
import pytest

from hotrow.tracegen.generate import generate
from hotrow.tracegen.profile import characterize
from hotrow.tracegen.samples.made_logs import clicks
from hotrow.tracegen.samples.teacher import row_effects, with_targets
from hotrow.tracegen.trace import Trace


def test_rows_explain_labels() -> None:
    log = clicks(20_000, 1, users=50, items=300)
    made = with_targets(Trace(log.tables[:1]), 3, seed=4, block=0)
    assert made.dense is not None
    assert made.label is not None
    assert made.dense.shape == (20_000, 3)
    assert set(np.unique(made.label)) == {0.0, 1.0}
    user = log.tables[0].indices
    rates = np.array([made.label[user == u].mean() for u in range(50)])
    assert np.corrcoef(rates, row_effects(np.arange(50, dtype=np.uint64), 4 * 1_000_003))[0, 1] > 0.8


def test_effects_have_mean_0_and_deviation_1() -> None:
    effects = row_effects(np.arange(50_000, dtype=np.uint64), 3)
    assert effects.mean() == pytest.approx(0, abs=0.02)
    assert effects.std() == pytest.approx(1, abs=0.02)


def test_a_generated_log_has_targets_where_asked() -> None:
    profile = characterize(clicks(400, 2, users=30, items=100))
    made = generate(profile, 900, 1, dense=2)
    assert made.dense is not None
    assert made.equals(generate(profile, 900, 1, dense=2))
    plain = generate(profile, 900, 1)
    assert plain.dense is plain.label is None
    assert Trace(made.tables).equals(plain)
    assert generate(profile, 5, 1, dense=0).label is not None
