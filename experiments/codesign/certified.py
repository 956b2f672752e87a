"""Certified: what a synthetic trace's profile says of its own error, carried through to conclusions.

A certificate estimates the mean difference of LRU miss ratios over cache sizes. Here it is taken as the difference at
every size, which is an assumption: a curve may be further off where it is steep and nearer elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ... import HotrowError
from ...analysis.miss_ratio import MissRatioCurve
from ...analysis.prediction.traffic import ReuseCurve, Traffic
from ...tracegen.profile import TraceProfile
from ...tracegen.trace import Trace


@dataclass(frozen=True)
class Certified:
    """What is known of a synthetic trace's error. profile: its name; origin: private, exact or published. told: the
    trace is only said to be drawn from it.

    tables: each with its lookups and the estimated error of its LRU miss ratios, None where the profile does not vouch.
    """

    profile: str
    origin: str
    tables: tuple[tuple[str, int, float | None], ...]
    told: bool = False

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


def certified(profile: TraceProfile, trace: Trace | None = None) -> Certified:
    """What a profile says of the traces drawn from it; trace: one that is said to be.

    Raises HotrowError where the trace cannot be: other tables, or more rows than the profile has.
    """
    if trace is not None:
        names, own = [t.name for t in profile.tables], [t.name for t in trace.tables]
        if names != own:
            raise HotrowError(
                f"profile {profile.name!r} is of tables {_few(names)}, the trace has {_few(own)}: it was not drawn "
                "from it"
            )
        for table, made in zip(trace.tables, profile.tables, strict=True):
            if table.accesses and (int(table.indices.max()) >= made.rows or len(np.unique(table.indices)) > made.rows):
                raise HotrowError(
                    f"table {table.name!r} of the trace holds rows beyond the {made.rows:,} of profile "
                    f"{profile.name!r}; it was not drawn from it"
                )
            if (made.bags is None) != (table.offsets is None):
                raise HotrowError(
                    f"table {table.name!r}: bags in the trace or in profile {profile.name!r}, not in both; it was not "
                    "drawn from it"
                )
    tables = tuple(
        (t.name, t.accesses, t.certificate.estimate if t.certificate is not None and t.certificate.vouches else None)
        for t in profile.tables
    )
    return Certified(profile.name, profile.origin, tables, trace is not None)


def _few(names: list[str], most: int = 5) -> str:
    return ", ".join(names) if len(names) <= most else f"{', '.join(names[:most])} and {len(names) - most} more"


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
