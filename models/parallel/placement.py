"""Placement: which process has which table, and which samples of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, get_args

from ... import HotrowError
from ..config import ModelConfig

Rule = Literal["bytes", "round-robin"]


def place(config: ModelConfig, ranks: int, rule: Rule = "bytes") -> tuple[int, ...]:
    """The rank of every table: the next in turn, or by bytes, the largest first to whoever has least so far."""
    if rule not in get_args(Rule):
        raise HotrowError(f"unknown placement {rule!r}; known are {', '.join(get_args(Rule))}")
    if rule == "round-robin":
        return tuple(k % ranks for k in range(len(config.tables)))
    load, owner = [0] * ranks, [0] * len(config.tables)
    for k in sorted(range(len(owner)), key=lambda k: (-config.tables[k].parameters, k)):
        owner[k] = min(range(ranks), key=lambda rank: (load[rank], rank))
        load[owner[k]] += config.tables[k].parameters
    return tuple(owner)


def check_placement(config: ModelConfig, placement: Sequence[int], ranks: int) -> None:
    """Raise HotrowError naming a table without a rank, or with one that there is not."""
    if len(placement) != len(config.tables):
        raise HotrowError(f"a placement of {len(placement)} tables; model {config.name!r} has {len(config.tables)}")
    for table, rank in zip(config.tables, placement, strict=True):
        if not 0 <= rank < ranks:
            raise HotrowError(f"table {table.name!r} is placed on rank {rank}; ranks are 0 to {ranks - 1}")


def slices(samples: int, ranks: int) -> list[tuple[int, int]]:
    """Start and stop of every rank's samples of a batch: in order, as even as they can be."""
    ends = [samples * rank // ranks for rank in range(ranks + 1)]
    return list(pairwise(ends))
