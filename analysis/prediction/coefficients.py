"""Coefficients from a datasheet: what it says of a machine, the rest assumed, in seconds and bytes."""

from __future__ import annotations

import msgspec

from ... import HotrowError
from ...profiling.machine import CacheLevel, Machine
from .costs import LINE, WIDE, Coefficients, Device, Framework, Gather, Level, Linear, Spread

# Cycles of the framework's own code: assumed for any CPU, as fitted on one (AMD EPYC, Zen 4, torch 2.13, 2026).
CALL, BAG, LOOKUP = 13_000, 3.0, 3.0
LINE_VECTORS = 1.0  # cycles for a line with 64-byte vectors, twice that with 32
LAYER, OUTPUT, INPUT = 12_000, 0.2, 0.06  # per call, and per number written or read
GEMM_SHARE = 0.8  # of the peak that a large product reaches
EXPOSED = 8.0  # lookups of a call whose latency nothing hides yet
STREAM_OVERLAP = 4.0  # how much better than random loads a hardware prefetcher keeps a stream going
STEP, TABLE, MAP, BIAS = 100_000, 20_000, 12_000, 10_000
MULTIPLY_ADD, PAIR = 0.4, 15.0  # of an interaction's small products
RECORD, NODE = 33_000, 56_000
TRAIN_TABLE, TRAIN_LOOKUP = 13_000, 15  # of a sparse gradient
APPLY_TABLE, APPLY_LOOKUP, UPDATE = 6_000, 270, 38_000  # of the optimizer
BACKWARD = 1.4  # a backward product's time over a forward one's
NATIVE = 0.1  # of those overheads, where a C++ program (Caffe2, AOTInductor) calls the operators in place of Python
GPU_MEMORY_SHARE = 0.75  # of the bandwidth, for rows in no order
GPU_GEMM_SHARE = 0.75
LINK_SHARE = 0.8

DATASHEET_FACTOR = 2.0  # half of all predictions from a datasheet are within about 1.5, nine in ten within this twice


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
            f,
            step=NATIVE * f.step,
            table=0.0,
            layer=NATIVE * f.layer,
            map=NATIVE * f.map,
            record=0.0,
            node=NATIVE * f.node,
            train_table=NATIVE * f.train_table,
            apply_table=NATIVE * f.apply_table,
            update=NATIVE * f.update,
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
        memory=next(iter(machine.memory.values())).capacity.base,
        tiers=tuple(memory_level(machine, name, buffers(machine)) for name in list(machine.memory)[1:]),
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
        record=RECORD * cycle,
        node=NODE * cycle,
        train_table=TRAIN_TABLE * cycle,
        train_lookup=TRAIN_LOOKUP * cycle,
        train_byte=byte,
        apply_table=APPLY_TABLE * cycle,
        apply_lookup=APPLY_LOOKUP * cycle,
        apply_byte=byte,
        update=UPDATE * cycle,
        update_byte=byte,
        backward=BACKWARD,
    )


def cpu_levels(machine: Machine) -> tuple[Level, ...]:
    """A core's caches and the first memory. Where a level is exclusive, what it holds adds to the one above."""
    made: list[Level] = []
    inner = 0.0
    for name, cache in machine.caches.items():
        held = (cache.effective or cache.size).base
        capacity = held + (inner if cache.inclusion == "exclusive" and cache.effective is None else 0.0)
        latency = cache.latency.base if cache.latency else _usual(name) / machine.clock.base
        each = 0.0 if not made else latency / buffers(machine)
        sharers = max(1, round((cache.shared_by.base if cache.shared_by else 1) / machine.threads_per_core.base))
        made.append(Level(name, capacity, each, each, latency, sharers * _bandwidth(cache), sharers=sharers))
        inner = held
    first = memory_level(machine, next(iter(machine.memory)), buffers(machine))
    sockets = max(1, round(machine.sockets.base))
    shared = {"bandwidth": first.bandwidth / sockets, "sharers": machine.all_cores // sockets}
    return (*made, msgspec.structs.replace(first, capacity=WIDE, **shared))


def buffers(machine: Machine) -> float:
    """Lines that a core can await at once."""
    return machine.outstanding.base if machine.outstanding else 10.0


def memory_level(machine: Machine, name: str, awaited: float) -> Level:
    """One tier of memory, shared by all cores."""
    tier = machine.memory[name]
    latency = tier.latency.base if tier.latency else 100e-9
    each = latency / awaited
    return Level(name, tier.capacity.base, each, each, latency, tier.bandwidth.base, sharers=max(1, machine.all_cores))


def _usual(name: str) -> float:
    """Cycles of a load where a machine does not say."""
    return {"L1": 4.0, "L2": 14.0}.get(name, 50.0)


def _bandwidth(cache: CacheLevel) -> float:
    return cache.bandwidth.base if cache.bandwidth else WIDE


def _gpu(machine: Machine, precision: str) -> Coefficients:
    if machine.launch is None or not machine.links:
        missing = "launch" if machine.launch is None else "links"
        raise HotrowError(f"machine {machine.name!r} is a GPU without {missing}; its file must say it")
    launch = machine.launch.base
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
    link = next(iter(machine.links.values()))
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
            record=0.0,
            node=2 * launch,
            train_table=3 * launch,
            train_lookup=0.0,
            train_byte=byte,
            apply_table=3 * launch,
            apply_lookup=0.0,
            apply_byte=3 * byte,
            update=launch,
            update_byte=3 * byte,
        ),
        wide(DATASHEET_FACTOR**2),
        Device(
            launch,
            LINK_SHARE * link.bandwidth.base,
            link.latency.base if link.latency else 0.0,
            machine.all_cores,
            peak,
        ),
        memory=tier.capacity.base,
    )
