"""Question: does the policy matter? Hits of cache policies at several sizes, one cache for all tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .. import HotrowError
from ..analysis import plots
from ..analysis.cache import shared_stream, simulate
from ..analysis.policies.registry import find
from ..progress import Advance, ignore
from ..tracegen.trace import Trace
from .grid import Grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FAST = ("LRU", "FIFO", "CLOCK", "SIEVE", "S3-FIFO", "LFU")
SIZES = 8
SET = 32  # default capacities from here on are multiples of this, which set-associative policies need


@dataclass(frozen=True)
class PolicyComparison:
    """Hit ratios, fractions of 1, by policy and capacity in rows; None where the policy is not defined for it."""

    lookups: int
    touched_rows: int
    capacities: tuple[int, ...]
    hit_ratio: dict[str, tuple[float | None, ...]]

    def grid(self) -> Grid:
        """One row per policy."""
        rows = tuple(
            (policy, *("–" if ratio is None else f"{ratio:.2%}" for ratio in ratios))
            for policy, ratios in self.hit_ratio.items()
        )
        caption = (
            "Hits by policy and capacity in rows, one cache for all tables, cold start; "
            "–: not defined at this capacity (docs/policies.md)"
        )
        return Grid(caption, ("policy", *(f"{capacity:,}" for capacity in self.capacities)), rows, "simulated")


def figure(result: PolicyComparison) -> Figure:
    """Miss ratio of every policy over the capacity."""
    series = []
    for policy, ratios in result.hit_ratio.items():
        known = [(c, 1 - ratio) for c, ratio in zip(result.capacities, ratios, strict=True) if ratio is not None]
        series.append((policy, [c for c, _ in known], [miss for _, miss in known]))
    return plots.miss_ratio(series, title="Policies, one cache for all tables", what="policies")


def default_capacities(touched_rows: int) -> tuple[int, ...]:
    """Up to eight capacities from a thousandth of the touched rows to room for all, evenly on a logarithmic axis."""
    if touched_rows < 1:
        return (1,)
    spaced = np.geomspace(max(1, touched_rows / 1000), touched_rows, SIZES)
    whole = [round(size) if size < 2 * SET else SET * round(size / SET) for size in spaced[:-1]]
    return tuple(sorted({*whole, touched_rows if touched_rows < 2 * SET else SET * -(-touched_rows // SET)}))


def compare_policies(
    trace: Trace, policies: Sequence[str] = FAST, capacities: Sequence[int] | None = None, advance: Advance = ignore
) -> PolicyComparison:
    """Simulate every policy at every capacity; `advance` is called once per policy.

    Raises HotrowError for a capacity below 1 and, with the nearest name, for an unknown policy.
    """
    chosen = [find(name) for name in policies]
    stream = shared_stream(trace, [None] * len(trace.tables))
    sizes = tuple(default_capacities(stream.touched_rows) if capacities is None else capacities)
    if any(size < 1 for size in sizes):
        raise HotrowError(f"capacity {min(sizes)}; a cache holds at least 1 row")
    ratios: dict[str, tuple[float | None, ...]] = {}
    for policy in chosen:
        defined = [size for size in sizes if size >= policy.smallest and size % policy.multiple == 0]
        hits = {stats.capacity: stats.hits for stats in simulate(stream, policy.name, defined)}
        ratios[policy.name] = tuple(hits[s] / max(trace.accesses, 1) if s in hits else None for s in sizes)
        advance(1)
    return PolicyComparison(trace.accesses, stream.touched_rows, sizes, ratios)
