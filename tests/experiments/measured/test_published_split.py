"""The published operator split: as read off the figure, beside ours, and for its models alone."""

import csv
import dataclasses
from pathlib import Path
from types import SimpleNamespace

import pytest

from hotrow.experiments.measured.profile_study import ModelProfile
from hotrow.experiments.measured.published_split import KINDS, SKYLAKE, compared, figure, grid, split
from hotrow.profiling.measurement import Interval, Part


def part(name: str, role: str, share: float) -> Part:
    interval = Interval(share, share, share)
    return Part(name, role, interval, interval, 1)


PARTS = (
    part("aten::addmm", "bottom", 0.3),
    part("aten::clamp_min", "bottom", 0.05),
    part("aten::embedding_bag", "embedding", 0.4),
    part("aten::cat", "interaction", 0.05),
    part("aten::addmm", "top", 0.1),
    part("between operators", "other", 0.1),
)


def profile(name: str) -> ModelProfile:
    steps = tuple(
        SimpleNamespace(mode=mode, batch=batch, operators=SimpleNamespace(operators=PARTS))
        for mode in ("inference", "training")
        for batch in (1, 7, 16)
    )
    return ModelProfile(name, steps, (), None, ())  # type: ignore[arg-type]


def test_operators_fall_into_the_published_kinds() -> None:
    assert split(PARTS) == pytest.approx(dict(zip(KINDS, (0.4, 0.4, 0.05, 0.05, 0.1), strict=True)))


def test_ours_stands_beside_theirs() -> None:
    made = profile("rm1 × 0.5")
    assert [step.batch for step in compared(made)] == [1, 16]
    rows = grid(made).rows
    assert rows[0] == ("1", "here", "40.0", "40.0", "5.0", "5.0", "10.0")
    assert rows[1] == ("1", "Skylake", "58.6", "29.8", "7.5", "4.1", "0.0")
    assert len(figure(made).axes[0].get_yticklabels()) == 4
    assert compared(dataclasses.replace(made, name="criteo-kaggle")) == ()


def test_the_table_is_the_digitised_one(shared: Path) -> None:
    with (shared / "reference" / "operator_split_cpu.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["model"].startswith("RMC")]
    theirs = {
        (row["model"].lower().replace("rmc", "rm"), int(row["batch"])): tuple(
            float(row[kind]) for kind in ("FC", "SLS", "Concat", "Relu")
        )
        for row in rows
    }
    assert theirs == SKYLAKE
