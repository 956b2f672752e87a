"""Noisy ages made usable: births stay where counts put them unless the noise allows no doubt."""

import numpy as np

from hotrow.tracegen.privacy import PrivacyBudget
from hotrow.tracegen.profile import characterize
from hotrow.tracegen.release import release
from hotrow.tracegen.scenarios import news
from hotrow.tracegen.synthesis.ages import fitted_ages, independent_births
from hotrow.tracegen.trace import Trace


def test_expected_births_are_those_of_shuffled_traces() -> None:
    rng = np.random.default_rng(1)
    counts = np.array([200] * 10 + [3] * 300 + [1] * 500)
    ids = np.repeat(np.arange(len(counts)), counts)
    found = np.zeros(8)
    for _ in range(40):
        first = np.unique(rng.permutation(ids), return_index=True)[1]
        found += np.bincount(first * 8 // len(ids), minlength=8) / 40
    expected = independent_births(((1, 500), (3, 300), (200, 10)), 8)
    assert np.isclose(expected.sum(), len(counts))
    assert np.abs(expected - found).max() < 8


def test_noise_does_not_postpone_the_rows_of_a_small_table() -> None:
    ids = (np.arange(120_000) // 300) % 20  # rows take turns, all are there soon
    early = []
    for _ in range(8):  # noise has no seed, and a row in some releases seems to have few lookups, so late ones
        table = release(Trace.from_ids(ids, 32), PrivacyBudget(1.0)).tables[0]
        assert table.locality is not None
        births = fitted_ages(table, table.locality).demand[:, -1]
        early.append(births[: len(births) // 4].sum() / table.distinct)
    assert np.mean(early) > 0.85


def test_births_that_are_spread_over_the_trace_stay_so() -> None:
    ids = news(60_000, 5, articles=4000)
    exact = characterize(Trace.from_ids(ids)).tables[0]
    noisy = release(Trace.from_ids(ids, 8192), PrivacyBudget(8.0)).tables[0]
    assert exact.locality is not None
    assert noisy.locality is not None
    a, b = (np.cumsum(fitted_ages(t, t.locality).demand[:, -1]) / t.distinct for t in (exact, noisy))
    at = np.linspace(0, 1, 9)[1:]
    assert np.abs(np.quantile(a, at) - np.quantile(b, at)).max() < 0.05
