"""Shared tables: what features that look up one table have in common, in a real log and in a synthetic one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...tracegen.sharing.groups import shared_name
from ...tracegen.trace import Trace
from ..stack.dense_ids import dense_ids

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class SharedFeature:
    """A feature of a shared table; pairs are (real, synthetic) shares of its lookups.

    common: whose row other features of the table look up too; handed: whose row was asked for by another feature last.
    """

    table: str
    feature: str
    common: tuple[float, float]
    handed: tuple[float, float]


def shared_features(real: Trace, synthetic: Trace, share: Sequence[Sequence[str]]) -> tuple[SharedFeature, ...]:
    """Every feature of every group; both traces have the features."""
    found = []
    for group in share:
        shares = [_shares(trace, group) for trace in (real, synthetic)]
        found += [
            SharedFeature(shared_name(group), name, *(tuple(s[kind][k] for s in shares) for kind in (0, 1)))  # type: ignore[arg-type]
            for k, name in enumerate(group)
        ]
    return tuple(found)


def _shares(trace: Trace, group: Sequence[str]) -> tuple[list[float], list[float]]:
    """Of every feature, the share of its lookups that are common, and handed."""
    rows, feature = stream(trace, group)
    count = np.zeros((int(rows.max(initial=0)) + 1, len(group)), np.int64)
    np.add.at(count, (rows, feature), 1)
    others = count.sum(1, keepdims=True) - count > 0
    order = np.argsort(rows, kind="stable")
    again = np.diff(rows[order], prepend=-1) == 0
    handed = np.zeros(len(rows), np.bool_)
    handed[order] = again & (np.diff(feature[order], prepend=0) != 0)
    lookups = np.maximum(count.sum(0), 1)
    common = (count * others).sum(0) / lookups
    return common.tolist(), (np.bincount(feature[handed], minlength=len(group)) / lookups).tolist()


def stream(trace: Trace, group: Sequence[str]) -> tuple[Ints, Ints]:
    """Dense rows and the feature of all lookups of a group in their order: sample by sample, feature by feature."""
    features = [trace.table(name) for name in group]
    sample = np.concatenate([np.repeat(np.arange(t.samples), t.bag_sizes()) for t in features])
    feature = np.repeat(np.arange(len(group)), [t.accesses for t in features])
    ids = np.concatenate([t.indices.astype(np.int64) for t in features])
    order = np.argsort(sample, kind="stable")
    return dense_ids(ids[order])[0].astype(np.int64), feature[order]
