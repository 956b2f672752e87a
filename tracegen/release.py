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
  contents    samples by bag size, lookups in it after a long reuse time, and first ones:    2·k, 2·k²
              k samples change their cell, as for joint below (k = n + g; the time from reuse)
(L2² of reuse, ages: two falls may share a cell, 2² + 1; pairs: 3² + 2².)
Of the log as a whole, for every table but the first, by what was released before:
  joint       samples by how many lookups in the tables before, and in this one, come after   2·k, 2·k²
              longer than some reuse times: k samples change their cell, the unit's own and
              the next of each row it looked up in these tables
(k samples leave k cells for k others, which may coincide; k is n + Σ g over these tables, n the unit's samples; for one
access k is 2, its own sample and one other.)
*A unit* removes its g accesses one after the other: L1 × g, L2² × g², with g = 1 (access), L (sample), m·L (user).
Bags and steps count samples, so there g is 1, 1, m; so it is for `filled`, the samples that are not empty (user only).

*Mechanism.* Every statistic is a vector of integers and gets discrete Laplace noise of scale L1/ε' or discrete
Gaussian noise of variance L2²/2ρ', sampled exactly by OpenDP. Ledger adds up what OpenDP says each cost.

*Composition.* Within a table costs add up. A sample or user has lookups in every table: the tables share ε (or ρ)
equally. An access has one table only: every table may spend all of it (parallel composition). Where there are several
tables, joint counts take the part COUPLING of what `filled` leaves, and the tables the rest. ρ becomes (ε, δ) by
OpenDP's conversion. All that follows (fit, selection, generation) sees noisy values and public numbers only.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import HotrowError
from . import locality
from .clock import ClockedTable, kept_samples, place
from .disclosure import privacy_header
from .fit import fit_table
from .measure import (
    ASSUMPTIONS,
    HOT_COUNT,
    OF_BAGS,
    Measured,
    column,
    contents,
    contents_limit,
    hot_buckets,
    hot_windows,
    limits_of,
    measure,
    released,
)
from .packed import Packed
from .privacy import Charge, Ledger, Mechanism, PrivacyBudget, Unit, deviation, noise_scale, rho_of
from .profile import TableProfile, TraceProfile
from .samples.coupling import Coupling, fractions_for, joint_counts, table_order
from .trace import Trace

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Statistic:
    """What is released: sensitivities of one access (or sample, where `of_samples`), and its share of the budget.

    of_both: of one access or sample, where a unit's accesses and its samples add up.
    """

    name: str
    l1: int
    l2_squared: int
    share: float
    of_samples: bool = False
    of_both: bool = False


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
    Statistic("bags", 2, 2, 0.03, of_samples=True),
    Statistic("steps", 4, 8, 0.02, of_samples=True),
    Statistic("contents", 2, 2, 0.08, of_both=True),
)
FILLED = Statistic("filled", 1, 1, 0.01, of_samples=True)
COUPLING = 0.12  # of the whole budget, where there are several tables
MECHANISMS: tuple[Mechanism, ...] = ("laplace", "gaussian")
SHORT, HOPELESS = 10_000, 200  # slots × ε of one access
PRIVATE_WINDOW = 4096.0  # slots of an age window at ε = 1 for one access


@dataclass(frozen=True)
class Bounds:
    """How many accesses and samples of one table a unit may hold, and what one table may spend."""

    accesses: int
    samples: int
    limit: float


def plan(table: ClockedTable, bounds: Bounds) -> tuple[tuple[Statistic, float], ...]:
    """The statistics that a table's release holds, and what each may cost; public facts alone decide."""
    # a one-hot table has one lookup per sample by the form of the log, or none where a user's was dropped: see `filled`
    kinds = [s for s in STATISTICS if s.name not in OF_BAGS or not table.one_hot]
    total = sum(s.share for s in kinds)
    return tuple((s, bounds.limit * s.share / total) for s in kinds)


def add_noise(
    measured: Measured, bounds: Bounds, ledger: Ledger, names: tuple[str, ...] | None = None
) -> dict[str, Ints]:
    """Noisy values of the statistics called `names` (all if None); windows are those of the noisy hot buckets."""
    noisy: dict[str, Ints] = {}
    table = measured.table
    for statistic, cost in plan(table, bounds):
        if names is not None and statistic.name not in names:
            continue
        l1, l2_squared = sensitivity(statistic, bounds)
        if statistic.name == "windows":
            scale = noise_scale(ledger.mechanism, cost, l1, l2_squared)
            hot = hot_buckets(noisy["buckets"], hot_threshold(ledger, table.name, scale))
            values = hot_windows(measured, hot)
        elif statistic.name == "contents":
            limit = contents_limit(noisy["reuse"], int(noisy["distinct"][0]), table.length)
            values = contents(table, limit)
        else:
            values = measured.values[statistic.name]
        noisy[statistic.name] = ledger.noisy(values, cost, l1, l2_squared, table.name, statistic.name)
    return noisy


def sensitivity(statistic: Statistic, bounds: Bounds) -> tuple[int, int]:
    """L1 and L2² of what removing a unit changes."""
    group = bounds.samples if statistic.of_samples else bounds.accesses
    if statistic.of_both:
        group = bounds.accesses + bounds.samples
    return statistic.l1 * group, statistic.l2_squared * group**2


def hot_threshold(ledger: Ledger, table: str, windows_scale: float) -> float:
    """The noisy count from which a bucket is hot: clear of both noises, whatever the data."""
    buckets_scale = next(c.scale for c in ledger.charges if c.table == table and c.statistic == "buckets")
    return max(HOT_COUNT, 12 * buckets_scale, 6 * math.sqrt(locality.SHAPE_WINDOWS) * windows_scale)


def release(trace: Trace, budget: PrivacyBudget, name: str = "trace") -> TraceProfile:
    """A private profile of `trace`. Raises HotrowError where the budget cannot serve it."""
    return release_with_cuts(trace, budget, name)[0]


@dataclass(frozen=True)
class Cuts:
    """What the bounds cut off, exact: for the trace's owner alone, never in a file."""

    lookups: int
    samples: int
    seconds_of_noise: float


def release_with_cuts(trace: Trace, budget: PrivacyBudget, name: str = "trace") -> tuple[TraceProfile, Cuts]:
    """The private profile, and what the bounds cut off."""
    kept = kept_samples(trace, budget.samples_per_user) if budget.unit == "user" else None
    total = budget.epsilon if budget.mechanism == "laplace" else rho_of(budget.epsilon, budget.delta)
    filled, charges = _filled(trace, kept, budget, total)
    tables, cut, seconds = [], 0, 0.0
    short, clocks = [], []
    several = len(trace.tables) > 1 and trace.samples > 0
    alone = total * (1 - COUPLING) if several else total
    for table in trace.tables:
        clocked, lost = place(table, 1 if table.offsets is None else budget.lookups_per_sample, kept)
        cut += lost
        bounds = table_bounds(clocked, budget, alone, len(trace.tables))
        clocks.append(clocked)
        weight = check(clocked, bounds, budget)
        if weight < SHORT:
            short.append(f"table {table.name!r}: N·ε is {weight:,.0f}; below {SHORT:,} only the LRU curve means much")
        measured = measure(clocked, private_windows(clocked, bounds, budget.mechanism), secrets.randbits(63))
        start = time.thread_time()
        ledger = Ledger(budget.mechanism, bounds.limit)
        noisy = add_noise(measured, bounds, ledger)
        seconds += time.thread_time() - start
        noise = {c.statistic: deviation(budget.mechanism, c.scale) for c in ledger.charges}
        tables.append(fit_table(released(clocked, noisy, noise), filled))
        charges += ledger.charges
    coupling = None
    if several:
        left = total * (1 - FILLED.share) if budget.unit == "user" else total
        ledger = Ledger(budget.mechanism, left * COUPLING)
        coupling = release_coupling(clocks, tables, budget, ledger)
        charges += ledger.charges
    header = privacy_header(budget, charges, total_cost(charges, budget))
    profile = TraceProfile(
        name,
        "private",
        f"released from a trace with {budget.mechanism} noise",
        filled,
        tuple(tables),
        (*ASSUMPTIONS, *short),
        header,
        coupling,
    )
    return profile, Cuts(cut, 0 if kept is None else int(np.count_nonzero(~kept)), seconds)


def release_coupling(
    clocks: list[ClockedTable], tables: list[TableProfile], budget: PrivacyBudget, ledger: Ledger
) -> Coupling:
    """Noisy joint counts of all tables, worth the ledger's limit; order and limits come from the released tables."""
    order = table_order([table.distinct for table in tables])
    most = [clocks[k].per_sample for k in order]
    moved = samples_moved(most, budget)
    # costs in proportion to what a joint count costs at the same noise, so that all get the same noise
    weights = np.array(moved, np.float64) ** (1 if budget.mechanism == "laplace" else 2)
    costs = ledger.limit * (1 - 1e-9) * weights / weights.sum()
    scale = noise_scale(budget.mechanism, float(costs[0]), 2 * moved[0], 2 * moved[0] ** 2)
    noise = deviation(budget.mechanism, scale)
    fractions = fractions_for(most, clocks[0].samples, noise)
    limits = [limits_of(table, fractions) for table in tables]
    joints = [
        ledger.noisy(joint, float(cost), 2 * k, 2 * k**2, "", f"joint {tables[number].name}")
        for joint, cost, k, number in zip(
            joint_counts([column(clocks[k]) for k in order], [limits[k] for k in order]),
            costs,
            moved,
            order[1:],
            strict=True,
        )
    ]
    return Coupling(order, Packed.of(np.array(limits)), tuple(Packed.of(j) for j in joints), noise)


def samples_moved(most: Sequence[int], budget: PrivacyBudget) -> list[int]:
    """Samples whose cell a unit may change, for the joint count of every table but the first, in coupling order."""
    if budget.unit == "access":
        return [2] * (len(most) - 1)
    samples = budget.samples_per_user if budget.unit == "user" else 1
    return [samples * (1 + sum(most[: j + 1])) for j in range(1, len(most))]


def quieter_mechanism(trace: Trace, epsilon: float, delta: float, unit: Unit) -> Mechanism:
    """The mechanism that gives a table's age matrix less noise at (ε, δ), by declared sensitivities alone."""
    if delta <= 0:
        return "laplace"
    ages = next(s for s in STATISTICS if s.name == "ages")
    found: dict[Mechanism, float] = {}
    for mechanism in MECHANISMS:
        budget = PrivacyBudget(epsilon, unit, delta if mechanism == "gaussian" else 0.0, mechanism)
        table = place(trace.tables[0], 1 if trace.tables[0].offsets is None else budget.lookups_per_sample)[0]
        total = epsilon if mechanism == "laplace" else rho_of(epsilon, delta)
        bounds = table_bounds(table, budget, total, len(trace.tables))
        cost = next(cost for statistic, cost in plan(table, bounds) if statistic is ages)
        found[mechanism] = deviation(mechanism, noise_scale(mechanism, cost, *sensitivity(ages, bounds)))
    return min(MECHANISMS, key=lambda mechanism: found[mechanism])


def table_bounds(table: ClockedTable, budget: PrivacyBudget, total: float, tables: int) -> Bounds:
    """What a unit may hold of one table, and the table's part of the `total` ε or ρ."""
    if budget.unit == "access":
        return Bounds(1, 1, total)
    if budget.unit == "sample":
        return Bounds(table.per_sample, 1, total / tables)
    most = budget.samples_per_user
    return Bounds(most * table.per_sample, most, total * (1 - FILLED.share) / tables)


def check(table: ClockedTable, bounds: Bounds, budget: PrivacyBudget) -> float:
    """Slots × ε of one access, a measure of what can be learned; HotrowError where that is nothing."""
    weight = table.length * _epsilon_of_access(bounds, budget.mechanism)
    if weight < HOPELESS:
        each = bounds.limit if budget.mechanism == "laplace" else 2 * bounds.limit**0.5
        raise HotrowError(
            f"table {table.name!r}: epsilon {budget.epsilon:g} leaves about {each:.3g} for this table and "
            f"{each / bounds.accesses:.2g} per lookup, nothing but noise over {table.samples:,} samples; "
            "raise epsilon, leave out tables, take a longer trace or a smaller unit"
        )
    return weight


def private_windows(table: ClockedTable, bounds: Bounds, mechanism: Mechanism) -> int:
    """Age windows of a private release: as many as length and noise allow, public facts alone."""
    return int(np.clip(table.length * _epsilon_of_access(bounds, mechanism) / PRIVATE_WINDOW, 4, 256))


def _epsilon_of_access(bounds: Bounds, mechanism: Mechanism) -> float:
    """The ε whose Laplace noise is as large as the noise that one access's share of the budget gets."""
    return (bounds.limit if mechanism == "laplace" else 2 * bounds.limit**0.5) / bounds.accesses


def _filled(
    trace: Trace, kept: NDArray[np.bool_] | None, budget: PrivacyBudget, total: float
) -> tuple[int, list[Charge]]:
    """Samples that were not emptied, noisy, with its cost; all of them where nothing is emptied."""
    if kept is None:
        return trace.samples, []
    ledger = Ledger(budget.mechanism, total * FILLED.share)
    most = budget.samples_per_user
    noisy = ledger.noisy(
        np.array([np.count_nonzero(kept)]),
        total * FILLED.share,
        FILLED.l1 * most,
        FILLED.l2_squared * most**2,
        "",
        FILLED.name,
    )
    return int(np.clip(noisy[0], 1, trace.samples)), ledger.charges


def total_cost(charges: list[Charge], budget: PrivacyBudget) -> float:
    """ε (laplace) or ρ (gaussian) of the whole file: the largest table's at unit access, else the sum."""
    names = dict.fromkeys(c.table for c in charges)
    per_table = {name: sum(c.cost for c in charges if c.table == name) for name in names}
    whole = per_table.pop("", 0.0)  # statistics of the whole log
    return whole + (max(per_table.values()) if budget.unit == "access" else sum(per_table.values()))
