"""joint_release: what the joint counts of a log's tables cost, and their noise; the argument stands in release.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..clock import Clock
from ..measure import limits_of
from ..packed import Packed
from ..privacy import Ledger, PrivacyBudget, deviation, noise_scale
from ..profile import TableProfile
from .coupling import Coupling, fractions_for, table_order

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class JointPlan:
    """What joint counts are to be taken, in the tables' `order`, and what each of them may cost, by public numbers and
    released tables. limits: by table number; moved: samples that a unit may move; noise: deviation of a count."""

    order: tuple[int, ...]
    limits: tuple[Ints, ...]
    moved: tuple[int, ...]
    costs: tuple[float, ...]
    noise: float


def joint_plan(
    clocks: Sequence[Clock], tables: Sequence[TableProfile], budget: PrivacyBudget, limit: float
) -> JointPlan:
    """The joint counts of tables that are released but for those, worth `limit` together."""
    order = table_order([table.distinct for table in tables])
    most = [clocks[k].per_sample for k in order]
    moved = samples_moved(most, budget)
    # costs in proportion to what a joint count costs at the same noise, so that all get the same noise
    weights = np.array(moved, np.float64) ** (1 if budget.mechanism == "laplace" else 2)
    costs = limit * (1 - 1e-9) * weights / weights.sum()
    noise = deviation(budget.mechanism, noise_scale(budget.mechanism, float(costs[0]), *joint_sensitivity(moved[0])))
    fractions = fractions_for(most, clocks[0].samples, noise)
    limits = tuple(limits_of(table, fractions) for table in tables)
    return JointPlan(order, limits, tuple(moved), tuple(costs.tolist()), noise)


def joint_sensitivity(moved: int) -> tuple[int, int]:
    """L1 and L2² of a joint count of which a unit may move `moved` samples to another cell."""
    return 2 * moved, 2 * moved**2


def noisy_coupling(plan: JointPlan, joints: Sequence[Ints], names: Sequence[str], ledger: Ledger) -> Coupling:
    """The joint counts with their noise; names: of the tables, by number."""
    noisy = [
        ledger.noisy(joint, cost, *joint_sensitivity(moved), "", f"joint {names[number]}")
        for joint, cost, moved, number in zip(joints, plan.costs, plan.moved, plan.order[1:], strict=True)
    ]
    return Coupling(plan.order, Packed.of(np.array(plan.limits)), tuple(Packed.of(j) for j in noisy), plan.noise)


def samples_moved(most: Sequence[int], budget: PrivacyBudget) -> list[int]:
    """Samples whose cell a unit may change, for the joint count of every table but the first, in coupling order."""
    if budget.unit == "access":
        return [2] * (len(most) - 1)
    samples = budget.samples_per_user if budget.unit == "user" else 1
    return [samples * (1 + sum(most[: j + 1])) for j in range(1, len(most))]
