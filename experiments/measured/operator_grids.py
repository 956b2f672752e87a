"""Operators as tables: the parts of a step, their shares and times, and how fast their work was done."""

from __future__ import annotations

from ...profiling.measurement import OperatorProfile, Part
from ..grid import Grid
from .bottlenecks import RoleRate

WORDS = {
    "backward": "backward, in no part",
    "bottom": "bottom MLP",
    "top": "top MLP",
    "embedding": "embedding lookups",
    "interaction": "interaction",
    "data": "preparing the batch",
    "check": "checking the batch",
    "release": "freeing the recorded graph",
}

RATE_HEADS = ("MFLOP", "MB", "FLOP/byte", "GFLOP/s", "GB/s", "distinct rows / lookups")


def part_name(part: Part) -> str:
    """A part in words, as in "top MLP, backward"."""
    role = part.role.removesuffix(" backward")
    suffix = ", backward" if part.role.endswith(" backward") else ""
    return WORDS.get(role, role) + suffix


def time_of(profile: OperatorProfile) -> str:
    """A profile's time per step with its interval."""
    total = profile.total
    return f"{1e3 * total.value:.3g} ms (95 % interval {1e3 * total.low:.3g} to {1e3 * total.high:.3g})"


def role_grid(profile: OperatorProfile) -> Grid:
    """Shares and times of a profile's roles with their intervals."""
    rows = tuple(
        (
            role_name(part.role),
            f"{part.share.value:.1%}",
            f"{part.share.low:.1%} … {part.share.high:.1%}",
            f"{1e3 * part.seconds.value:.3g}",
            f"{1e3 * part.seconds.low:.3g} … {1e3 * part.seconds.high:.3g}",
        )
        for part in profile.roles
    )
    heads = (profile.name, "share", "95 % interval", "ms", "95 % interval")
    return Grid(f"{profile.name}: {time_of(profile)}", heads, rows, "measured")


def rate_grid(rates: tuple[RoleRate, ...]) -> Grid:
    """Work of every role and how fast it was done."""
    rows = tuple(rate_cells(rate) for rate in rates)
    heads = ("forward", *RATE_HEADS)
    caption = "Work of one forward pass, computed from the model and the trace's bags, over its measured time"
    return Grid(caption, heads, rows, "measured")


def rate_cells(rate: RoleRate) -> tuple[str, ...]:
    """A role and its work: one cell more than RATE_HEADS."""
    return (
        role_name(rate.role),
        f"{rate.work.flops / 1e6:,.3g}",
        f"{rate.work.bytes / 1e6:,.3g}",
        f"{rate.work.intensity:.3g}",
        f"{rate.flops_per_second / 1e9:,.3g}",
        f"{rate.bytes_per_second / 1e9:,.3g}",
        f"{rate.work.distinct_bytes / rate.work.row_bytes:.0%}" if rate.work.row_bytes else "–",
    )


def role_name(role: str) -> str:
    """A role in words, as in "top MLP backward"."""
    base = role.removesuffix(" backward")
    return WORDS.get(base, base) + role.removeprefix(base)
