"""What a sweep's points say, on points made up for it."""

from typing import Any

import pytest

from hotrow.experiments.report import render
from hotrow.experiments.sweep import page
from hotrow.experiments.sweep.findings import along, bests, effects
from hotrow.experiments.sweep.spec import DEFAULTS
from hotrow.experiments.sweep.store import Stored


def point(value: float, spread: float = 0.0, **settings: Any) -> Stored:
    metric = {"value": value, "low": value * (1 - spread), "high": value * (1 + spread), "unit": "1/s"}
    result = {"metrics": {"samples per second": metric}, "notes": []}
    whole = DEFAULTS | {"kind": "predicted"} | settings
    return Stored(repr(settings), whole, result, None, 1.0, "2026-01-01T00:00:00+00:00", {})


POINTS = [
    point(value, 0.1, model=model, machine=machine, batch=batch)
    for model, scale in (("rm1", 1), ("rm2", 10))
    for machine, factor in (("old", 1), ("new", 2))
    for batch, value in ((1, scale * factor * 10.0), (4, scale * factor * 19.0 + (machine == "new")))
]


def test_the_best_is_told_from_the_next_only_where_intervals_do_not_meet() -> None:
    first, second = bests("predicted", POINTS)
    assert (first.workload[0], second.workload[0]) == ("rm1", "rm2")
    assert (first.point.settings["machine"], first.point.settings["batch"]) == ("new", 4)
    assert first.alike == ()
    assert first.next is not None
    assert first.next.settings == POINTS[2].settings
    close = [point(10, 0.1, batch=1), point(10.5, 0.1, batch=2), point(5, 0.1, batch=4)]
    (best,) = bests("predicted", close)
    assert best.point == close[1]
    assert best.alike == (close[0],)
    assert best.next == close[2]
    (same,) = bests("predicted", close[:2])
    assert same.next is None


def test_an_effect_compares_points_alike_in_all_else() -> None:
    machine, batch = sorted(effects("predicted", POINTS), key=lambda effect: effect.axis != "machine")
    assert (machine.axis, machine.setting, machine.first, machine.pairs) == ("machine", "new", "old", 4)
    assert machine.least == 2.0
    assert machine.most == pytest.approx(39 / 19)
    assert batch.ratio == pytest.approx(1.9, rel=0.05)
    assert batch.axis == "batch"


def test_a_line_is_the_best_at_every_setting_over_that_at_the_first() -> None:
    lines = along("predicted", POINTS, "batch")
    assert [workload[0] for workload in lines] == ["rm1", "rm2"]
    assert next(iter(lines.values())) == [(1.0, 1.0), (4.0, 39 / 20)]
    uneven = [*POINTS, point(1000.0, model="rm1", machine="third", batch=4)]  # not tried at batch 1
    assert along("predicted", uneven, "batch") == lines


class Plan:
    tasks = POINTS

    class spec:
        title = "made <up>"


def test_the_page_says_the_best_what_matters_and_how_sure() -> None:
    made = page.report(Plan(), POINTS, "test")  # type: ignore[arg-type]
    text = " ".join(made.answer)
    assert "Finished: 8 of 8 points" in text
    assert "Predicted, 2 workloads: machine new is best in 2 of them." in text
    assert "machine new instead of old (×2" in text
    assert "rm1 on uniform, predicted: machine new, batch 4 is best with 39 (35.1 … 42.9) /s; the next is" in text
    (section,) = made.sections
    assert [grid.heads[0] for grid in section.grids] == ["workload", "axis", "model"]
    assert len(section.pictures) == 1
    assert "made &lt;up&gt;" in render(made)


def test_what_cannot_be_told_apart_is_not_called_best() -> None:
    same = [point(10, 0.1, batch=1), point(10.5, 0.1, batch=2)]
    text = " ".join(page.report(Plan(), same, "test").answer)  # type: ignore[arg-type]
    assert "none of 2 settings is told apart from the others" in text
    assert "best" not in text


def test_a_single_point_has_a_page() -> None:
    made = page.report(Plan(), POINTS[:1], "test")  # type: ignore[arg-type]
    assert len(made.sections) == 1
    assert render(made)
