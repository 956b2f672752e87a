"""Skewed tables: the formula agrees with a simulated FIFO cache, and the built-in profile with the published rates."""

from pathlib import Path

import numpy as np
import pytest

from hotrow.analysis.cache import simulate
from hotrow.analysis.recommendation.interleave import interleaved
from hotrow.tracegen.generate import generate
from hotrow.tracegen.published import load_profile
from hotrow.tracegen.samples.skew import Law, counts_of, fifo_hit_rates, fit_law, lumped
from hotrow.tracegen.trace import Trace


def test_formula_and_simulation_agree() -> None:
    rng = np.random.default_rng(1)
    rows, law = 2000, Law(0.9, 2.0)
    weights = (np.arange(1, rows + 1) + law.shift) ** -law.exponent
    ids = rng.choice(rows, 60_000, p=weights / weights.sum())
    capacities = np.array([10.0, 100.0, 600.0])
    rates = fifo_hit_rates([lumped(rows, law)], capacities)
    for capacity, rate in zip(capacities, rates, strict=True):
        stats = simulate(ids, "FIFO", int(capacity))
        assert stats.hits / len(ids) == pytest.approx(rate, abs=0.012)


def test_a_law_is_found_again() -> None:
    capacities = np.geomspace(5, 500, 8)
    rates = fifo_hit_rates([lumped(1000, Law(0.8, 1.0), 0.5), lumped(5000, Law(0.8, 1.0), 0.5)], capacities)
    law, error = fit_law([1000, 5000], capacities, rates)
    assert error < 0.002
    assert law.exponent == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize("rows", [1, 3, 500, 10**7])
def test_counts_sum_to_the_lookups(rows: int) -> None:
    counts = counts_of(rows, Law(1.08, 2.6), 10_000)
    assert counts.sum() == 10_000
    assert 1 <= len(counts) <= rows
    assert (np.diff(counts) <= 0).all()


def test_the_built_in_profile_has_the_published_hit_rates(shared: Path) -> None:
    table = np.loadtxt(shared / "reference" / "criteo_kaggle_fifo_hit_rate.csv", delimiter=",", skiprows=1)
    trace = generate(load_profile("criteo-kaggle"), seed=1)
    largest = sorted(trace.tables, key=lambda t: t.rows)[-5:]
    ids = interleaved(Trace(tuple(largest)))
    for row in (5, 30, 60):
        hits = simulate(ids, "FIFO", int(table[row, 1])).hits / len(ids)
        assert hits == pytest.approx(table[row, 2:].mean() / 100, abs=0.015)


def test_multi_hot_bags_are_those_published() -> None:
    trace = generate(load_profile("dcnv2-multi-hot"), 100)
    sizes = [int(t.bag_sizes()[0]) for t in trace.tables]
    assert sum(sizes) == 214
    assert all((t.bag_sizes() == n).all() for t, n in zip(trace.tables, sizes, strict=True))
