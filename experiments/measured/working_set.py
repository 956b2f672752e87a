"""Question: what can this machine do, by working set, width and shape? A calibrated machine as tables."""

from __future__ import annotations

from ...profiling.calibration.cache_size import Method, methods
from ...profiling.machine import Machine
from ..cache_sizing import binary
from ..grid import Grid


def gather_grid(machine: Machine) -> Grid:
    """Gather bandwidth by table size and row, of one thread at the widest SIMD that was calibrated."""
    curves = [c for c in (machine.calibration.curves if machine.calibration else ()) if c.what == "gather"]
    single = [c for c in curves if c.threads == 1]
    widest = [c for c in single if c.isa == single[-1].isa]
    heads = ("table", *(f"{c.detail['row_bytes']} B rows, GB/s" for c in widest))
    sizes = widest[0].at if widest else ()
    rows = tuple(
        (
            binary(size),
            *(f"{1e-9 * c.value[k]:.3g} ({1e-9 * c.low[k]:.3g} … {1e-9 * c.high[k]:.3g})" for c in widest),
        )
        for k, size in enumerate(sizes)
    )
    return Grid("embedding_bag over tables of growing size, ids uniform, bags of 32", heads, rows, "measured")


def level_grid(machine: Machine) -> Grid:
    """Every cache level: what the system reports, what dependent loads show."""
    rows = tuple(
        (
            name,
            binary(level.size.base),
            "no edge found" if level.effective is None else level.effective.words,
            "–" if level.latency is None else level.latency.words,
            "–" if level.bandwidth is None else level.bandwidth.words,
        )
        for name, level in machine.caches.items()
    )
    heads = ("level", "reported", "serves working sets up to", "latency", "one core reads")
    return Grid("Cache levels", heads, rows, "measured")


def method_grid(found: tuple[Method, ...]) -> Grid:
    """Which ways to shrink a cache work on this machine, and why the others do not."""
    rows = tuple((m.name, "available" if m.works else "unavailable", m.reason) for m in found)
    return Grid("Ways to make a cache smaller", ("method", "here", "because"), rows, "measured")


def number_grid(machine: Machine) -> Grid:
    """Clock, memory, translation, peaks and costs, each with interval and source."""
    found = {"clock": machine.clock}
    for name, tier in machine.memory.items():
        found[f"{name} bandwidth"] = tier.bandwidth
        if tier.latency is not None:
            found[f"{name} latency"] = tier.latency
    for name, level in machine.tlb.items():
        found |= {f"{name}, {what}": q for what, q in (("reach", level.reach), ("penalty", level.penalty)) if q}
    found |= {f"peak of a core, {name}": unit.peak for name, unit in machine.compute.items()}
    found |= machine.calibration.overheads if machine.calibration else {}
    rows = tuple((name, quantity.words, quantity.source) for name, quantity in found.items())
    return Grid(machine.name, ("what", "value (interval over processes)", "from"), rows, "measured")


def grids(machine: Machine, self_test: bool = False) -> tuple[Grid, ...]:
    """Numbers, levels, gathers over the working set, ways to shrink a cache (the pirate's self-test where asked)."""
    return number_grid(machine), level_grid(machine), gather_grid(machine), method_grid(methods(self_test=self_test))
