"""Coefficients: what a machine's operators cost, as plain numbers; from a datasheet, a calibration, or a fit.

All in seconds and bytes, so that evaluating them (operators.py) needs nothing else and a page can do it too.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from ...profiling.machine import CacheLevel, Machine

Mode = Literal["datasheet", "calibrated", "fitted"]
LINE = 64.0
WIDE = 1e18  # bytes of a level that always hits

# Cycles of the framework's own code: assumed for any CPU, as fitted on one (AMD EPYC, Zen 4, torch 2.13, 2026).
CALL, BAG, LOOKUP = 13_000, 3.0, 3.0
LINE_VECTORS = 1.0  # cycles for a line with 64-byte vectors, twice that with 32
LAYER, OUTPUT, INPUT = 12_000, 0.2, 0.06  # per call, and per number written or read
GEMM_SHARE = 0.8  # of the peak that a large product reaches
EXPOSED = 8.0  # lookups of a call whose latency nothing hides yet
STREAM_OVERLAP = 4.0  # how much better than random loads a hardware prefetcher keeps a stream going
STEP, TABLE, MAP, BIAS = 100_000, 20_000, 12_000, 10_000
MULTIPLY_ADD, PAIR = 0.4, 15.0  # of an interaction's small products
NODE, TRAIN_TABLE, TRAIN_LOOKUP = 90_000, 40_000, 280
BACKWARD = 1.4  # a backward product's time over a forward one's
NATIVE = 0.1  # of those overheads, where a C++ program (Caffe2, AOTInductor) calls the operators in place of Python
GPU_MEMORY_SHARE = 0.75  # of the bandwidth, for rows in no order
GPU_GEMM_SHARE = 0.75
LINK_SHARE = 0.8

DATASHEET_FACTOR = 2.0  # half of all predictions from a datasheet are within about 1.5, nine in ten within this twice


class Level(msgspec.Struct, frozen=True):
    """A level that serves lines.

    capacity: bytes up to which it does (spread: ln of the edge's width). first, next: seconds for a lookup's first and
    further lines with many in flight; latency: of one alone. bandwidth: bytes per second of all that share it.
    """

    name: str
    capacity: float
    first: float
    next: float
    latency: float
    bandwidth: float
    spread: float = 0.0
    sharers: int = 1  # cores


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
    and pair of vectors of the interaction. Training: per node of the graph, per table, per lookup and byte of its
    gradient, per byte of dense weights updated; backward: a backward product against a forward one.
    """

    step: float
    table: float
    layer: float
    map: float
    byte: float
    multiply_add: float
    pair: float
    node: float
    train_table: float
    train_lookup: float
    train_byte: float
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
    """One machine's costs on one core (or a whole GPU) at one SIMD width and precision."""

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


def wide(factor: float) -> Spread:
    """The same interval for every operator."""
    each = (1 / factor, factor)
    return Spread(each, each, each, each, each)


def datasheet(machine: Machine, isa: str | None = None, precision: str = "fp32", native: bool = False) -> Coefficients:
    """What a machine's datasheet gives, the rest assumed; isa: the widest where left out.

    native: operators are called from C++ and not from Python; a GPU's kernels are launched as before.
    """
    if machine.kind == "gpu":
        return _gpu(machine, precision)
    made = _cpu(machine, isa, precision)
    if not native:
        return made
    f = made.framework
    return msgspec.structs.replace(
        made,
        gather=msgspec.structs.replace(made.gather, call=NATIVE * made.gather.call),
        linear=msgspec.structs.replace(made.linear, call=NATIVE * made.linear.call),
        framework=msgspec.structs.replace(
            f, step=NATIVE * f.step, table=0.0, layer=NATIVE * f.layer, map=NATIVE * f.map, node=NATIVE * f.node
        ),
    )


def _cpu(machine: Machine, isa: str | None, precision: str) -> Coefficients:
    cycle = 1 / machine.clock.base
    flops = machine.peak(precision, 1, isa)  # type: ignore[arg-type]
    vectors = max(1.0, 64.0 * machine.clock.base / max(machine.peak("fp32", 1, isa), 1.0))
    levels = cpu_levels(machine)
    far = levels[min(2, len(levels) - 1)]
    walks = {}
    for tlb in machine.tlb.values():
        reach = tlb.reach or (None if tlb.entries is None else tlb.entries)
        if reach is not None and tlb.penalty is not None:
            bytes_reached = reach.base if tlb.reach is not None else reach.base * tlb.page.base
            walks[f"{tlb.page.value:g} {tlb.page.unit}"] = (bytes_reached, tlb.penalty.base / STREAM_OVERLAP)
    gather = Gather(
        call=CALL * cycle,
        bag=BAG * cycle,
        written=cycle * vectors,
        lookup=LOOKUP * cycle,
        line=LINE_VECTORS * vectors * cycle,
        exposed=EXPOSED,
        walks=walks,
    )
    linear = Linear(
        call=LAYER * cycle,
        product=2 / (GEMM_SHARE * flops),
        output=OUTPUT * cycle,
        input=INPUT * cycle,
        weight=4 * far.next / LINE / STREAM_OVERLAP,
    )
    return Coefficients(
        machine.name,
        "datasheet",
        "cpu",
        machine.all_cores,
        levels,
        gather,
        linear,
        framework(cycle, far.next / LINE / STREAM_OVERLAP),
        wide(DATASHEET_FACTOR**2),
    )


def nominal(machine: Machine) -> Machine:
    """The machine with the sizes that its system reports and no page walks: where fits start.

    Dependent loads see a cache end sooner than gathers with many lines in flight do.
    """
    caches = {name: msgspec.structs.replace(cache, effective=None) for name, cache in machine.caches.items()}
    return msgspec.structs.replace(machine, caches=caches, tlb={})


def framework(cycle: float, byte: float) -> Framework:
    """The assumed costs of a framework in eager mode at this cycle time and seconds per byte streamed."""
    return Framework(
        step=STEP * cycle,
        table=TABLE * cycle,
        layer=BIAS * cycle,
        map=MAP * cycle,
        byte=byte,
        multiply_add=MULTIPLY_ADD * cycle,
        pair=PAIR * cycle,
        node=NODE * cycle,
        train_table=TRAIN_TABLE * cycle,
        train_lookup=TRAIN_LOOKUP * cycle,
        train_byte=byte,
        update_byte=byte,
        backward=BACKWARD,
    )


def cpu_levels(machine: Machine) -> tuple[Level, ...]:
    """A core's caches and the first memory. Where a level is exclusive, what it holds adds to the one above."""
    buffers = machine.outstanding.base if machine.outstanding else 10.0
    made: list[Level] = []
    inner = 0.0
    for name, cache in machine.caches.items():
        held = (cache.effective or cache.size).base
        capacity = held + (inner if cache.inclusion == "exclusive" and cache.effective is None else 0.0)
        latency = cache.latency.base if cache.latency else _usual(name) / machine.clock.base
        each = 0.0 if not made else latency / buffers
        sharers = max(1, round((cache.shared_by.base if cache.shared_by else 1) / machine.threads_per_core.base))
        made.append(Level(name, capacity, each, each, latency, _bandwidth(cache), sharers=sharers))
        inner = held
    name, tier = next(iter(machine.memory.items()))
    latency = tier.latency.base if tier.latency else 100e-9
    each = latency / buffers
    made.append(Level(name, WIDE, each, each, latency, tier.bandwidth.base, sharers=machine.all_cores))
    return tuple(made)


def _usual(name: str) -> float:
    """Cycles of a load where a machine does not say."""
    return {"L1": 4.0, "L2": 14.0}.get(name, 50.0)


def _bandwidth(cache: CacheLevel) -> float:
    return cache.bandwidth.base if cache.bandwidth else WIDE


def _gpu(machine: Machine, precision: str) -> Coefficients:
    launch = machine.launch.base if machine.launch else 5e-6
    peak = machine.peak(precision)  # type: ignore[arg-type]
    made = []
    for name, cache in machine.caches.items():
        if cache.shared_by is not None and cache.shared_by.base > 1:
            latency = cache.latency.base if cache.latency else 2e-7
            each = LINE / _bandwidth(cache)
            made.append(Level(name, cache.size.base, each, each, latency, _bandwidth(cache)))
    name, tier = next(iter(machine.memory.items()))
    each = LINE / (GPU_MEMORY_SHARE * tier.bandwidth.base)
    made.append(Level(name, WIDE, each, each, tier.latency.base if tier.latency else 5e-7, tier.bandwidth.base))
    link = next(iter(machine.links.values()), None)
    byte = 1 / (0.85 * tier.bandwidth.base)
    return Coefficients(
        machine.name,
        "datasheet",
        "gpu",
        machine.all_cores,
        tuple(made),
        Gather(launch, 0.0, 0.0, 0.0, 0.0, 1.0),
        Linear(launch, 2 / (GPU_GEMM_SHARE * peak), 0.0, 0.0, 4 * byte),
        Framework(
            step=4 * launch,
            table=launch,
            layer=0.0,
            map=launch,
            byte=byte,
            multiply_add=2 / (0.3 * machine.peak("fp32")),
            pair=8 * byte,
            node=2 * launch,
            train_table=6 * launch,
            train_lookup=0.0,
            train_byte=4 * byte,
            update_byte=3 * byte,
        ),
        wide(DATASHEET_FACTOR**2),
        Device(
            launch,
            LINK_SHARE * link.bandwidth.base if link else WIDE,
            link.latency.base if link and link.latency else 0.0,
            machine.all_cores,
            peak,
        ),
    )
