"""Costs: what a machine's operators cost, as plain numbers in seconds and bytes, and the tiers that a model needs.

Evaluating them (operators.py) needs nothing else, so that a page can do it too.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Mode = Literal["datasheet", "calibrated", "fitted"]
LINE = 64.0
WIDE = 1e18  # bytes of a level that always hits


class Level(msgspec.Struct, frozen=True):
    """A level that serves lines.

    capacity: bytes of one instance up to which it does (spread: ln of the edge's width). first, next: seconds for a
    lookup's first and further lines with many in flight; latency: of one alone. bandwidth: bytes per second of one
    instance; sharers: cores that share it. tables: of a tier of memory that is not the last, bytes of all tables.
    """

    name: str
    capacity: float
    first: float
    next: float
    latency: float
    bandwidth: float
    spread: float = 0.0
    sharers: int = 1
    tables: float = 0.0


class Gather(msgspec.Struct, frozen=True):
    """embedding_bag: seconds per call, bag, line written, lookup and line read; lookups whose latency shows.

    narrow: more per lookup of rows that fill no more than one line.
    """

    call: float
    bag: float
    written: float
    lookup: float
    line: float
    exposed: float
    narrow: float = 0.0
    walks: dict[str, tuple[float, float]] = {}  # page size → bytes reached, seconds per miss


class Linear(msgspec.Struct, frozen=True):
    """A layer [m, k] · [k, n]: call + a·m·n·k + b·m·n + c·m·k + d·n·k; ramps are the last three.

    n counts in vectors of 16. one: instead, for m = 1, extra seconds per call and n·k. pair: extra per n·k for m = 2.
    narrow: extra per m·k for n = 1, and for n up to 16.
    """

    call: float
    product: float
    output: float
    input: float
    weight: float
    one: tuple[float, float] = (0.0, 0.0)
    pair: float = 0.0
    narrow: tuple[float, float] = (0.0, 0.0)


class Framework(msgspec.Struct, frozen=True):
    """What a model's step costs beside its gathers and products, in seconds.

    step; per table; per layer (bias); per map (an elementwise or copying operator) and byte of it; per multiply-add
    and pair of vectors of the interaction. Training: per operator recorded, per node of the graph gone back through;
    per table, lookup and byte of a sparse gradient, and the same (apply) when the optimizer adds it to its table; per
    dense tensor updated and byte of it; backward: a backward product's time over a forward one's.
    """

    step: float
    table: float
    layer: float
    map: float
    byte: float
    multiply_add: float
    pair: float
    record: float
    node: float
    train_table: float
    train_lookup: float
    train_byte: float
    apply_table: float
    apply_lookup: float
    apply_byte: float
    update: float
    update_byte: float
    backward: float = 1.0


class Residual(msgspec.Struct, frozen=True):
    """A Gaussian process on what physics leaves over, ln(measured / predicted); points: scaled features."""

    length: float
    points: tuple[tuple[float, ...], ...]
    weights: tuple[float, ...]


class Spread(msgspec.Struct, frozen=True):
    """90 % interval as factors of a prediction, by operator: low, high."""

    gather: tuple[float, float]
    gather_long: tuple[float, float]  # more than 1024 lookups
    linear: tuple[float, float]
    whole: tuple[float, float]  # inference
    training: tuple[float, float]


class Device(msgspec.Struct, frozen=True):
    """What only a GPU has: seconds per kernel, its link's bytes per second and seconds, multiprocessors, FLOP/s."""

    launch: float
    link: float
    link_latency: float
    processors: int
    peak: float


class Coefficients(msgspec.Struct, frozen=True):
    """One machine's costs on one core (or a whole GPU) at one SIMD width and precision.

    memory: bytes of the first tier, the last of `levels`; tiers: those behind it, capacity: of each alone. measured_on:
    the host whose measurements were fitted, "" for none.
    """

    machine: str
    mode: Mode
    kind: Literal["cpu", "gpu"]
    cores: int
    levels: tuple[Level, ...]
    gather: Gather
    linear: Linear
    framework: Framework
    spread: Spread
    device: Device | None = None
    residual: Residual | None = None
    memory: float = WIDE
    tiers: tuple[Level, ...] = ()
    measured_on: str = ""

    @property
    def held(self) -> float:
        """Bytes of all tiers of memory."""
        return self.memory + sum(tier.capacity for tier in self.tiers)


def placed(costs: Coefficients, tables: float) -> Coefficients:
    """`costs` with the tiers of memory that `tables` bytes need as further levels; the last holds the rest."""
    if tables <= costs.memory or not costs.tiers:
        return costs
    held = costs.memory
    made = [*costs.levels[:-1], msgspec.structs.replace(costs.levels[-1], capacity=held, tables=tables)]
    for tier in costs.tiers:
        held += tier.capacity
        made.append(msgspec.structs.replace(tier, capacity=held, tables=tables))
        if held >= tables:
            break
    made[-1] = msgspec.structs.replace(made[-1], capacity=WIDE, tables=0.0)
    return msgspec.structs.replace(costs, levels=tuple(made))
