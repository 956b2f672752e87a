"""The private measurement: sensitivities on small random traces, an audit that planted bugs must fail, and the file."""

import dataclasses
import re

import msgspec
import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.tests.tracegen.auditing import proven_epsilon
from hotrow.tracegen import release as release_module
from hotrow.tracegen.bounds import Bounds
from hotrow.tracegen.clock import Clock, Keeping, Placed, place
from hotrow.tracegen.measure import OF_SHARING, Asked, Measured, Measuring, Second
from hotrow.tracegen.privacy import Ledger, PrivacyBudget
from hotrow.tracegen.profile import load
from hotrow.tracegen.release import (
    COUPLING,
    STATISTICS,
    add_noise,
    quieter_mechanism,
    release,
    release_with_cuts,
    sensitivity,
    table_bounds,
)
from hotrow.tracegen.samples.coupling import Column, joint_counts
from hotrow.tracegen.samples.joint_release import samples_moved
from hotrow.tracegen.trace import TableLookups, Trace

WINDOWS = 5
OF_ONE = [s for s in STATISTICS if s.name not in OF_SHARING]  # the others: see sharing/test_sharing_release.py
GROUPS = {"access": (1, 1), "sample": (3, 1), "user": (6, 2)}  # accesses, samples: L = 3, m = 2


def clocked(rows: np.ndarray, per_sample: int) -> Placed:
    """Lookups from slots, −1 empty."""
    slots = np.flatnonzero(rows >= 0)
    return Placed(rows[slots], slots, 0, len(rows) // per_sample, 60)


def measure(placed: Placed, per_sample: int, windows: int) -> Measured:
    reading = Measuring(Clock("t", placed.samples, per_sample, False), windows)
    reading.add(placed)
    return reading.measured()


def statistics(rows: np.ndarray, per_sample: int, hot: np.ndarray) -> dict[str, np.ndarray]:
    placed = clocked(rows, per_sample)
    measured = measure(placed, per_sample, WINDOWS)
    again = Second(measured, Asked(hot, 4, np.zeros(0, np.int64)))  # judged by what was released: the same for both
    again.add(placed)
    return {**measured.values, **again.values()}


def removals(rng: np.random.Generator, unit: str, samples: int, filled: np.ndarray) -> np.ndarray:
    """Slots of one unit: an access, a sample of 3 slots, or two samples."""
    if unit == "access":
        return rng.choice(filled, 1)
    chosen = rng.choice(samples, 1 if unit == "sample" else 2, replace=False)
    return (chosen[:, None] * 3 + np.arange(3)).ravel()


@pytest.mark.parametrize("unit", ["access", "sample", "user"])
def test_removing_a_unit_never_moves_a_statistic_further_than_declared(unit: str) -> None:
    rng = np.random.default_rng(5)
    worst = {s.name: [0.0, 0.0] for s in OF_ONE}
    for trial in range(1000):
        samples = int(rng.integers(4, 90 if trial % 5 == 0 else 25))
        length = samples * 3
        ids = rng.geometric(0.5 if trial % 2 else 0.1, length) - 1 if trial % 3 else rng.integers(0, 3, length)
        if trial % 7 == 0:
            ids = rng.integers(0, 60, length)  # many rows that are new beside each other
        rows = np.where(rng.random(length) < rng.choice([0.1, 0.5]), -1, np.minimum(ids, 59))
        filled = np.flatnonzero(rows >= 0)
        if not len(filled):
            continue
        other = rows.copy()
        other[removals(rng, unit, samples, filled)] = -1
        hot = rng.choice(60, 10, replace=False)  # judged by what was released before: the same for both
        a, b = statistics(rows, 3, hot), statistics(other, 3, hot)
        for name, reach in worst.items():
            change = (a[name] - b[name]).astype(np.float64).ravel()
            reach[0], reach[1] = max(reach[0], np.abs(change).sum()), max(reach[1], (change**2).sum())
    for statistic in OF_ONE:
        declared = sensitivity(statistic, Bounds(*GROUPS[unit], 1.0))
        l1, l2_squared = worst[statistic.name]
        assert l1 <= declared[0], statistic.name
        assert l2_squared <= declared[1], statistic.name
        if unit == "access":  # the bounds are met, so that a smaller one would be seen to be wrong
            assert l1 == declared[0], statistic.name


def test_removing_an_access_of_a_row_at_the_head_moves_popularity_by_two() -> None:
    reach = 0
    for count in (47, 48, 49, 50, 51, 60):
        rows = np.concatenate((np.zeros(count, np.int64), np.ones(30, np.int64), np.full(4, -1)))
        other = rows.copy()
        other[0] = -1
        a, b = (measure(clocked(x, 1), 1, 2).values["popularity"] for x in (rows, other))
        change = a - b
        reach = max(reach, int(np.abs(change).sum()))
    assert reach == 2


def test_one_cut_does_not_depend_on_another_user() -> None:
    user = np.array([1, 2, 1, 1, 2, 1])
    trace = Trace((TableLookups("t", 9, np.arange(6), None),), user=user)
    kept = Keeping(2).kept(trace)
    assert kept.tolist() == [True, True, True, False, True, False]
    alone = Trace((TableLookups("t", 9, np.arange(4), None),), user=user[user == 1])
    assert Keeping(2).kept(alone).tolist() == kept[user == 1].tolist()


def test_long_bags_are_cut_and_counted() -> None:
    table = TableLookups("t", 9, np.array([1, 2, 3, 4, 5]), np.array([0, 4, 4, 5]))
    placed = place(table, 2)
    assert (placed.slots.tolist(), placed.ids.tolist(), placed.cut) == ([0, 1, 4], [1, 2, 5], 2)


def some_tables(rng: np.random.Generator, samples: int) -> list[Column]:
    """A one-hot table, one of bags of at most 3, and one more one-hot table; few rows, so that they come again."""
    made = []
    for most, rows in ((1, 4), (3, 8), (1, 12)):
        slots = np.flatnonzero(rng.random(samples * most) < 0.9)
        made.append(Column(rng.integers(0, rows, len(slots)), slots, rows, samples, most))
    return made


def emptied(table: Column, gone: np.ndarray) -> Column:
    kept = ~np.isin(table.slots, gone)
    return dataclasses.replace(table, numbers=table.numbers[kept], slots=table.slots[kept])


@pytest.mark.parametrize("unit", ["access", "sample", "user"])
def test_removing_a_unit_never_moves_a_joint_count_further_than_declared(unit: str) -> None:
    rng = np.random.default_rng(8)
    budget = PrivacyBudget(1.0, unit, samples_per_user=2, lookups_per_sample=3)
    limits = [np.array([2, 5]), np.array([3, 12]), np.array([2, 9])]
    moved = samples_moved([1, 3, 1], budget)
    reached = np.zeros(len(moved))
    for _ in range(1500):
        tables = some_tables(rng, int(rng.integers(4, 30)))
        if unit == "access":
            k = int(rng.integers(3))
            gone = [rng.choice(t.slots, 1) if k == j and len(t.slots) else np.zeros(0) for j, t in enumerate(tables)]
        else:
            chosen = rng.choice(tables[0].samples, 1 if unit == "sample" else 2, replace=False)
            gone = [(chosen[:, None] * t.most + np.arange(t.most)).ravel() for t in tables]
        others = [emptied(t, g) for t, g in zip(tables, gone, strict=True)]
        for j, (a, b) in enumerate(zip(*(joint_counts(x, limits) for x in (tables, others)), strict=True)):
            change = (a - b).astype(np.float64)
            assert np.abs(change).sum() <= 2 * moved[j]
            assert (change**2).sum() <= 2 * moved[j] ** 2
            reached[j] = max(reached[j], np.abs(change).sum())
    if unit == "access":
        assert (reached == 4).all()  # the bound is met, so that a smaller one would be seen to be wrong


def test_joint_counts_share_their_part_of_the_budget_at_equal_noise() -> None:
    profile = release(log(), PrivacyBudget(5.0, lookups_per_sample=3))
    header, coupling = profile.privacy, profile.coupling
    assert header is not None
    assert coupling is not None
    joints = [s for s in header.spent if s.table == ""]
    assert [s.statistic for s in joints] == [f"joint {profile.tables[k].name}" for k in coupling.order[1:]]
    assert sum(s.cost for s in joints) == pytest.approx(5.0 * COUPLING)
    assert coupling.noise > 0
    alone = Trace(log().tables[:1])
    assert release(alone, PrivacyBudget(5.0)).coupling is None


# ---------------------------------------------------------------- audit


EPSILON = 1.0
AT_ONCE = 100
REUSE = Clock("t", 400, 1, False)


def canaries() -> list[np.ndarray]:
    """Those reuse times of two neighbours that differ: a row at slots 100, 101, 110 loses 101, and three bins move."""
    rng = np.random.default_rng(1)
    rows = rng.integers(0, 5, 400)
    rows[[100, 101, 110]] = 9
    other = rows.copy()
    other[101] = -1
    a, b = (measure(clocked(x, 1), 1, WINDOWS).values["reuse"] for x in (rows, other))
    return [a[a != b], b[a != b]]


def kin_canaries() -> list[np.ndarray]:
    """The same of kin: the first lookup of row 0 goes, so that it moves, the row behind it, and the one new behind its
    next lookup."""
    rows = np.array([[0, 1, -1], [0, 2, -1], [1, 0, -1]])
    other = np.array([[-1, 1, -1], [0, 2, -1], [1, 0, -1]])
    a, b = (measure(clocked(x.ravel(), 3), 3, WINDOWS).values["kin"] for x in (rows, other))
    return [a[a != b], b[a != b]]


def audited_epsilon(add=add_noise, trials: int = 10_000, times: int = 1, name: str = "reuse") -> float:
    """A lower bound of what `times` releases of the statistic called `name` really spend, each worth ε = 1.

    By a likelihood-ratio test. Cells get their noise one by one, so a release of the same counts side by side is as
    many draws.
    """
    values = canaries() if name == "reuse" else kin_canaries()
    clock = Clock("t", 400, 3 if name == "kin" else 1, False)
    scores = []
    for exact in values:
        beside = {name: np.tile(exact, (AT_ONCE, 1))}
        bounds = Bounds(1, 1, EPSILON)
        releases = [
            add(clock, beside, bounds, Ledger("laplace", EPSILON))[name] for _ in range(trials * times // AT_ONCE)
        ]
        seen = np.concatenate(releases).reshape(trials, -1, len(exact))
        far = [np.abs(seen - x).sum((1, 2)) for x in values]
        scores.append(far[0] - far[1])
    return proven_epsilon(scores, trials)


def allowed() -> float:
    """What the release says that the reuse histogram spends."""
    ledger = Ledger("laplace", EPSILON)
    add_noise(REUSE, {"reuse": canaries()[0]}, Bounds(1, 1, EPSILON), ledger)
    return ledger.spent()


@pytest.fixture
def audited_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole budget on reuse, so that a few thousand draws have power."""
    alone = tuple(dataclasses.replace(s, share=1.0 if s.name == "reuse" else 0.0) for s in STATISTICS)
    monkeypatch.setattr(release_module, "STATISTICS", alone)


@pytest.mark.usefixtures("audited_share")
def test_audit_finds_no_more_than_is_declared_and_has_power() -> None:
    spent = audited_epsilon(trials=60_000)
    assert spent <= allowed()
    assert spent >= 0.7 * allowed()  # less would mean that the test could not see a bug


@pytest.mark.usefixtures("audited_share")
def test_audit_fails_where_a_sensitivity_is_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    halved = tuple(dataclasses.replace(s, l1=max(1, s.l1 // 2)) for s in release_module.STATISTICS)
    monkeypatch.setattr(release_module, "STATISTICS", halved)
    assert audited_epsilon() > EPSILON


@pytest.mark.usefixtures("audited_share")
def test_audit_fails_where_noise_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ledger, "noisy", lambda self, values, *rest: values)
    assert audited_epsilon() > EPSILON


@pytest.mark.usefixtures("audited_share")
def test_audit_fails_where_a_statistic_is_released_twice() -> None:
    assert audited_epsilon(trials=20_000, times=2) > EPSILON  # by ledgers that do not know of each other


def test_audit_of_kin_finds_no_more_than_is_declared_and_sees_half_a_sensitivity(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alone = tuple(dataclasses.replace(s, share=1.0 if s.name == "kin" else 0.0) for s in STATISTICS)
    monkeypatch.setattr(release_module, "STATISTICS", alone)
    assert np.abs(np.subtract(*kin_canaries())).sum() == 6
    assert 0.5 * EPSILON <= audited_epsilon(trials=60_000, name="kin") <= EPSILON
    halved = tuple(dataclasses.replace(s, l1=s.l1 // 2) for s in alone if s.name == "kin")
    monkeypatch.setattr(release_module, "STATISTICS", halved)
    assert audited_epsilon(trials=20_000, name="kin") > EPSILON


# ---------------------------------------------------------------- the profile


def log(samples: int = 3000, users: bool = False) -> Trace:
    rng = np.random.default_rng(2)
    sizes = rng.integers(0, 4, samples)
    bags = TableLookups("bags", 1000, rng.geometric(0.05, sizes.sum()) - 1, np.concatenate(([0], np.cumsum(sizes))))
    ids = 777_000_000 + (rng.geometric(0.02, samples) - 1) * 1009
    one = TableLookups("one", 2**31, ids)
    return Trace((one, bags), user=rng.integers(0, 2000, samples) if users else None)


@pytest.mark.parametrize("unit", ["access", "sample", "user"])
@pytest.mark.parametrize("mechanism", ["laplace", "gaussian"])
def test_a_release_spends_its_budget_and_no_more(unit: str, mechanism: str) -> None:
    delta = 1e-6 if mechanism == "gaussian" else 0.0
    budget = PrivacyBudget(8.0, unit, delta, mechanism, samples_per_user=2, lookups_per_sample=3)
    profile = release(log(users=True), budget)
    header = profile.privacy
    assert header is not None
    assert 0.9 * 8.0 <= header.epsilon_spent <= 8.0
    assert header.unit == unit
    costs = {name: sum(s.cost for s in header.spent if s.table == name) for name in ("one", "bags", "")}
    whole = costs.pop("")
    total = whole + (max(costs.values()) if unit == "access" else sum(costs.values()))
    assert total == pytest.approx(header.epsilon_spent if header.rho is None else header.rho)
    assert header.library.startswith("opendp ")
    assert all(s.l1 > 0 and s.scale > 0 for s in header.spent)


def test_tables_share_the_budget_of_a_sample_but_not_of_an_access() -> None:
    clocks = [Clock("t", 100, 1, True)] * 4
    assert table_bounds(clocks, PrivacyBudget(1.0, "sample"), 1.0)[0].limit == 0.25
    assert table_bounds(clocks, PrivacyBudget(1.0, "access"), 1.0)[0].limit == 1.0
    user = table_bounds(clocks, PrivacyBudget(1.0, "user", samples_per_user=7), 1.0)[0]
    assert (user.accesses, user.samples) == (7, 7)


def test_the_quieter_mechanism_is_laplace_for_one_table_and_gaussian_for_many() -> None:
    one = log().tables[0]
    many = Trace(tuple(dataclasses.replace(one, name=f"t{k}") for k in range(6)))
    assert quieter_mechanism(many, 1.0, 1e-6, "sample") == "gaussian"
    assert quieter_mechanism(many, 1.0, 0.0, "sample") == "laplace"
    assert quieter_mechanism(Trace((one,)), 1.0, 1e-6, "sample") == "laplace"


def test_no_real_id_leaves_and_two_releases_differ(tmp_path) -> None:
    trace = log()
    texts = []
    for k in range(2):
        release(trace, PrivacyBudget(5.0)).save(tmp_path / f"{k}.json")
        texts.append((tmp_path / f"{k}.json").read_text())
        assert len(texts[k]) < 1_000_000
        profile = load(tmp_path / f"{k}.json")
        assert profile.is_private
    assert texts[0] != texts[1]
    assert not any(number.startswith("777") for number in re.findall(r"\d{9}", texts[0]))
    for real in np.unique(trace.tables[0].indices)[:50]:
        assert str(real) not in texts[0]
    names = {f for s in msgspec.structs.fields(type(load(tmp_path / "0.json"))) for f in [s.name]}
    assert not any("seed" in name or "key" in name for name in names)


def test_edges_and_shapes_come_from_the_clock_alone() -> None:
    rng = np.random.default_rng(0)
    flat, steep = (Trace.from_ids(ids, 5000) for ids in (rng.integers(0, 5000, 4000), np.zeros(4000, np.int64)))
    a, b = (release(t, PrivacyBudget(1.0)).tables[0].locality for t in (flat, steep))
    assert a is not None
    assert b is not None
    for name in ("reuse", "ages", "deaths", "spans", "births", "pairs"):
        assert getattr(a, name).shape == getattr(b, name).shape


def test_what_bounds_cut_is_told_to_the_owner_and_not_to_the_file() -> None:
    trace = log(users=True)
    profile, cuts = release_with_cuts(trace, PrivacyBudget(8.0, "user", samples_per_user=1, lookups_per_sample=2))
    assert cuts.samples == np.count_nonzero(~Keeping(1).kept(trace))
    assert cuts.lookups > 0
    assert profile.samples < trace.samples


def test_bad_input_is_named() -> None:
    with pytest.raises(HotrowError, match="user ids"):
        release(log(), PrivacyBudget(1.0, "user"))
    with pytest.raises(HotrowError, match=r"epsilon 0\.001 leaves"):
        release(log(), PrivacyBudget(0.001))
    assert any("only the LRU curve" in a for a in release(log(), PrivacyBudget(1.0)).assumptions)
