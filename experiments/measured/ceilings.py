"""Question: how close does each part of a step come to what this machine can do? Ceilings from a calibrated machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ... import HotrowError
from ...analysis import profiling_plots as plots
from ...profiling.host import Host
from ...profiling.machine import Calibration, Curve, Machine
from ..grid import Grid, number_of
from .operator_grids import role_name
from .profile_study import ModelProfile, StepProfile

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Ceilings:
    """What `threads` threads of a machine reach, fastest first: FLOP/s by product, bytes/s by kind of memory."""

    machine: str
    threads: int
    roofs: tuple[tuple[str, float], ...]
    slopes: tuple[tuple[str, float], ...]


def ceilings(machine: Machine, host: Host, threads: int, precision: str, row_bytes: float) -> Ceilings:
    """The measured ceilings for one model. row_bytes: of its embedding rows; the nearest row calibrated is taken.

    Raises HotrowError where the machine was not calibrated, on this host, with this number of threads.
    """
    made = calibrated_here(machine, host)
    curves = [curve for curve in made.curves if curve.threads == threads]
    roofs = _roofs([c for c in curves if c.what == "products" and c.detail["precision"] == precision])
    slopes = _slopes(curves, row_bytes)
    if not roofs or not slopes:
        raise HotrowError(f"machine {machine.name!r} was not calibrated with {threads} threads in {precision}")
    return Ceilings(machine.name, threads, roofs, slopes)


def calibrated_here(machine: Machine, host: Host) -> Calibration:
    """The machine's calibration; HotrowError where it has none or was calibrated on another host."""
    made = machine.calibration
    if made is None:
        raise HotrowError(f"machine {machine.name!r} was not calibrated; hotrow calibrate writes one that is")
    if (made.node, made.cpu) != (host.node, host.cpu):
        raise HotrowError(
            f"machine {machine.name!r} was calibrated on {made.node} ({made.cpu}), this is {host.node} ({host.cpu}); "
            "calibrate here"
        )
    return made


def _roofs(products: Sequence[Curve]) -> tuple[tuple[str, float], ...]:
    """The fastest layer at every SIMD width and the library that was."""
    best: dict[str, tuple[float, str]] = {}
    for curve in products:
        name = f"{curve.detail['precision']} {curve.isa}, {curve.detail['library']}"
        best[curve.isa] = max(best.get(curve.isa, (0.0, "")), (max(curve.value), name))
    return tuple((name, speed) for speed, name in sorted(best.values(), reverse=True))


def _slopes(curves: Sequence[Curve], row_bytes: float) -> tuple[tuple[str, float], ...]:
    """Streams from a cache and from memory, gathers from memory, at the widest SIMD."""
    streams = [c for c in curves if c.what == "stream"]
    gathers = [c for c in curves if c.what == "gather"]
    if not streams or not gathers:
        return ()
    stream = streams[-1]  # widths come narrowest first
    nearest = min(abs(float(c.detail["row_bytes"]) - row_bytes) for c in gathers)
    gather = [c for c in gathers if abs(float(c.detail["row_bytes"]) - row_bytes) == nearest][-1]
    found = {
        "stream from cache": max(stream.value),
        "stream from memory": stream.value[-1],
        f"gather of {gather.detail['row_bytes']} B rows from memory": gather.value[-1],
    }
    return tuple(sorted(found.items(), key=lambda item: -item[1]))


def grid(profile: ModelProfile, found: Ceilings) -> Grid:
    """Every part under its ceiling: the lower of the fastest product and the slope of streams from memory."""
    rows = tuple(
        (
            f"{step.mode} {step.batch}",
            role_name(rate.role),
            f"{rate.work.intensity:.3g}",
            f"{1e-9 * rate.flops_per_second:.3g}",
            f"{1e-9 * bound:.3g}",
            f"{rate.flops_per_second / bound:.0%}",
            "memory" if slope < found.roofs[0][1] else "arithmetic",
        )
        for step in profile.steps
        for rate in step.rates
        if rate.work.flops
        for slope in (rate.work.intensity * dict(found.slopes)["stream from memory"],)
        for bound in (min(slope, found.roofs[0][1]),)
    )
    heads = ("step and batch", "part", "FLOP/byte", "GFLOP/s", "ceiling", "of it", "bound by")
    caption = f"Under the ceilings of {found.machine}, {threads_of(found)}; above 100 % the bytes came from cache"
    return Grid(caption, heads, rows, "measured")


def threads_of(found: Ceilings) -> str:
    """As "1 thread"."""
    return number_of(found.threads, "thread")


def figures(profile: ModelProfile, found: Ceilings) -> dict[str, Figure]:
    """A roofline for each kind of step."""
    made = {}
    for mode in dict.fromkeys(step.mode for step in profile.steps):
        dots = [dot for step in profile.steps if step.mode == mode for dot in _dots(step)]
        title = f"{profile.name}, {mode}, {threads_of(found)}"
        made[f"roofline-{mode}"] = plots.roofline(dots, found.roofs, found.slopes, title)
    return made


def _dots(step: StepProfile) -> list[plots.Dot]:
    return [
        (
            role_name(rate.role),
            str(step.batch),
            rate.work.intensity,
            rate.flops_per_second,
            rate.work.flops / rate.seconds.high,
            rate.work.flops / rate.seconds.low,
        )
        for rate in step.rates
        if rate.work.flops and rate.seconds.low > 0
    ]
