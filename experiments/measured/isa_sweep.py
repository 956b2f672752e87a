"""Question: what does SIMD width change, operator by operator? Each library's own operators at every width."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ...profiling.host import host_facts
from ...profiling.isa import NATIVE, Verified, widths
from ...profiling.measurement import Measurement
from ...profiling.processes.configuration import Configuration
from ...profiling.processes.runner import Plan, Runs, run
from ...profiling.summary import TOLERANCE, measurement, output_check, speedup
from ...progress import Advance, ignore
from ..grid import Grid
from .axis_points import ROUNDED
from .profile_grids import OVER, contended, library_words

OPERATORS = f"{host_facts.__module__.rpartition('.')[0]}.operators"
PLAN = Plan(seconds=0.1, patience=1.0)
SHAPE = (256, 512, 512)  # batch, inputs, outputs

# name, the library that does the work, workload, its arguments
PROBES: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("elementwise", "ATen", "elementwise", {}),
    ("embedding_bag dim 16", "FBGEMM", "embedding_bag", {"rows": 1000, "dim": 16, "bags": 64, "pooling": 32}),
    ("embedding_bag dim 64", "FBGEMM", "embedding_bag", {"rows": 1000, "dim": 64, "bags": 64, "pooling": 32}),
    ("embedding_bag dim 64, 256 MB", "FBGEMM", "embedding_bag", {"rows": 10**6, "dim": 64, "bags": 64, "pooling": 32}),
    ("linear fp32", "MKL", "linear", {"shapes": [SHAPE], "library": "MKL"}),
    ("linear fp32, packed", "oneDNN", "linear", {"shapes": [SHAPE], "library": "oneDNN"}),
    ("linear bf16", "oneDNN", "linear", {"shapes": [SHAPE], "library": "MKL", "precision": "bf16"}),
)


@dataclass(frozen=True)
class WidthPoint:
    """One operator at one width: its time, its speedup over the machine's own choice, what its library used.

    agrees: whether the output is that of the machine's own choice; None where there is none to compare.
    """

    operator: str
    width: str
    library: Verified | None
    total: Measurement | None
    speedup: Measurement | None
    agrees: bool | None
    failure: str | None = None


def isa_sweep(
    only: Sequence[str] = (), plan: Plan | None = None, advance: Advance = ignore
) -> Iterator[tuple[WidthPoint, ...]]:
    """Operator by operator (or those named): every width of this machine, one thread, the native choice as baseline."""
    plan = plan or PLAN
    chosen = (NATIVE, *widths(host_facts().simd))
    for name, library, function, arguments in PROBES:
        if only and name not in only:
            continue
        workload = f"{OPERATORS}:{function}"
        runs = run([Configuration(w, workload, arguments, isa=w) for w in chosen], plan, NATIVE, advance)
        yield tuple(point for width in chosen for point in _points(runs, name, width, library))


def _points(runs: Runs, name: str, width: str, library: str) -> list[WidthPoint]:
    """The steps of one operator at one width."""
    outcome = runs.outcome(width)
    if not outcome.processes:
        reason = outcome.failure.reason if outcome.failure else "not run"
        return [WidthPoint(name, width, None, None, None, None, reason)]
    seen = next(v for v in outcome.processes[0].result.isa if v.library == library)
    check = output_check(runs, width, ROUNDED if "bf16" in name else TOLERANCE)
    several = len(outcome.steps) > 1
    return [
        WidthPoint(
            f"{name}, {step}" if several else name,
            width,
            seen,
            measurement(outcome, step),
            speedup(runs, width, step),
            None if check is None else check.agrees,
        )
        for step in outcome.steps
    ]


def grid(points: Sequence[WidthPoint]) -> Grid:
    """One row per operator and width; widths that a library cannot be asked for, or did not take, are said to be so."""
    return Grid(
        "SIMD width by operator, one thread: speedup over the machine's own choice",
        ("operator", "width", f"µs ({OVER})", f"speedup ({OVER})", "output", "its library used"),
        tuple(_row(point) for point in sorted(points, key=lambda p: p.operator)),
        "measured",
    )


def _row(point: WidthPoint) -> tuple[str, ...]:
    total, ratio = point.total, point.speedup
    if total is None or ratio is None or point.library is None:
        return (point.operator, point.width, "failed", "–", "–", f"{point.failure}")
    return (
        point.operator,
        point.width,
        f"{1e6 * total.value:.3g} ({1e6 * total.low:.3g} … {1e6 * total.high:.3g}){contended(total)}",
        f"{ratio.value:.3g} ({ratio.low:.3g} … {ratio.high:.3g})",
        "–" if point.agrees is None else "agrees" if point.agrees else "DIFFERS",
        f"{point.library.library}: {library_words(point.library)}",
    )
