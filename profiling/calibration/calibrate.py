"""Calibrate: measure this machine, process by process, into a Machine with an interval on every number."""

from __future__ import annotations

import datetime
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ... import HotrowError
from ...progress import Advance, ignore
from ..host import Cache, Host, host_facts
from ..isa import NATIVE, widths
from ..machine import CacheLevel, Calibration, Machine, MemoryTier
from ..processes.configuration import Configuration, allowed_cpus
from ..processes.runner import Outcome, Plan, Runs, Stopped, run
from ..units import Quantity
from . import readings

MIB = 2**20
OCTAVES = tuple(int(16 * 1024 * 2 ** (k / 2)) // 64 * 64 for k in range(29))  # 16 KiB … 256 MiB
READS = tuple(size * 2**k for k in range(13, 25) for size in (2, 3))  # 16 KiB … 48 MiB
PAGES = tuple(2**k for k in range(4, 16))
ROWS = (64, 128, 256, 512)
TABLES = tuple(MIB * size for size in (1, 4, 16, 64, 256))
BAGS = (1, 4, 16, 64, 256, 1024)
STREAMS = tuple(MIB * size // 8 for size in (1, 4, 16, 64, 256, 2048))
SHAPES = (
    *((batch, 512, 512) for batch in (1, 4, 16, 64, 256, 1024)),
    *((256, width, width) for width in (32, 64, 128, 256, 1024)),
)


@dataclass(frozen=True)
class Sizes:
    """What is measured: working sets of dependent loads and of reads, pages, rows, tables, bags, streams, layers.

    isas: SIMD widths, None for all that the processor has. threads: beside 1, None for all processors.
    """

    octaves: Sequence[int] = OCTAVES
    reads: Sequence[int] = READS
    pages: Sequence[int] = PAGES
    rows: Sequence[int] = ROWS
    tables: Sequence[int] = TABLES
    bags: Sequence[int] = BAGS
    streams: Sequence[int] = STREAMS
    shapes: Sequence[tuple[int, int, int]] = SHAPES
    isas: Sequence[str] | None = None
    threads: int | None = None


STOPPED = "stopped by Ctrl-C"
PLAN = Plan(processes=3, seconds=0.03, patience=0.15, least=10, most=100, deadline=120)


def configurations(sizes: Sizes, simd: tuple[str, ...], processors: int) -> tuple[Configuration, ...]:
    """What calibration runs: loads on small and large pages; gathers and products at every width and thread count."""
    module = f"{__package__}.probes"
    loads = {"working_sets": list(sizes.octaves)}
    made = [
        Configuration(
            readings.SMALL,
            f"{module}:latency",
            loads | {"pages": list(sizes.pages)},
            environment={"NUMPY_MADVISE_HUGEPAGE": "0"},
            huge_pages=False,
        ),
        Configuration(
            readings.LARGE,
            f"{module}:latency",
            loads | {"reads": list(sizes.reads)},
            environment={"NUMPY_MADVISE_HUGEPAGE": "1"},
            huge_pages=True,
        ),
    ]
    memory = {"row_bytes": sizes.rows, "working_sets": sizes.tables, "bags": sizes.bags, "streams": sizes.streams}
    isas = tuple(sizes.isas or widths(simd) or (NATIVE,))
    most = sizes.threads or processors
    for threads, isa in itertools.product(sorted({1, most}), isas):
        if isa != "scalar" or isas == ("scalar",):  # no library is known to gather in scalar code
            made.append(Configuration(f"memory {isa} {threads}", f"{module}:memory", memory, isa=isa, threads=threads))
        shapes = {"shapes": [list(shape) for shape in sizes.shapes]}
        made.append(Configuration(f"products {isa} {threads}", f"{module}:products", shapes, isa=isa, threads=threads))
    return tuple(made)


def calibrate(
    name: str = "this-machine", sizes: Sizes | None = None, plan: Plan = PLAN, advance: Advance = ignore
) -> Machine:
    """Measure this machine; takes under three minutes where it is quiet.

    `advance` is called after every process; steps() says how many there are. Ctrl-C after a whole round leaves what the
    finished processes measured, with a warning that begins with STOPPED; before, the KeyboardInterrupt is raised.
    """
    sizes = sizes or Sizes()
    host = host_facts()
    began = time.monotonic()
    warnings: tuple[str, ...] = ()
    try:
        runs = run(configurations(sizes, host.simd, len(allowed_cpus())), plan, advance=advance)
    except Stopped as stop:
        runs = stop.runs
        if any(not outcome.processes and outcome.failure is None for outcome in runs.outcomes):
            raise
        ended = sum(len(outcome.processes) for outcome in runs.outcomes)
        warnings = (f"{STOPPED} after {ended} of {steps(sizes, plan)} processes; intervals are of fewer",)
    return machine_from(runs, host, name, time.monotonic() - began, warnings)


def steps(sizes: Sizes | None = None, plan: Plan = PLAN) -> int:
    """Processes that calibrate starts."""
    return plan.processes * len(configurations(sizes or Sizes(), host_facts().simd, len(allowed_cpus())))


def machine_from(runs: Runs, host: Host, name: str, seconds: float, warnings: tuple[str, ...] = ()) -> Machine:
    """The machine that finished runs describe; HotrowError where neither streams nor a clock were measured."""
    data = [cache for cache in host.caches if cache.kind != "instruction" and cache.bytes]
    sizes = tuple((f"L{cache.level}", float(cache.bytes or 0)) for cache in data)
    found = readings.levels(runs, tuple(size for _, size in sizes))
    cycles, stream = readings.clock(runs), readings.stream(runs)
    failed = [f"{o.configuration.name}: {o.failure.reason}" for o in runs.outcomes if o.failure]
    if cycles is None or stream is None:
        raise HotrowError(f"calibration measured too little: {'; '.join(failed)}")
    translation = readings.translation(runs)
    return Machine(
        name=name,
        kind="cpu",
        cores=_told(host.cores or len(allowed_cpus())),
        clock=cycles,
        caches={label: _cache(data[k], found, k) for k, (label, _) in enumerate(sizes)},
        memory={"DRAM": MemoryTier(_told(host.memory_bytes / 2**30, "GiB"), stream, latency=found.beyond)},
        compute=readings.compute(runs, cycles),
        tlb={} if translation is None else {"pages of 4 KiB": translation},
        description=f"{host.cpu}, {host.system}, calibrated by hotrow",
        calibration=Calibration(
            node=host.node,
            cpu=host.cpu or "unknown",
            made=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            seconds=round(seconds, 1),
            contended=readings.contended_share(runs),
            isa={o.configuration.name: _libraries(o) for o in runs.outcomes if o.processes},
            versions={package: version for package, version in host.packages.items() if version},
            warnings=(*warnings, *readings.warnings(sizes, found), *failed),
            overheads=readings.call_costs(runs),
            curves=readings.curves(runs),
        ),
    )


def _cache(cache: Cache, found: readings.Levels, k: int) -> CacheLevel:
    return CacheLevel(
        size=_told((cache.bytes or 0) / 1024, "KiB"),
        ways=None if cache.ways is None else _told(cache.ways),
        line=None if cache.line_bytes is None else _told(cache.line_bytes, "B"),
        shared_by=None if cache.shared_by is None else _told(cache.shared_by),
        effective=found.effective[k],
        latency=found.latencies[k],
        bandwidth=found.bandwidths[k],
    )


def _libraries(outcome: Outcome) -> dict[str, str]:
    """What each library was seen to use."""
    return {v.library: v.words for v in outcome.processes[0].result.isa}


def _told(value: float, unit: str = "") -> Quantity:
    return Quantity(float(value), unit, "assumed", "what the operating system reports")
