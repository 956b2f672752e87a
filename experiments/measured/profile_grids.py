"""Grids of a model's profile: steps over batch, their parts, each axis, and where its stacks stand."""

from __future__ import annotations

from collections.abc import Sequence

from ...profiling.isa import NATIVE, Verified
from ...profiling.measurement import Measurement
from ...profiling.profilers.py_spy import StackProfile
from ..grid import Grid
from . import published_split
from .axis_points import AxisPoint
from .crossover import crossover
from .operator_grids import RATE_HEADS, rate_cells, role_name
from .profile_study import ModelProfile, StepProfile

OVER = "interval over processes"
LONGEST = 72  # of a frame's name, in characters


def grids(profile: ModelProfile) -> tuple[Grid, ...]:
    """Everything measured, as tables for a terminal and a report."""
    made = [step_grid(profile), share_grid(profile), work_grid(profile)]
    made += [axis_grid(axis, profile.axes) for axis in dict.fromkeys(point.axis for point in profile.axes)]
    made += crossover_grids(profile.axes)
    made += [published_split.grid(profile)] if published_split.compared(profile) else []
    return tuple(made if profile.stacks is None else [*made, stack_grid(profile.stacks)])


def step_grid(profile: ModelProfile) -> Grid:
    """Times per step, samples per second, percentiles of all repeats, what the profiler cost."""
    rows = tuple(
        (
            f"{s.mode} {s.batch}",
            timed(s.total),
            f"{s.batch / s.total.value:,.3g}",
            f"{1e3 * s.latency.p50:.3g}",
            f"{1e3 * s.latency.p90:.3g}",
            f"{1e3 * s.latency.p99:.3g}",
            f"{s.operators.attributed:.1%}",
            f"{s.operators.overhead.value:.2f}×",
        )
        for s in profile.steps
    )
    heads = ("step and batch", f"ms ({OVER})", "samples/s", "p50", "p90", "p99, ms", "in parts", "traced")
    return Grid(
        f"{profile.name}: median over processes; percentiles of all repeats, disturbed ones too",
        heads,
        rows,
        "measured",
    )


def share_grid(profile: ModelProfile) -> Grid:
    """Share of every part by step and batch; parts below 0.5 % everywhere are left out."""
    names = dict.fromkeys(p.role for s in profile.steps for p in s.operators.roles if p.share.value >= 0.005)
    rows = tuple((role_name(name), *(_share(s, name) for s in profile.steps)) for name in names)
    heads = ("part", *(f"{s.mode} {s.batch}" for s in profile.steps))
    return Grid(
        "Share of the step's time, traced",
        heads,
        tuple((role_name(name), *shares) for name, *shares in rows),
        "measured",
    )


def work_grid(profile: ModelProfile) -> Grid:
    """Work of every part and how fast it was done: FLOPs, bytes with those of the looked-up rows, intensity."""
    rows = tuple((f"{s.mode} {s.batch}", *rate_cells(rate)) for s in profile.steps for rate in s.rates)
    heads = ("step and batch", "part", *RATE_HEADS)
    return Grid("Work of every part, counted, over its measured time", heads, rows, "measured")


def axis_grid(axis: str, points: Sequence[AxisPoint]) -> Grid:
    """One row per setting and step of an axis: time, speedup, output, what the libraries used."""
    rows = tuple(_axis_row(point) for point in points if point.axis == axis)
    libraries = "seen (ATen; FBGEMM; oneDNN; MKL), or why it failed"
    heads = (axis, "step", f"ms ({OVER})", f"speedup ({OVER})", "output", libraries)
    caption = f"Along {axis}: speedup over the run as it is, processes of one round paired"
    return Grid(caption, heads, rows, "measured")


def crossover_grids(points: Sequence[AxisPoint]) -> list[Grid]:
    """From which batch on the GPU is faster, where both devices ran."""
    cuda = [p for p in points if (p.axis, p.setting) == ("device", "cuda") and p.speedup is not None]
    if not cuda:
        return []
    found = crossover(cuda)
    cells = ("never or always" if x is None else f"{x:,.3g}" for x in (found.batch, found.low, found.high))
    heads = ("GPU faster from batch", f"{OVER}: from", "to")
    caption = "Where GPU and CPU cross, transfers counted; a flat curve crosses nowhere in particular"
    return [Grid(caption, heads, (tuple(cells),), "measured")]


def _axis_row(point: AxisPoint) -> tuple[str, ...]:
    if point.total is None:
        return (point.setting, point.step, "failed", "–", "–", f"{point.failure}")
    ratio = point.speedup
    if point.check is None:
        output = "–"
    else:
        output = f"{'agrees' if point.check.agrees else 'DIFFERS'}, {point.check.difference:.1g}"
    faster = "–" if ratio is None else f"{ratio.value:.3g} ({ratio.low:.3g} … {ratio.high:.3g}){contended(ratio)}"
    seen = _seen(point, point.total)
    if point.failure is not None:
        seen += f"; its next process {point.failure}"
    return (point.setting, point.step, timed(point.total), faster, output, seen)


def _seen(point: AxisPoint, total: Measurement) -> str:
    """What the process that ran was seen to use."""
    if point.axis == "huge-pages":
        taken = total.metadata.get("anonymous_huge_page_bytes")
        return "unverified" if taken is None else f"{int(taken) / 2**20:,.0f} MiB on huge pages"
    return "; ".join(library_words(v) for v in point.isa)


def library_words(found: Verified) -> str:
    """What a library used: a width that could not be asked for is said to be so, and none is believed unseen."""
    if found.asked == NATIVE or found.holds:
        return found.seen
    if found.holds is False:
        return f"{found.seen} although asked for {found.asked}"
    return f"{found.seen} ({found.asked})"


def stack_grid(stacks: StackProfile, most: int = 12) -> Grid:
    """Where the innermost frames stand, largest first, and perf's view of all threads."""
    inner: dict[str, int] = {}
    for stack, count in stacks.stacks.items():
        inner[stack[-1]] = inner.get(stack[-1], 0) + count
    ordered = sorted(inner.items(), key=lambda item: -item[1])[:most]
    rows = [(short(name), f"{count / max(stacks.samples, 1):.1%}", "py-spy") for name, count in ordered]
    rows += [(short(f"{s.name} ({s.library})"), f"{s.share:.1%}", "perf, all threads") for s in stacks.symbols[:most]]
    gil = "unknown" if stacks.gil_share is None else f"{stacks.gil_share:.0%}"
    python = "unknown" if stacks.python_share is None else f"{stacks.python_share:.0%}"
    caption = (
        f"{stacks.name}: {stacks.samples} samples at {stacks.rate} Hz; Python {python} of them, the interpreter lock "
        f"held {gil} of the time; sampling makes it {stacks.overhead.value:.2f}× slower"
    )
    return Grid(caption, ("innermost frame", "samples", "seen by"), tuple(rows), "measured")


def timed(total: Measurement, unit: str = "") -> str:
    """Milliseconds with interval, in words with the unit " ms", and whether they are contended."""
    return f"{1e3 * total.value:.3g} ({1e3 * total.low:.3g} … {1e3 * total.high:.3g}){unit}{contended(total)}"


def contended(measured: Measurement) -> str:
    """ " contended" where other programs disturbed most repeats."""
    return " contended" if measured.metadata.get("contended") else ""


def _share(step: StepProfile, name: str) -> str:
    found = [part.share for part in step.operators.roles if part.role == name]
    return f"{found[0].value:.1%}" if found else "–"


def short(frame: str) -> str:
    """A frame's name cut in its middle, as C++ spells out its templates."""
    return frame if len(frame) <= LONGEST else f"{frame[: LONGEST - 23]} … {frame[-20:]}"
