"""Sharing: features of a log that look up one table, such as the origin and the destination of a flight.

A row number means the same row in all features of a group. In a sample their lookups stand one feature after another.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ... import HotrowError
from ..trace import TableLookups, Trace

MOST_FEATURES = 31  # of one table: what a row is looked up by is told apart no further


def parse_groups(written: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Groups of features, each written with commas between."""
    return tuple(tuple(name.strip() for name in group.split(",")) for group in written)


def shared_name(group: Sequence[str]) -> str:
    """What the table of a group is called."""
    return "+".join(group)


def check_groups(groups: Sequence[Sequence[str]], known: Sequence[str]) -> None:
    """Raise HotrowError where groups of features cannot share tables; known: the log's features."""
    seen: set[str] = set()
    for group in groups:
        written = f"--share {','.join(group)}"
        if len(group) < 2:
            raise HotrowError(f"{written}: one feature has a table of its own anyway; name two or more, as in a,b")
        if len(group) > MOST_FEATURES:
            raise HotrowError(f"{written}: {len(group)} features; at most {MOST_FEATURES} can share a table")
        for name in group:
            if name not in known:
                features = ", ".join(known[:20]) + (", …" if len(known) > 20 else "")
                raise HotrowError(f"{written}: no feature {name!r} in this log; it has {features}")
            if name in seen:
                raise HotrowError(
                    f"{written}: feature {name!r} stands twice; a feature looks up one table, name it once"
                )
            seen.add(name)
        if shared_name(group) in known:
            raise HotrowError(f"{written}: the log has a feature {shared_name(group)!r} already; rename that")


def together(trace: Trace, groups: Sequence[Sequence[str]]) -> Trace:
    """The trace with one table for every group, where its first feature stood: bags of all its features' lookups.

    Raises HotrowError as check_groups.
    """
    check_groups(groups, [table.name for table in trace.tables])
    group_of = {name: group for group in groups for name in group}
    made: dict[str, TableLookups] = {}
    for table in trace.tables:
        group = group_of.get(table.name)
        if group is None:
            made[table.name] = table
        elif shared_name(group) not in made:
            made[shared_name(group)] = _in_one([trace.table(name) for name in group], shared_name(group))
    return Trace(tuple(made.values()), trace.time, trace.user, trace.dense, trace.label)


def _in_one(features: Sequence[TableLookups], name: str) -> TableLookups:
    """Their lookups as bags of one table, each sample's one feature after another."""
    sizes = [feature.bag_sizes() for feature in features]
    sample = np.concatenate([np.repeat(np.arange(len(size)), size) for size in sizes])
    order = np.argsort(sample, kind="stable")
    indices = np.concatenate([feature.indices for feature in features])[order]
    offsets = np.concatenate(([0], np.cumsum(np.sum(sizes, axis=0))))
    return TableLookups(name, max(feature.rows for feature in features), indices, offsets)
