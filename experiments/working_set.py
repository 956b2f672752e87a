"""Question: what does a larger or smaller cache change? The working set swept on real hardware, sizes found by load."""

from __future__ import annotations

from ..profiling.cache_size import Method, methods
from ..profiling.machine import Machine
from .cache_sizing import binary
from .grid import Grid


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
        )
        for name, level in machine.caches.items()
    )
    return Grid("Cache levels", ("level", "reported", "serves working sets up to", "latency"), rows, "measured")


def method_grid(found: tuple[Method, ...]) -> Grid:
    """Which ways to shrink a cache work on this machine, and why the others do not."""
    rows = tuple((m.name, "available" if m.works else "unavailable", m.reason) for m in found)
    return Grid("Ways to make a cache smaller", ("method", "here", "because"), rows, "measured")


def grids(machine: Machine, self_test: bool = False) -> tuple[Grid, ...]:
    """Levels, gathers over the working set, and ways to shrink a cache (the pirate's self-test where asked)."""
    return level_grid(machine), gather_grid(machine), method_grid(methods(self_test=self_test))
