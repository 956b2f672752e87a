"""release: the private measurement of a trace. The whole privacy argument is on this page.

*Clock.* A trace is N samples; every sample owns L public slots of every table (1 if one-hot). N, L, the tables' names,
declared rows and whether they are one-hot are public. Longer bags are cut at L; a user's samples beyond the m-th are
emptied (both by slot order, so nobody's cut depends on anybody else).

*Neighbours.* Two traces are neighbours when one unit's slots are replaced by *empty*: one lookup (access), one sample
with its lookups in all tables (sample), or at most m samples (user). Nothing is re-indexed.

*Sensitivity of one access* in slot t, between its row's accesses p and n: the reuse times (p,t), (t,n) leave, (p,n)
comes; everything else stands. So
  distinct    rows that occur: 1 changes by 1                                                L1 1, L2² 1
  popularity  rows per count c ≤ 48, rows above, sorted excess over 49: one row moves one    2, 2
              count down; above 49 only its excess falls, and sorting does not add
  buckets     accesses per hash bucket of the row (the hash is keyed afresh, discarded)      1, 1
  windows     accesses of hot buckets per window; hot is judged by the noisy buckets         1, 1
  spans       rows by count class × span: one row leaves a cell and enters another           2, 2
  births      rows by class × place of the first access: the same                            2, 2
  reuse       accesses per reuse-time bin: two leave, one comes                              3, 5
  ages        accesses per window × reuse bin, and rows by window of their last access:      3, 5
              in the middle two cells fall, one rises; at an end a first or last moves too
  pairs       consecutive reuse times by octave: three pairs leave, two come                 5, 13
  pages       accesses per reuse-time bin of their page of 32 row numbers, a coarser row     3, 5
  bags        samples per bag size: one sample changes its cell                              2, 2
  steps       samples by bag size before × own, in grades: two samples change their cell     4, 8
  repeats     samples by lookups of a row that stands in the bag already: one sample moves    2, 2
  kin         rows by count class, and by that of the row that was new directly before in     6, 18
              the bag: the row moves, the row new behind it, and at its new birth one more
              (where whole samples go, the row new behind goes with it: two move for each)    4, 8
  contents    samples by bag size, lookups in it after a long reuse time, and first ones:    2·k, 2·k²
              k samples change their cell, as for joint below (k = n + g; the time from reuse)
Of a table that several features share, each with slots of its own in every sample (their sum is L):
  owners      accesses of hot buckets by feature; hot as for windows                         1, 1
  mixes       rows of other buckets by count class × how their accesses divide among the     2, 2
              features: one row leaves a cell and enters another
  passes      accesses by feature of the row's access before × own × octave of the reuse     3, 5
              time, and rows by feature of the first; both by whether the row's bucket is
              hot, and among the first: two leave, one comes, as for reuse
There bags and steps are b histograms side by side, one for every feature with bags, and a sample is in all of them:
their L1 and L2² are b times as much (once for an access, which is one feature's).
(L2² of reuse, ages, passes: two falls may share a cell, 2² + 1; pairs: 3² + 2².)
Of the log as a whole, for every table but the first, by what was released before:
  joint       samples by how many lookups in the tables before, and in this one, come after   2·k, 2·k²
              longer than some reuse times: k samples change their cell, the unit's own and
              the next of each row it looked up in these tables
(k samples leave k cells for k others, which may coincide; k is n + Σ g over these tables, n the unit's samples; for one
access k is 2, its own sample and one other.)
*A unit* removes its g accesses one after the other: L1 × g, L2² × g², with g = 1 (access), L (sample), m·L (user).
Bags, steps and repeats count samples, so there g is 1, 1, m; so it is for `filled`, the samples that are not empty
(user only).

*Mechanism.* Every statistic is a vector of integers and gets discrete Laplace noise of scale L1/ε' or discrete
Gaussian noise of variance L2²/2ρ', sampled exactly by OpenDP. Ledger adds up what OpenDP says each cost.

*Composition.* Within a table costs add up. A sample or user has lookups in every table: the tables share ε (or ρ)
equally, and one of several features gets the part of as many. An access has one table only: every table may spend all
of it (parallel composition). Where there are several tables, joint counts take the part COUPLING of what `filled`
leaves, and the tables the rest. ρ becomes (ε, δ) by OpenDP's conversion. All that follows (fit, selection, generation)
sees noisy values and public numbers only.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import HotrowError
from . import locality
from .bounds import Bounds, private_windows, short_tables
from .clock import NO_USERS, Clock
from .disclosure import privacy_header
from .fit import completed, fit_table
from .measure import (
    ASSUMPTIONS,
    HOT_COUNT,
    Asked,
    Measured,
    Measuring,
    Second,
    contents_limit,
    has_statistic,
    hot_buckets,
    read_again,
    read_first,
    released,
)
from .privacy import Charge, Ledger, Mechanism, PrivacyBudget, Unit, deviation, noise_scale, rho_of
from .profile import TableProfile, TraceProfile
from .samples.joint_release import joint_plan, noisy_coupling
from .scale.log import Log, TableForm
from .trace import Trace

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Statistic:
    """What is released: sensitivities of one access (or sample, where `of_samples`), and its share of the budget.

    of_both: of one access or sample, where a unit's accesses and its samples add up. whole: L1 and L2² of one access
    whose whole sample goes, where that is less.
    """

    name: str
    l1: int
    l2_squared: int
    share: float
    of_samples: bool = False
    of_both: bool = False
    whole: tuple[int, int] | None = None


STATISTICS = (
    Statistic("distinct", 1, 1, 0.05),
    Statistic("popularity", 2, 2, 0.20),
    Statistic("buckets", 1, 1, 0.05),
    Statistic("windows", 1, 1, 0.08),
    Statistic("spans", 2, 2, 0.15),
    Statistic("births", 2, 2, 0.07),
    Statistic("reuse", 3, 5, 0.13),
    Statistic("ages", 3, 5, 0.22),
    Statistic("pairs", 5, 13, 0.05),
    Statistic("pages", 3, 5, 0.05),
    Statistic("bags", 2, 2, 0.06, of_samples=True),
    Statistic("steps", 4, 8, 0.02, of_samples=True),
    Statistic("repeats", 2, 2, 0.02, of_samples=True),
    Statistic("kin", 6, 18, 0.05, whole=(4, 8)),
    Statistic("contents", 2, 2, 0.08, of_both=True),
    Statistic("owners", 1, 1, 0.06),
    Statistic("mixes", 2, 2, 0.08),
    Statistic("passes", 3, 5, 0.06),
)
FILLED = Statistic("filled", 1, 1, 0.01, of_samples=True)
COUPLING = 0.12  # of the whole budget, where there are several tables
MECHANISMS: tuple[Mechanism, ...] = ("laplace", "gaussian")


def plan(clock: Clock, bounds: Bounds) -> tuple[tuple[Statistic, float], ...]:
    """The statistics that a table's release holds, and what each may cost; public facts alone decide."""
    # a one-hot table has one lookup per sample by the form of the log, or none where a user's was dropped: see `filled`
    kinds = [s for s in STATISTICS if has_statistic(clock, s.name)]
    total = sum(s.share for s in kinds)
    return tuple((s, bounds.limit * s.share / total) for s in kinds)


def add_noise(clock: Clock, values: Mapping[str, Ints], bounds: Bounds, ledger: Ledger) -> dict[str, Ints]:
    """`values`, some or all of the table's statistics by name, with the noise that the plan has for them."""
    noisy: dict[str, Ints] = {}
    for statistic, cost in plan(clock, bounds):
        if statistic.name in values:
            l1, l2_squared = sensitivity(statistic, bounds)
            exact = values[statistic.name]
            noisy[statistic.name] = ledger.noisy(exact, cost, l1, l2_squared, clock.name, statistic.name)
    return noisy


def sensitivity(statistic: Statistic, bounds: Bounds) -> tuple[int, int]:
    """L1 and L2² of what removing a unit changes."""
    group = bounds.samples if statistic.of_samples else bounds.accesses
    if statistic.of_both:
        group = bounds.accesses + bounds.samples
    l1, l2_squared = statistic.l1, statistic.l2_squared
    if statistic.of_samples:  # side by side, so that squares add up too
        l1, l2_squared = l1 * bounds.bags, l2_squared * bounds.bags
    if statistic.whole is not None and bounds.accesses > 1:  # no unit but whole samples has more than one access
        l1, l2_squared = statistic.whole
    return l1 * group, l2_squared * group**2


def hot_threshold(ledger: Ledger, clock: Clock, bounds: Bounds) -> float:
    """The noisy count from which a bucket is hot: clear of both noises, whatever the data."""
    costs = {statistic.name: (statistic, cost) for statistic, cost in plan(clock, bounds)}
    buckets, windows = (
        noise_scale(ledger.mechanism, cost, *sensitivity(statistic, bounds))
        for statistic, cost in (costs["buckets"], costs["windows"])
    )
    return max(HOT_COUNT, 12 * buckets, 6 * math.sqrt(locality.SHAPE_WINDOWS) * windows)


@dataclass(frozen=True)
class Cuts:
    """What the bounds cut off, exact: for the trace's owner alone, never in a file."""

    lookups: int
    samples: int
    seconds_of_noise: float


def release(trace: Trace | Log, budget: PrivacyBudget, name: str = "trace") -> TraceProfile:
    """A private profile of `trace`. Raises HotrowError where the budget cannot serve it."""
    return release_with_cuts(trace, budget, name)[0]


def release_with_cuts(trace: Trace | Log, budget: PrivacyBudget, name: str = "trace") -> tuple[TraceProfile, Cuts]:
    """The private profile, and what the bounds cut off."""
    log = Log.of(trace)
    most = budget.samples_per_user if budget.unit == "user" else None
    if most is not None and not log.users:
        raise HotrowError(NO_USERS)
    total = budget.epsilon if budget.mechanism == "laplace" else rho_of(budget.epsilon, budget.delta)
    several = len(log.tables) > 1 and log.samples > 0
    clocks = [clock_of(table, log.samples, budget) for table in log.tables]
    bounds = table_bounds(clocks, budget, total * (1 - COUPLING) if several else total)
    short = short_tables(clocks, bounds, budget)
    reading = [
        Measuring(clock, private_windows(clock, bound, budget.mechanism))
        for clock, bound in zip(clocks, bounds, strict=True)
    ]
    stay = read_first(log, reading, most)
    tables = [
        _Release(table.measured(secrets.randbits(63)), bound, Ledger(budget.mechanism, bound.limit))
        for table, bound in zip(reading, bounds, strict=True)
    ]
    filled, charges = (log.samples, []) if most is None else _filled(stay, log.samples, budget, total)
    drafts = [table.draft(filled) for table in tables]
    together = Ledger(budget.mechanism, COUPLING * total * (1 - FILLED.share if budget.unit == "user" else 1))
    joint = joint_plan(clocks, drafts, budget, together.limit) if several else None
    second = [table.ask(joint.limits[k] if joint else np.zeros(0, np.int64)) for k, table in enumerate(tables)]
    joints = read_again(log, second, joint.order if joint else (), most)
    finished = tuple(
        table.complete(draft, again.values()) for table, draft, again in zip(tables, drafts, second, strict=True)
    )
    for table in tables:
        charges += table.ledger.charges
    coupling = None
    if joint:
        coupling = noisy_coupling(joint, joints, [clock.name for clock in clocks], together)
        charges += together.charges
    header = privacy_header(budget, charges, total_cost(charges, budget))
    source = f"released from a trace with {budget.mechanism} noise"
    profile = TraceProfile(name, "private", source, filled, finished, (*ASSUMPTIONS, *short), header, coupling)
    cuts = Cuts(sum(t.cut for t in reading), log.samples - stay, sum(table.seconds for table in tables))
    return profile, cuts


class _Release:
    """One table's way through the release; the exact values stay inside. seconds: that noise took."""

    def __init__(self, measured: Measured, bounds: Bounds, ledger: Ledger) -> None:
        self.ledger = ledger
        self.seconds = 0.0
        self._measured, self._bounds = measured, bounds
        self._noisy = self._with_noise(measured.values)

    def _with_noise(self, values: Mapping[str, Ints]) -> dict[str, Ints]:
        start = time.thread_time()
        noisy = add_noise(self._measured.clock, values, self._bounds, self.ledger)
        self.seconds += time.thread_time() - start
        return noisy

    def _noise(self) -> dict[str, float]:
        return {c.statistic: deviation(self.ledger.mechanism, c.scale) for c in self.ledger.charges}

    def draft(self, filled: int) -> TableProfile:
        """The table as far as the first reading goes."""
        return fit_table(released(self._measured, self._noisy, self._noise()), filled)

    def ask(self, limits: Ints) -> Second:
        """What to count in the second reading, by noisy values alone."""
        clock, noisy = self._measured.clock, self._noisy
        hot = hot_buckets(noisy["buckets"], hot_threshold(self.ledger, clock, self._bounds))
        limit = contents_limit(noisy["reuse"], int(noisy["distinct"][0]), clock.length)
        return Second(self._measured, Asked(hot, limit, limits))

    def complete(self, draft: TableProfile, values: Mapping[str, Ints]) -> TableProfile:
        """The table with what the second reading counted."""
        noisy = self._with_noise(values)
        return completed(draft, noisy, self._noise())


def quieter_mechanism(trace: Trace | Log, epsilon: float, delta: float, unit: Unit) -> Mechanism:
    """The mechanism that gives a table's age matrix less noise at (ε, δ), by declared sensitivities alone."""
    if delta <= 0:
        return "laplace"
    log = Log.of(trace)
    ages = next(s for s in STATISTICS if s.name == "ages")
    found: dict[Mechanism, float] = {}
    for mechanism in MECHANISMS:
        budget = PrivacyBudget(epsilon, unit, delta if mechanism == "gaussian" else 0.0, mechanism)
        total = epsilon if mechanism == "laplace" else rho_of(epsilon, delta)
        clocks = [clock_of(table, log.samples, budget) for table in log.tables]
        bounds = table_bounds(clocks, budget, total)[0]
        cost = next(cost for statistic, cost in plan(clocks[0], bounds) if statistic is ages)
        found[mechanism] = deviation(mechanism, noise_scale(mechanism, cost, *sensitivity(ages, bounds)))
    return min(MECHANISMS, key=lambda mechanism: found[mechanism])


def clock_of(table: TableForm, samples: int, budget: PrivacyBudget) -> Clock:
    """The table's clock, by public numbers."""
    return table.clock(samples, budget.lookups_per_sample)


def table_bounds(clocks: Sequence[Clock], budget: PrivacyBudget, total: float) -> list[Bounds]:
    """What a unit may hold of every table, and the table's part of the `total` ε or ρ."""
    if budget.unit == "access":
        return [Bounds(1, 1, total) for _ in clocks]
    most = 1 if budget.unit == "sample" else budget.samples_per_user
    spent = total if budget.unit == "sample" else total * (1 - FILLED.share)
    features = [max(1, len(clock.features)) for clock in clocks]
    return [
        Bounds(most * clock.per_sample, most, spent * own / sum(features), max(1, len(clock.bags)))
        for clock, own in zip(clocks, features, strict=True)
    ]


def _filled(stay: int, samples: int, budget: PrivacyBudget, total: float) -> tuple[int, list[Charge]]:
    """How many of all samples were not emptied, noisy, with its cost."""
    ledger = Ledger(budget.mechanism, total * FILLED.share)
    most = budget.samples_per_user
    l1, l2_squared = FILLED.l1 * most, FILLED.l2_squared * most**2
    noisy = ledger.noisy(np.array([stay]), ledger.limit, l1, l2_squared, "", FILLED.name)
    return int(np.clip(noisy[0], 1, samples)), ledger.charges


def total_cost(charges: list[Charge], budget: PrivacyBudget) -> float:
    """ε (laplace) or ρ (gaussian) of the whole file: the largest table's at unit access, else the sum."""
    names = dict.fromkeys(c.table for c in charges)
    per_table = {name: sum(c.cost for c in charges if c.table == name) for name in names}
    whole = per_table.pop("", 0.0)  # statistics of the whole log
    return whole + (max(per_table.values()) if budget.unit == "access" else sum(per_table.values()))
