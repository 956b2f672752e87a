"""PrivacyBudget, noise and composition: OpenDP's exact samplers on 64-bit integers, and a ledger of what was spent."""

from __future__ import annotations

import importlib.metadata
import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .. import HotrowError

Unit = Literal["access", "sample", "user"]
Mechanism = Literal["laplace", "gaussian"]
UNITS: tuple[Unit, ...] = ("access", "sample", "user")
MARGIN = 1 + 1e-9  # scales are this much larger than needed, so that OpenDP's upward rounding stays inside the budget


@dataclass(frozen=True)
class PrivacyBudget:
    """What a release may spend, and whom it protects.

    epsilon, delta: (ε, δ)-differential privacy for the whole file; delta = 0 is pure and needs no excuse.
    unit: what is hidden: one lookup (access), one sample with its lookups in all tables, or one user.
    mechanism: laplace (discrete Laplace, pure) or gaussian (discrete Gaussian under zCDP; needs delta; pays off
    beyond about 4 tables). samples_per_user: a user's samples beyond this many are dropped before measuring.
    lookups_per_sample: slots of every bag; longer bags are cut. Both bounds are public and must not come from the data.
    Raises HotrowError naming the value and the rule.
    """

    epsilon: float = 1.0
    unit: Unit = "sample"
    delta: float = 0.0
    mechanism: Mechanism = "laplace"
    samples_per_user: int = 16
    lookups_per_sample: int = 8

    def __post_init__(self) -> None:
        if not (math.isfinite(self.epsilon) and self.epsilon > 0):
            raise HotrowError(f"epsilon {self.epsilon}; it must be a finite number above 0 (1 is a usual choice)")
        if self.unit not in UNITS:
            raise HotrowError(f"privacy unit {self.unit!r}; it is one of {', '.join(UNITS)}")
        if self.mechanism not in ("laplace", "gaussian"):
            raise HotrowError(f"mechanism {self.mechanism!r}; it is laplace or gaussian")
        if not 0 <= self.delta < 1:
            raise HotrowError(f"delta {self.delta}; it must be at least 0 and below 1")
        if self.mechanism == "gaussian" and self.delta == 0:
            raise HotrowError("the gaussian mechanism needs a delta above 0 (well below 1 / samples, such as 1e-6)")
        if self.mechanism == "laplace" and self.delta > 0:
            raise HotrowError(f"delta {self.delta} with the laplace mechanism, which needs none; leave it out")
        for name in ("samples_per_user", "lookups_per_sample"):
            if getattr(self, name) < 1:
                raise HotrowError(f"{name} {getattr(self, name)}; at least 1 is needed")


@dataclass(frozen=True)
class Charge:
    """One noisy statistic: its sensitivities, the noise it got and what that cost (ε, or ρ of zCDP)."""

    table: str
    statistic: str
    cells: int
    l1: int
    l2_squared: int
    scale: float
    cost: float


@dataclass
class Ledger:
    """Adds noise and writes down what it cost; refuses to spend beyond `limit` (ε for laplace, ρ for gaussian)."""

    mechanism: Mechanism
    limit: float
    charges: list[Charge] = field(default_factory=list)

    def noisy(
        self,
        values: NDArray[np.int64],
        cost: float,
        l1: int,
        l2_squared: int,
        table: str,
        statistic: str,
    ) -> NDArray[np.int64]:
        """`values` with fresh noise worth `cost`.

        Raises HotrowError when the sum of costs would exceed the limit, and when a statistic comes twice.
        """
        if any(c.table == table and c.statistic == statistic for c in self.charges):
            raise HotrowError(f"table {table!r}: {statistic} would be released twice; its budget is spent")
        scale = noise_scale(self.mechanism, cost, l1, l2_squared)
        measurement = build(self.mechanism, scale)
        spent = float(measurement.map(l1 if self.mechanism == "laplace" else math.sqrt(l2_squared)))
        if self.spent() + spent > self.limit * (1 + 1e-12):
            raise HotrowError(f"table {table!r}: {statistic} would spend more than the budget of {self.limit:g}")
        self.charges.append(Charge(table, statistic, values.size, l1, l2_squared, scale, spent))
        flat: list[int] = values.ravel().tolist()
        return np.array(measurement(flat) if flat else [], np.int64).reshape(values.shape)

    def spent(self) -> float:
        """Sum of all costs so far (sequential composition)."""
        return math.fsum(charge.cost for charge in self.charges)


def noise_scale(mechanism: Mechanism, cost: float, l1: int, l2_squared: int) -> float:
    """The scale that spends `cost`: ε for discrete Laplace, ρ for discrete Gaussian."""
    return (l1 / cost if mechanism == "laplace" else math.sqrt(l2_squared / (2 * cost))) * MARGIN


def deviation(mechanism: Mechanism, scale: float) -> float:
    """Standard deviation of the noise of that scale; 0 without noise."""
    if scale <= 0:
        return 0.0
    if mechanism == "gaussian":
        return scale
    p = math.exp(-1 / scale)
    return math.sqrt(2 * p) / (1 - p)


def build(mechanism: Mechanism, scale: float) -> Any:
    """OpenDP's measurement for a vector of 64-bit integers with that noise."""
    dp = _opendp()
    domain = dp.vector_domain(dp.atom_domain(T=dp.i64))
    if mechanism == "laplace":
        return dp.m.make_laplace(domain, dp.l1_distance(T=dp.i64), scale=scale)
    return dp.m.make_gaussian(domain, dp.l2_distance(T=dp.f64), scale=scale)


def epsilon_of(rho: float, delta: float) -> float:
    """ε at δ of ρ-zCDP, by OpenDP's conversion."""
    dp = _opendp()
    gaussian = build("gaussian", math.sqrt(1 / (2 * rho)))
    return float(dp.c.make_zCDP_to_approxDP(gaussian).map(1.0).epsilon(delta))


def rho_of(epsilon: float, delta: float) -> float:
    """The largest ρ (to one part in 10⁶) whose zCDP gives (ε, δ)."""
    low, high = 0.0, epsilon
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if epsilon_of(middle, delta) <= epsilon else (low, middle)
    if low == 0:
        raise HotrowError(f"epsilon {epsilon:g} is too small for delta {delta:g}; raise one of them")
    return low


def library() -> str:
    """Name and version of the noise library."""
    return f"opendp {importlib.metadata.version('opendp')}"


def _opendp() -> Any:
    import opendp.prelude as dp

    dp.enable_features("contrib")
    return dp
