"""Sampled curves of a trace in parts: grids, figures and JSON, and what is refused."""

import json
from collections.abc import Iterator

import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.analysis.miss_ratio import lru_curve
from hotrow.experiments.sampled_curves import ALL, sampled_curves
from hotrow.tracegen.trace import TableLookups, Trace


def parts(count: int = 3) -> Iterator[Trace]:
    rng = np.random.default_rng(0)
    for _ in range(count):
        cold = TableLookups("cold", 9, np.zeros(0, np.int64), np.zeros(501, np.int64))
        yield Trace((TableLookups("hot", 400, (400 * rng.random(500) ** 2).astype(np.int64)), cold))


def test_every_table_is_near_its_exact_curve() -> None:
    whole = np.concatenate([part.tables[0].indices for part in parts()])
    exact = lru_curve(whole)
    curves = sampled_curves(parts(), 0.125, 64, (50, 10**6))
    hot, cold = curves.tables
    assert (hot.lookups, hot.touched_rows) == (1500, exact.distinct)  # eight samples of an eighth are all rows
    assert hot.asked.middle[1] == pytest.approx(exact.miss_ratio(10**6))
    assert hot.asked.low[0] <= exact.miss_ratio(50) <= hot.asked.high[0]
    assert (cold.lookups, cold.touched_rows, len(cold.curve.capacities)) == (0, 0, 0)
    assert curves.shared.lookups == 1500


def test_parts_are_taken_one_at_a_time() -> None:
    alive: list[int] = []

    class Part(Trace):
        def __del__(self) -> None:
            alive.pop()

    def made() -> Iterator[Trace]:
        for part in parts(6):
            alive.append(1)
            yield Part(part.tables)
            assert len(alive) <= 2  # the one before, and this one

    sampled_curves(made(), 20, 64)


def test_the_grid_shows_hits_with_their_range() -> None:
    curves = sampled_curves(parts(), 8, 64, (50,))
    grid = curves.grid()
    assert [row[0] for row in grid.rows] == ["hot", "cold", ALL]
    assert grid.heads[-1] == "50 (3.12 KiB)"
    band = curves.tables[0].asked
    assert grid.rows[0][-1] == f"{1 - band.middle[0]:.1%} ({1 - band.high[0]:.1%} … {1 - band.low[0]:.1%})"
    assert grid.rows[1][-1] == "–"
    assert "at most 8 rows" in grid.caption
    assert "0.1 of the rows" in sampled_curves(parts(), 0.1, 64).grid().caption


def test_one_table_has_one_row() -> None:
    (row,) = sampled_curves([Trace.from_ids([1, 2, 1])], 8, 64).grid().rows
    assert row[0] == "f0"


def test_figures_have_a_band_for_each_line_and_json_has_no_nan() -> None:
    curves = sampled_curves(parts(), 8, 64)
    for figure in curves.figures().values():
        assert len(figure.axes[0].collections) == 1
    plain = json.loads(json.dumps(curves.plain(), allow_nan=False))
    shared = plain["lru_shared"]["curve"]
    assert len(shared["low"]) == len(shared["capacity_rows"]) == len(shared["miss_ratio"]) == len(shared["high"])
    assert plain["lru"]["cold"]["asked"]["low"][0] is None
    assert plain["lru"]["hot"]["lookups"] == 1500


@pytest.mark.parametrize(
    ("sample", "capacities", "what"),
    [
        (2.5, (), "samples of 2.5 rows"),
        (float("inf"), (), "samples of inf rows"),
        (0.5, (), "at most 0.125"),
        (0, (), "above 0"),
        (-3, (), "above 0"),
        (float("nan"), (), "samples of nan rows"),
        (8, (-1,), "capacity -1"),
        (8, (10**20,), "capacity 1"),
    ],
)
def test_mistakes_are_refused_before_a_part_is_read(sample: float, capacities: tuple[int, ...], what: str) -> None:
    def unread() -> Iterator[Trace]:
        raise AssertionError
        yield

    with pytest.raises(HotrowError, match=what):
        sampled_curves(unread(), sample, 64, capacities)


def test_a_trace_without_parts_is_refused() -> None:
    with pytest.raises(HotrowError, match="no parts"):
        sampled_curves([], 8, 64)
