"""Bounds: how much of a table one unit may hold and one table may spend, and what that leaves to be learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .. import HotrowError
from .clock import Clock
from .privacy import Mechanism, PrivacyBudget

SHORT, HOPELESS = 10_000, 200  # slots × ε of one access
PRIVATE_WINDOW = 4096.0  # slots of an age window at ε = 1 for one access


@dataclass(frozen=True)
class Bounds:
    """How many accesses and samples of one table a unit may hold, and what one table may spend. bags: histograms of bag
    sizes that a sample of the unit is in."""

    accesses: int
    samples: int
    limit: float
    bags: int = 1


def short_tables(clocks: Sequence[Clock], bounds: Sequence[Bounds], budget: PrivacyBudget) -> list[str]:
    """A line for every table that is short for its ε; HotrowError where nothing at all could be learned of one."""
    short = []
    for clock, bound in zip(clocks, bounds, strict=True):
        weight = clock.length * _epsilon_of_access(bound, budget.mechanism)
        if weight < HOPELESS:
            each = bound.limit if budget.mechanism == "laplace" else 2 * bound.limit**0.5
            raise HotrowError(
                f"table {clock.name!r}: epsilon {budget.epsilon:g} leaves about {each:.3g} for this table and "
                f"{each / bound.accesses:.2g} per lookup, nothing but noise over {clock.samples:,} samples; "
                "raise epsilon, leave out tables, take a longer trace or a smaller unit"
            )
        if weight < SHORT:
            short.append(f"table {clock.name!r}: N·ε is {weight:,.0f}; below {SHORT:,} only the LRU curve means much")
    return short


def private_windows(clock: Clock, bounds: Bounds, mechanism: Mechanism) -> int:
    """Age windows of a private release: as many as length and noise allow, public facts alone."""
    return int(np.clip(clock.length * _epsilon_of_access(bounds, mechanism) / PRIVATE_WINDOW, 4, 256))


def _epsilon_of_access(bounds: Bounds, mechanism: Mechanism) -> float:
    """The ε whose Laplace noise is as large as the noise that one access's share of the budget gets."""
    return (bounds.limit if mechanism == "laplace" else 2 * bounds.limit**0.5) / bounds.accesses
