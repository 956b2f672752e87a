"""Units of whole logs, from the trace to the profile: what one of them moves, and what a release is charged."""

import numpy as np
import pytest

from hotrow.tracegen.clock import Clock, Keeping, place
from hotrow.tracegen.measure import OF_SHARING, Asked, Measuring, Second
from hotrow.tracegen.privacy import PrivacyBudget
from hotrow.tracegen.release import FILLED, STATISTICS, release, table_bounds
from hotrow.tracegen.trace import TableLookups, Trace

BUDGETS = {
    "sample": PrivacyBudget(1.0, "sample", lookups_per_sample=3),
    "user": PrivacyBudget(1.0, "user", samples_per_user=2, lookups_per_sample=3),
}
OF_ONE = [s for s in STATISTICS if s.name not in OF_SHARING]  # the others: see sharing/test_sharing_release.py
WIDE = 2**40  # rows of a table whose ids are hashed into buckets


def emptied(table: TableLookups, samples: np.ndarray) -> TableLookups:
    """The table with the bags of some samples empty."""
    assert table.offsets is not None
    sizes = np.diff(table.offsets)
    stays = ~np.isin(np.repeat(np.arange(len(sizes)), sizes), samples)
    sizes[samples] = 0
    return TableLookups(table.name, table.rows, table.indices[stays], np.concatenate(([0], np.cumsum(sizes))))


def measured(table: TableLookups, kept: np.ndarray | None) -> dict[str, np.ndarray]:
    """Every statistic of a table as release measures it; the key and the hot buckets are the same for neighbours."""
    placed = place(table, 3, 0, kept)
    reading = Measuring(Clock("t", table.samples, 3, False), 5)
    reading.add(placed)
    seen = reading.measured(key=99)
    hot = np.argsort(-np.bincount(np.arange(40) * 7 % len(seen.values["buckets"])), kind="stable")[:12]
    again = Second(seen, Asked(hot, 4, np.zeros(0, np.int64)))
    again.add(placed)
    return {**seen.values, **again.values()}


@pytest.mark.parametrize("unit", ["sample", "user"])
def test_a_unit_of_a_log_moves_no_statistic_further_than_its_bounds(unit: str) -> None:
    rng = np.random.default_rng(8)
    budget = BUDGETS[unit]
    furthest = 0
    for trial in range(400):
        samples = int(rng.integers(3, 30))
        sizes = rng.integers(0, 6, samples)  # some bags are longer than 3: they are cut
        rows = 12 if trial % 2 else WIDE
        ids = rng.integers(0, 6, sizes.sum()) * (1 if trial % 2 else 10**9 + 7)
        table = TableLookups("t", rows, ids, np.concatenate(([0], np.cumsum(sizes))))
        user = rng.integers(0, 4, samples)  # most users have more than 2 samples: the rest is emptied
        one = np.flatnonzero(user == user[0]) if unit == "user" else rng.choice(samples, 1)
        kept = Keeping(2).kept(Trace((table,), user=user)) if unit == "user" else None
        bounds = table_bounds([Clock("t", samples, 3, False)], budget, 1.0)[0]
        a, b = measured(table, kept), measured(emptied(table, one), kept)
        for statistic in OF_ONE:
            group = bounds.samples if statistic.of_samples else bounds.accesses
            group += bounds.samples if statistic.of_both else 0
            change = (a[statistic.name] - b[statistic.name]).astype(np.float64)
            assert np.abs(change).sum() <= statistic.l1 * group, statistic.name
            assert (change**2).sum() <= statistic.l2_squared * group**2, statistic.name
            furthest = max(furthest, int(np.abs(change).sum()))
        if kept is not None:  # a user's kept samples are all that `filled` can lose
            assert np.count_nonzero(kept[one]) <= FILLED.l1 * budget.samples_per_user
    assert furthest > 3  # more than an access can: whole units were removed


# ---------------------------------------------------------------- what a released profile says


@pytest.mark.parametrize("unit", ["access", "sample", "user"])
def test_every_released_statistic_is_charged_for_a_whole_unit(unit: str) -> None:
    rng = np.random.default_rng(3)
    sizes = rng.integers(0, 5, 4000)
    bags = TableLookups("t", 50, rng.integers(0, 50, sizes.sum()), np.concatenate(([0], np.cumsum(sizes))))
    trace = Trace((bags,), user=rng.integers(0, 900, 4000))
    profile = release(trace, PrivacyBudget(9.0, unit, samples_per_user=2, lookups_per_sample=3))  # type: ignore[arg-type]
    assert profile.privacy is not None
    accesses, samples = {"access": (1, 1), "sample": (3, 1), "user": (6, 2)}[unit]
    declared = {s.name: s for s in (*STATISTICS, FILLED)}
    charges = [c for c in profile.privacy.spent if c.statistic in declared]
    assert {c.statistic for c in charges} >= {s.name for s in OF_ONE}
    for charge in charges:
        statistic = declared[charge.statistic]
        group = (samples if statistic.of_samples else accesses) + (samples if statistic.of_both else 0)
        l1, l2_squared = statistic.l1, statistic.l2_squared
        if unit != "access" and statistic.whole is not None:
            l1, l2_squared = statistic.whole
        assert charge.l1 == l1 * group, charge.statistic
        assert charge.l2_squared == l2_squared * group**2, charge.statistic
        assert charge.scale * charge.cost >= charge.l1 * (1 - 1e-6), charge.statistic
    assert sum(c.cost for c in profile.privacy.spent) <= 9.0


def test_a_released_profile_has_the_noise_that_it_states() -> None:
    table = TableLookups("t", 9, np.arange(3000) % 9)
    reading = Measuring(Clock("t", 3000, 1, True), 4)
    reading.add(place(table, 1))
    exact = reading.measured().values["reuse"]
    noise = []
    for _ in range(12):
        locality = release(Trace((table,)), PrivacyBudget(1.0, "access")).tables[0].locality
        assert locality is not None
        noise.append(locality.reuse.array() - exact)
    stated = locality.noise["reuse"]
    assert np.std(noise) == pytest.approx(stated, rel=0.25)
