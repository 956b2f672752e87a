"""Rows of a synthetic table: those of many lookups come when they are due, spans of one cell as points on a clock."""

import msgspec
import numpy as np
import pytest

from hotrow.tracegen.generate import synthesize, table_rng
from hotrow.tracegen.profile import Variant, characterize
from hotrow.tracegen.scenarios import zipf
from hotrow.tracegen.synthesis.rows import _nearly_all
from hotrow.tracegen.trace import Trace


@pytest.mark.parametrize("design", ["renewal", "depthband"])
@pytest.mark.parametrize("windows", [True, False])
def test_popular_rows_come_early_so_that_rare_ones_do_not_settle_first(design: str, windows: bool) -> None:
    table = characterize(Trace.from_ids(zipf(60_000, 4, rows=100))).tables[0]
    table = msgspec.structs.replace(table, variant=Variant(design, windows=windows))  # type: ignore[arg-type]
    order = synthesize(table, table_rng(0, 0, 1)).order
    first = np.unique(order, return_index=True)[1]
    assert first[:10].max() < 600  # 10 rows of 900 lookups and more: due after some tens of lookups


def test_spans_of_nearly_the_whole_clock_are_those_of_random_points() -> None:
    rng = np.random.default_rng(0)
    length = 100_000
    for count in (60, 900):
        points = np.sort(rng.random((3000, count)), axis=1)
        spans = (points[:, -1] - points[:, 0]) * length
        least = int(0.97 * length)
        expected = np.quantile(spans[spans >= least], [0.1, 0.5, 0.9])
        drawn = _nearly_all(np.full(3000, count), least, length, rng)
        assert drawn.min() >= least
        assert np.abs(np.quantile(drawn, [0.1, 0.5, 0.9]) - expected).max() < 0.0015 * length


def test_rows_of_two_lookups_take_any_place_in_the_last_cell() -> None:
    drawn = _nearly_all(np.full(2000, 2), 97_000, 100_000, np.random.default_rng(1))
    assert 97_000 <= drawn.min() < 97_200
    assert 99_700 < drawn.max() <= 100_000
