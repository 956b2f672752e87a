"""Question: does the operator split of rm1, rm2 and rm3 agree with the published one? Theirs beside ours.

Published: Gupta et al. 2020, "DeepRecSys: A System for Optimizing End-To-End At-Scale Neural Recommendation Inference"
(arXiv 2001.02772), Caffe2 on an Intel Skylake server; read off a figure, ± 0.1 points.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...analysis import plots
from ...profiling.measurement import OTHER, Part
from ..grid import Grid
from .profile_study import ModelProfile, StepProfile

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS = ("FC", "embedding lookups", "concatenation", "activations", "other")
ACTIVATIONS = ("aten::relu", "aten::relu_", "aten::clamp_min", "aten::clamp_min_", "aten::sigmoid", "aten::sigmoid_")
KIND_OF_ROLE = {"bottom": "FC", "top": "FC", "embedding": "embedding lookups", "interaction": "concatenation"}

SKYLAKE: dict[tuple[str, int], tuple[float, float, float, float]] = {  # % of time: FC, lookups, concat, relu
    ("rm1", 1): (58.6, 29.77, 7.52, 4.11),
    ("rm1", 16): (29.77, 67.31, 1.93, 0.99),
    ("rm1", 64): (19.54, 78.42, 1.27, 0.77),
    ("rm1", 1024): (19.05, 78.29, 1.74, 0.92),
    ("rm2", 1): (25.79, 70.01, 3.31, 0.89),
    ("rm2", 16): (8.85, 90.26, 0.76, 0.14),
    ("rm2", 64): (6.5, 92.36, 1.03, 0.11),
    ("rm2", 1024): (8.68, 89.71, 1.47, 0.14),
    ("rm3", 1): (97.53, 1.62, 0.44, 0.4),
    ("rm3", 16): (95.82, 3.4, 0.3, 0.48),
    ("rm3", 64): (94.3, 4.7, 0.32, 0.68),
    ("rm3", 1024): (93.28, 5.33, 0.36, 1.03),
}


def compared(profile: ModelProfile) -> tuple[StepProfile, ...]:
    """The inference steps at batches that were published for this model; none for another model."""
    name = profile.name.split(" ")[0]  # without its scale
    return tuple(s for s in profile.steps if s.mode == "inference" and (name, s.batch) in SKYLAKE)


def split(parts: Sequence[Part]) -> dict[str, float]:
    """Fractions of a step by the published kinds of operator."""
    made = dict.fromkeys(KINDS, 0.0)
    for part in parts:
        kind = "activations" if part.name in ACTIVATIONS else KIND_OF_ROLE.get(part.role, OTHER)
        made[kind] += part.share.value
    return made


def grid(profile: ModelProfile) -> Grid:
    """Ours and theirs, in %, per batch."""
    rows = []
    for step in compared(profile):
        ours, theirs = split(step.operators.operators), _published(profile, step)
        for name, shares in (("here", ours), ("Skylake", theirs)):
            rows.append((str(step.batch), name, *(f"{100 * shares[kind]:.1f}" for kind in KINDS)))
    caption = f"{profile.name}: operator split here (measured) and on Skylake (published, arXiv 2001.02772), % of time"
    return Grid(caption, ("batch", "where", *KINDS), tuple(rows), "measured")


def figure(profile: ModelProfile) -> Figure:
    """Ours and theirs as stacked bars."""
    bars, splits = [], []
    for step in compared(profile):
        bars += [f"batch {step.batch}, here", f"batch {step.batch}, Skylake"]
        splits += [split(step.operators.operators), _published(profile, step)]
    parts = [(kind, [each[kind] for each in splits]) for kind in KINDS]
    return plots.stacked_shares(bars, parts, f"{profile.name}: operators here and published", "share of time, %")


def _published(profile: ModelProfile, step: StepProfile) -> dict[str, float]:
    shares = [0.01 * share for share in SKYLAKE[profile.name.split(" ")[0], step.batch]]
    return dict(zip(KINDS, (*shares, max(0.0, 1 - sum(shares))), strict=True))
