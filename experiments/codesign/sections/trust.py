"""Section: how far predictions can be trusted."""

from __future__ import annotations

from ...report import Section
from ..study import CoDesign


def section(result: CoDesign) -> Section:
    """This host's predictions beside its measurements, where its calibration was given."""
    if result.trust is None:
        unknown = (
            "Not checked in this report: hotrow calibrate here.toml measures this machine in under three minutes, and "
            "hotrow report --here here.toml puts its predictions beside these measurements.",
            "Errors found on frozen lists of configurations, and against published numbers, are in docs/prediction.md: "
            "a factor of four is what an interval from a datasheet allows either way.",
        )
        return Section("trust", "How far predictions can be trusted", unknown)
    found = result.trust
    covered = sum(pair.covered for pair in found.pairs)
    words = (
        f"Predicted for this host from {found.machine} ({found.how}): wrong by {found.error:.0%} in the mean, and "
        f"{covered} of {len(found.pairs)} measured steps lie in their 90 % interval. Other machines are predicted from "
        "datasheets, which is less sure.",
    )
    return Section("trust", "How far predictions can be trusted", words, grids=(found.grid(),))
