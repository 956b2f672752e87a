"""Certified: what a synthetic trace's profile says of its own error, carried through to conclusions.

A certificate estimates the mean difference of LRU miss ratios over cache sizes. Here it is taken as the difference at
every size, which is an assumption: a curve may be further off where it is steep and nearer elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...analysis.miss_ratio import MissRatioCurve
from ...analysis.prediction.traffic import ReuseCurve, Traffic
from ...tracegen.profile import TraceProfile


@dataclass(frozen=True)
class Certified:
    """What is known of a synthetic trace's error. profile: its name; origin: private, exact or published.

    tables: each with its lookups and the estimated error of its LRU miss ratios, None where the profile does not vouch.
    """

    profile: str
    origin: str
    tables: tuple[tuple[str, int, float | None], ...]

    @property
    def error(self) -> float | None:
        """Of all tables together, their mean by lookups; None where one that is looked up has no estimate."""
        used = [(lookups, error) for _, lookups, error in self.tables if lookups]
        known = [(lookups, error) for lookups, error in used if error is not None]
        if not used or len(known) < len(used):
            return None
        return sum(lookups * error for lookups, error in known) / sum(lookups for lookups, _ in known)

    @property
    def unvouched(self) -> tuple[str, ...]:
        """Tables that are looked up and that the profile does not vouch for."""
        return tuple(name for name, lookups, error in self.tables if lookups and error is None)


def certified(profile: TraceProfile) -> Certified:
    """What a profile says of the traces drawn from it."""
    tables = tuple(
        (t.name, t.accesses, t.certificate.estimate if t.certificate is not None and t.certificate.vouches else None)
        for t in profile.tables
    )
    return Certified(profile.name, profile.origin, tables)


def capacities(curve: MissRatioCurve, missed: float, error: float) -> tuple[int | None, int | None]:
    """The least and the greatest capacity at which a curve within `error` of this one may first miss only `missed`.

    None where such a curve may never.
    """
    sizes = np.arange(len(curve.histogram) + 1)
    ratios = curve.miss_ratio(sizes)

    def first(goal: float) -> int | None:
        reached = np.flatnonzero(ratios <= goal + 1e-12)
        return int(reached[0]) if len(reached) else None

    return first(missed + error), first(missed - error)


def shifted(traffic: Traffic, error: float) -> Traffic:
    """The traffic whose lookups outlast every window by `error` more often (less often where it is negative)."""

    def moved(shares: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(np.clip(np.array(shares) + error * (np.array(traffic.rows.times) > 0), 0, 1).tolist())

    def curve(of: ReuseCurve) -> ReuseCurve:
        return replace(of, outlasting=moved(of.outlasting))

    return replace(traffic, rows=curve(traffic.rows), tables=tuple(moved(shares) for shares in traffic.tables))
