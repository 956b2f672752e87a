"""Sharding: tables over devices by expected lookups, with the balance of the plan; and what other planners ask for."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .. import HotrowError
from ..models.config import ModelConfig
from .prediction.traffic import Traffic

Rule = Literal["lookups", "bytes", "round-robin"]
CURVE_SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)  # of a table, cached
BYTE = 4


@dataclass(frozen=True)
class Plan:
    """Tables by device [devices]; work: row bytes that each device reads per sample; held: bytes of its tables."""

    rule: Rule
    devices: tuple[tuple[int, ...], ...]
    work: tuple[float, ...]
    held: tuple[float, ...]

    @property
    def balance(self) -> float:
        """The busiest device's work over the mean: 1 is even; everybody waits for the busiest."""
        mean = sum(self.work) / len(self.work)
        return max(self.work) / mean if mean else 1.0


def plan(
    config: ModelConfig,
    per_table: Sequence[float],
    devices: int,
    capacity: float = float("inf"),
    rule: Rule = "lookups",
) -> Plan:
    """Whole tables over `devices` of `capacity` bytes each; per_table: mean lookups per sample.

    lookups: the table with most work first, each to the device with least work that has room. bytes: the same by size.
    round-robin: in order. Raises HotrowError where tables find no room.
    """
    if devices < 1:
        raise HotrowError(f"{devices} devices; at least 1 is needed")
    if len(per_table) != len(config.tables):
        raise HotrowError(f"lookups of {len(per_table)} tables for model {config.name!r} with {len(config.tables)}")
    sizes = [float(BYTE * table.parameters) for table in config.tables]
    work = [BYTE * table.dim * lookups for table, lookups in zip(config.tables, per_table, strict=True)]
    if rule == "round-robin":
        owner = [k % devices for k in range(len(sizes))]
    else:
        owner = _greedy(config, work if rule == "lookups" else sizes, sizes, devices, capacity)
    shares = tuple(tuple(k for k, device in enumerate(owner) if device == d) for d in range(devices))
    held = tuple(sum(sizes[k] for k in own) for own in shares)
    if max(held) > capacity:
        raise HotrowError(
            f"model {config.name!r} by {rule}: a device would hold {max(held) / 2**30:,.1f} GiB of "
            f"{capacity / 2**30:,.1f} GiB; use more devices"
        )
    return Plan(rule, shares, tuple(sum(work[k] for k in own) for own in shares), held)


def _greedy(
    config: ModelConfig, weights: Sequence[float], sizes: Sequence[float], devices: int, capacity: float
) -> list[int]:
    """Longest processing time first (Graham 1969), skipping devices without room."""
    heap = [(0.0, 0.0, d) for d in range(devices)]  # weight, bytes, device
    owner = [0] * len(weights)
    for k in sorted(range(len(weights)), key=lambda k: (-weights[k], -sizes[k])):
        skipped = []
        while heap and heap[0][1] + sizes[k] > capacity:
            skipped.append(heapq.heappop(heap))
        if not heap:
            raise HotrowError(
                f"table {config.tables[k].name!r} of {sizes[k] / 2**30:,.1f} GiB finds no room on {devices} devices of "
                f"{capacity / 2**30:,.1f} GiB; use more devices, or shard it by rows"
            )
        weight, held, device = heapq.heappop(heap)
        owner[k] = device
        for entry in (*skipped, (weight + weights[k], held + sizes[k], device)):
            heapq.heappush(heap, entry)
    return owner


def torchrec_constraints(config: ModelConfig, traffic: Traffic, chosen: Plan) -> dict[str, Any]:
    """The plan for TorchRec's planner, as plain values, with what that cannot know.

    constraints: by table, keyword arguments of torchrec.distributed.planner.types.ParameterConstraints. device: the
    plan's, by table. miss_ratio: by table, of a cache that holds a share of it; 1 − ratio is what a load factor of
    torchrec.distributed.types.CacheParams buys.
    """
    names = [table.name for table in config.tables]
    owner = {k: device for device, own in enumerate(chosen.devices) for k in own}
    return {
        "constraints": {
            name: {"sharding_types": ["table_wise"], "pooling_factors": [lookups], "num_poolings": [1.0]}
            for name, lookups in zip(names, traffic.per_table, strict=True)
        },
        "device": {name: owner[k] for k, name in enumerate(names)},
        "miss_ratio": {
            table.name: {
                str(share): alone(traffic, k, share * BYTE * table.parameters, BYTE * table.dim)
                for share in CURVE_SHARES
            }
            for k, table in enumerate(config.tables)
        },
    }


def alone(traffic: Traffic, table: int, capacity: float, row: float) -> float:
    """Share of one table's lookups that a cache of its own, of `capacity` bytes, misses.

    Its reuse times count all tables' lookups; in its own they shrink by its share of them.
    """
    share = traffic.per_table[table] / traffic.lookups if traffic.lookups else 0.0
    curve = traffic.table(table)
    touched, before, missed = 0.0, 0.0, 1.0
    for time, left in zip(curve.times, curve.outlasting, strict=True):
        touched += (time - before) * share * missed * row
        if touched > capacity:
            return missed
        before, missed = time, left
    return missed
