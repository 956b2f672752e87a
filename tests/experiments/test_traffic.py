"""Facts about a trace against counting by hand."""

import numpy as np
import pytest

from hotrow.analysis.miss_ratio import lru_curve
from hotrow.experiments import traffic as traffic_module
from hotrow.experiments.traffic import VISITS, describe, figures, log_spaced
from hotrow.tracegen.trace import TableLookups, Trace


def test_facts_of_a_trace_counted_by_hand() -> None:
    bags = TableLookups("ad", 10, np.array([1, 1, 2, 7]), np.array([0, 3, 3, 4]))
    user = TableLookups("user", 5, np.array([4, 4, 0]))
    traffic = describe(Trace((bags, user), label=np.zeros(3)), "clicks")
    assert (traffic.samples, traffic.lookups, traffic.touched_rows) == (3, 7, 5)
    assert traffic.per_sample == ("label",)
    ad = traffic.tables[0]
    assert (ad.declared_rows, ad.touched_rows, ad.lookups) == (10, 3, 4)
    assert (ad.largest_bag, ad.empty_bags, ad.rows_used_once, ad.rows_for_half) == (3, 1, 2, 1)
    assert ad.pooling == pytest.approx(4 / 3)
    assert ad.lru_capacities == (1, 2, 3)
    assert ad.lru_miss_ratio == pytest.approx((3 / 4,) * 3)
    assert ad.reuse_within == (1, 2, 3)
    assert ad.reuse_share == pytest.approx((1 / 4,) * 3)  # 1 at once; the others once each
    assert ad.popularity_share == pytest.approx((2 / 4, 3 / 4, 1))


def test_a_table_that_nobody_looked_up_has_zeros_and_no_curve() -> None:
    empty = TableLookups("cold", 3, np.zeros(0, np.int64), np.zeros(3, np.int64))
    hot = TableLookups("hot", 3, np.array([0, 1]))
    cold = describe(Trace((empty, hot))).tables[0]
    assert (cold.touched_rows, cold.lookups, cold.empty_bags, cold.top_percent_share) == (0, 0, 2, 0.0)
    assert cold.lru_capacities == ()


def test_reuse_shares_count_lookups_since_the_rows_last() -> None:
    ids = np.random.default_rng(3).integers(0, 40, 500)
    table = describe(Trace.from_ids(ids)).tables[0]
    gaps = [i - max((k for k in range(i) if ids[k] == ids[i]), default=-(10**9)) for i in range(500)]
    assert table.reuse_share == pytest.approx([np.mean(np.array(gaps) <= time) for time in table.reuse_within])


def test_describe_advances_by_every_visit_and_pieces_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    trace = Trace((TableLookups("a", 40, rng.integers(0, 40, 500)), TableLookups("b", 9, rng.integers(0, 9, 500))))
    whole = describe(trace)
    assert describe(trace, curves=[lru_curve(table.indices) for table in trace.tables]) == whole
    monkeypatch.setattr(traffic_module, "PIECE", 70)
    steps: list[int] = []
    assert describe(trace, advance=steps.append) == whole
    assert sum(steps) == VISITS * trace.accesses
    assert max(steps) == 70


def test_grid_has_a_row_for_every_table() -> None:
    assert [row[0] for row in describe(Trace.from_ids([1, 2, 3], name="ad")).grid().rows] == ["ad"]


def test_figures_draw_every_table_with_lookups() -> None:
    empty = TableLookups("cold", 3, np.zeros(0, np.int64), np.zeros(4, np.int64))
    traffic = describe(
        Trace((TableLookups("a", 3, np.array([0, 1, 1])), empty, TableLookups("b", 9, np.array([0, 8, 8]))))
    )
    for figure in figures(traffic).values():
        assert [line.get_label() for line in figure.axes[0].lines] == ["a", "b"]


@pytest.mark.parametrize("top", [0, 1, 2, 5, 1000, 10**9])
def test_log_spaced_runs_from_one_to_the_top(top: int) -> None:
    points = log_spaced(top)
    assert (np.diff(points) > 0).all()
    assert points.tolist() == [] if top == 0 else (points[0], points[-1]) == (1, top)
