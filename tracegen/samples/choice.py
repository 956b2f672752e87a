"""Choice: coupling and layouts, judged by released counts alone."""

from __future__ import annotations

import msgspec
import numpy as np

from ..clock import ClockedTable
from ..generate import block_columns, in_bags, ready_to_divide, table_rng
from ..profile import TableProfile, TraceProfile
from ..trace import MAX_ROWS
from .coupling import Coupling, miss_distance
from .layout import LAYOUTS, Layout, implied_curve, numbered, page_reuse, page_sizes

WORTH = 0.002  # a smaller gain is not worth moving lookups for
LAYOUT_WORTH = 0.005  # nor is one in page curves worth another layout than a random one


def choose_layouts(profile: TraceProfile, seed: int = 0) -> TraceProfile:
    """The profile with every table's layout the one whose page curve is nearest to the released one."""
    tables = [_with_layout(table, seed, k) for k, table in enumerate(profile.tables)]
    return msgspec.structs.replace(profile, tables=tuple(tables))


def _with_layout(table: TableProfile, seed: int, number: int) -> TableProfile:
    gaps = layout_gaps(table, seed, number)
    if not gaps:
        return table
    best = min(LAYOUTS, key=lambda layout: gaps[layout])
    chosen = best if gaps[best] < gaps["random"] - LAYOUT_WORTH else "random"
    return msgspec.structs.replace(table, layout=chosen)


def layout_gaps(table: TableProfile, seed: int, number: int) -> dict[Layout, float]:
    """Mean difference of page curves, released against generated, for every layout; none where pages are not known."""
    if table.locality is None or table.locality.pages is None:
        return {}
    made = in_bags(table, table_rng(seed, number, 1))
    length, sizes = table.locality.length, page_sizes(table.distinct)
    released = implied_curve(table.locality.pages.array(), table.accesses, length, sizes)
    declared = min(table.rows, MAX_ROWS - 1)
    gaps: dict[Layout, float] = {}
    for layout in LAYOUTS:
        ids = numbered(layout, made.order, table.distinct, declared, table_rng(seed, number, 0))
        found, numbers = np.unique(ids, return_inverse=True)
        clocked = ClockedTable(
            "",
            table.rows,
            table.locality.samples,
            table.locality.per_sample,
            False,
            found,
            numbers[made.order],
            made.slots,
        )
        gaps[layout] = float(
            np.abs(implied_curve(page_reuse(clocked), table.accesses, length, sizes) - released).mean()
        )
    return gaps


def fit_lifts(profile: TraceProfile, seed: int = 0) -> TraceProfile:
    """The profile whose shared tables know how their lookups are divided among features, so that generating need not
    find out."""
    tables = [ready_to_divide(table, table_rng(seed, k, 1)) for k, table in enumerate(profile.tables)]
    return msgspec.structs.replace(profile, tables=tuple(tables))


def choose_coupling(profile: TraceProfile, seed: int = 0) -> TraceProfile:
    """The profile whose coupling is used where it helps, with both distances; as it is where it has none.

    Post-processing: it compares what would be generated with what was released.
    """
    coupling = profile.coupling
    if coupling is None or profile.samples < 1:
        return profile
    claims = [_miss_claim(profile, coupling, used, seed) for used in (False, True)]
    chosen = msgspec.structs.replace(
        coupling, used=claims[1] < claims[0] - WORTH, claims=(round(claims[0], 5), round(claims[1], 5))
    )
    return msgspec.structs.replace(profile, coupling=chosen)


def _miss_claim(profile: TraceProfile, coupling: Coupling, used: bool, seed: int) -> float:
    """Distance of the misses per sample that are generated, with the coupling or without, from the released ones."""
    tried = msgspec.structs.replace(profile, coupling=msgspec.structs.replace(coupling, used=used))
    return miss_distance(block_columns(tried, seed, 1, [None] * len(profile.tables)), coupling)
