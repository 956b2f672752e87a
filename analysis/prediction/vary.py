"""Vary: the same machine with a larger cache, more bandwidth, wider vectors or more cores; as a page does it."""

from __future__ import annotations

from typing import Literal

import msgspec

from ... import HotrowError
from .costs import LINE, WIDE, Coefficients

Axis = Literal["last cache", "memory bandwidth", "SIMD width", "cores"]
AXES: tuple[Axis, ...] = ("last cache", "memory bandwidth", "SIMD width", "cores")


def vary(costs: Coefficients, axis: Axis, factor: float) -> Coefficients:
    """`costs` with one thing times `factor`; HotrowError for an unknown axis or a factor that is not above 0.

    Memory bandwidth also shortens a line's time where bandwidth, not latency, sets it; cores bring neither cache nor
    bandwidth with them. SIMD width divides products and the adding up of rows.
    """
    if not factor > 0:
        raise HotrowError(f"{axis} times {factor}; it must be above 0")
    match axis:
        case "last cache":
            last = len(costs.levels) - 2
            levels = tuple(
                msgspec.structs.replace(level, capacity=level.capacity * factor) if k == last else level
                for k, level in enumerate(costs.levels)
            )
            return msgspec.structs.replace(costs, levels=levels)
        case "memory bandwidth":
            far = costs.levels[-1]
            wire = LINE / (far.bandwidth * factor)
            by = factor if costs.kind == "gpu" else 1.0
            first, further = (max(wire, each / by) for each in (far.first, far.next))
            changed = msgspec.structs.replace(far, bandwidth=far.bandwidth * factor, first=first, next=further)
            return msgspec.structs.replace(costs, levels=(*costs.levels[:-1], changed))
        case "SIMD width":
            linear = msgspec.structs.replace(costs.linear, product=costs.linear.product / factor)
            gather = msgspec.structs.replace(
                costs.gather, line=costs.gather.line / factor, written=costs.gather.written / factor
            )
            return msgspec.structs.replace(costs, linear=linear, gather=gather)
        case "cores":
            return msgspec.structs.replace(costs, cores=max(1, round(costs.cores * factor)))
    raise HotrowError(f"unknown axis {axis!r}; known are {', '.join(AXES)}")


def with_last_cache(costs: Coefficients, bytes: float) -> Coefficients:
    """`costs` whose last cache holds `bytes`."""
    held = costs.levels[-2].capacity if len(costs.levels) > 1 else WIDE
    return vary(costs, "last cache", bytes / held)
