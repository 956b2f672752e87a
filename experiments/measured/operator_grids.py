"""Parts of a step in words, and how fast their work was done, in cells."""

from __future__ import annotations

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
