"""Chain choice: whether rows that arrive together stay together in what is generated, judged by released values alone.

They do where enough rows are known to, and where neither the LRU curve nor the page curve suffers from it.
"""

from __future__ import annotations

import msgspec
import numpy as np

from ...tracegen.profile import TableProfile, TraceProfile, Trust, Variant
from ...tracegen.samples.chains import linked_shares
from ...tracegen.samples.choice import layout_gaps
from ..certificate import best_of

LRU_COST, LRU_PART = 0.001, 0.25  # of the claim, or a part of it, at most: less than another seed makes
PAGES_COST = 0.005  # of the page curve, at most
LEAST_LINKED = 0.2  # of all rows; fewer are no reason to part with the best variant


def choose_chains(profile: TraceProfile, seed: int = 0) -> TraceProfile:
    """The profile whose tables keep chains of rows together where that helps; post-processing."""
    tables = tuple(_with_chains(table, seed, k) for k, table in enumerate(profile.tables))
    return msgspec.structs.replace(profile, tables=tables)


def linked_rows(table: TableProfile) -> float:
    """Share of the table's rows that stand in a chain behind another, as released; 0 where it is not known."""
    locality = table.locality
    if locality is None or locality.kin is None:
        return 0.0
    rows = np.maximum(locality.kin.array().sum(1), 0)
    return float(linked_shares(locality.kin.array(), locality.noise["kin"]) @ rows / max(rows.sum(), 1))


def _with_chains(table: TableProfile, seed: int, number: int) -> TableProfile:
    locality, before = table.locality, table.certificate
    if locality is None or before is None or linked_rows(table) < LEAST_LINKED:
        return table
    spans: tuple[Trust, ...] = ("mixed", "prior", "raw") if locality.noise["spans"] > 0 else ("mixed",)
    variants = [Variant("renewal", windows, trust, chains=True) for windows in (True, False) for trust in spans]
    best, promise = best_of(table, locality, variants, seed, number)
    if best.claim > before.claim + max(LRU_COST, LRU_PART * before.claim):
        return table
    pages = [min(layout_gaps(t, seed, number).values(), default=0.0) for t in (table, best.table)]
    if pages[1] > pages[0] + PAGES_COST:
        return table
    promise = msgspec.structs.replace(promise, candidates=(*before.candidates, *promise.candidates))
    return msgspec.structs.replace(best.table, certificate=promise)
