"""Question: what may leave the house? , with the certificate of what it generates."""

from __future__ import annotations

from dataclasses import dataclass

from ..analysis.certificate import select
from ..tracegen.privacy import PrivacyBudget
from ..tracegen.profile import TraceProfile
from ..tracegen.release import Cuts, exact_profile, release_with_cuts
from ..tracegen.trace import Trace
from .grid import Grid


@dataclass(frozen=True)
class Fitted:
    """A profile whose tables have their best variant and certificate; cuts: for the owner alone, None if exact."""

    profile: TraceProfile
    cuts: Cuts | None

    def grid(self) -> Grid:
        """One row per table: what its certificate says."""
        rows = []
        for table in self.profile.tables:
            certificate = table.certificate
            if certificate is None:
                rows.append(
                    (table.name, f"{table.accesses:,}", f"{table.distinct:,}", "–", "no", "no locality released")
                )
                continue
            vouches = "yes" if certificate.vouches else "no"
            estimate = f"{certificate.estimate:.4f}"
            rows.append((table.name, f"{table.accesses:,}", f"{table.distinct:,}", estimate, vouches, certificate.note))
        heads = ("table", "lookups", "rows", "LRU error", "vouched", "why")
        return Grid(
            "Expected mean error of the LRU miss ratio of what the profile generates", heads, tuple(rows), "predicted"
        )


def fit(trace: Trace, budget: PrivacyBudget | None, name: str, seed: int = 0) -> Fitted:
    """Measure `trace` under `budget`, or exactly and not privately for None; select each table's variant.

    Everything after the measurement sees released statistics only. Raises HotrowError where the budget cannot serve.
    """
    if budget is None:
        return Fitted(select(exact_profile(trace, name), seed), None)
    profile, cuts = release_with_cuts(trace, budget, name)
    return Fitted(select(profile, seed), cuts)
