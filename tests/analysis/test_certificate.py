"""Certificates: the implied curve against the exact one, and selection by released statistics alone."""

import numpy as np
import pytest

from hotrow.analysis.certificate import implied_curves, select, select_table
from hotrow.analysis.fidelity import cache_sizes
from hotrow.analysis.miss_ratio import lru_curve
from hotrow.analysis.recommendation.distances import spans_distance
from hotrow.tracegen.clock import ClockedTable, dense
from hotrow.tracegen.generate import synthesize, table_rng
from hotrow.tracegen.locality import history
from hotrow.tracegen.privacy import PrivacyBudget
from hotrow.tracegen.profile import TableProfile, characterize, load
from hotrow.tracegen.release import release
from hotrow.tracegen.scenarios import news, phases, zipf
from hotrow.tracegen.synthesis.depths import depth_edges, implied_depths
from hotrow.tracegen.trace import Trace


@pytest.mark.parametrize("scenario", [news, phases, zipf])
def test_the_age_matrix_implies_the_lru_curve(scenario) -> None:
    ids = scenario(60_000, 7)
    table = characterize(Trace.from_ids(ids)).tables[0]
    assert table.locality is not None
    sizes = cache_sizes(table.distinct)
    implied, _ = implied_curves(table, table.locality, sizes)
    assert np.abs(implied - lru_curve(ids).miss_ratio(sizes)).mean() < 0.006


@pytest.mark.parametrize("rows", [2, 3, 12, 40])
def test_tables_of_a_few_rows_are_implied_well_too(rows: int) -> None:
    ids = zipf(30_000, 3, rows=rows)
    table = characterize(Trace.from_ids(ids)).tables[0]
    assert table.locality is not None
    sizes = cache_sizes(table.distinct)
    implied, _ = implied_curves(table, table.locality, sizes)
    assert np.abs(implied - lru_curve(ids).miss_ratio(sizes)).mean() < 0.02


def test_implied_depths_keep_every_window_and_know_a_loop() -> None:
    ids = np.arange(3000) % 50
    table = characterize(Trace.from_ids(ids)).tables[0]
    assert table.locality is not None
    ages = table.locality.ages.array().astype(np.float64)
    depths = implied_depths(ages, 3000, -(-3000 // len(ages)), 50)
    assert np.allclose(depths.sum(1), ages.sum(1))
    deepest = np.searchsorted(depth_edges(50), 49, "right") - 1
    assert depths[:, deepest].sum() > 0.9 * 2950


def test_selection_keeps_its_promise_where_it_vouches(tmp_path) -> None:
    for ids in (news(60_000, 8), zipf(60_000, 9)):
        profile = select(characterize(Trace.from_ids(ids)))
        table = profile.tables[0]
        made = synthesize(table, table_rng(0, 0, 1)).order
        sizes = cache_sizes(table.distinct)
        true = np.abs(lru_curve(made).miss_ratio(sizes) - lru_curve(ids).miss_ratio(sizes)).mean()
        assert table.certificate is not None
        if table.certificate.vouches:
            assert true <= table.certificate.estimate + 0.002
        profile.save(tmp_path / "p.json")
        assert load(tmp_path / "p.json").tables == profile.tables


def test_selection_sees_no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """The choice depends on the profile alone: from the file it is the same."""
    profile = release(Trace.from_ids(phases(40_000, 1)), PrivacyBudget(2.0))
    assert select(profile, 3) == select(profile, 3)


def test_a_profile_without_locality_is_left_alone() -> None:
    table = TableProfile("t", 5, ((2, 1),))
    assert select_table(table) is table


def test_spans_tell_a_trace_from_its_shuffle() -> None:
    ids = news(40_000, 6)
    table = characterize(Trace.from_ids(ids)).tables[0]
    assert table.locality is not None
    distances = []
    for stream in (ids, np.random.default_rng(0).permutation(ids)):
        clocked = ClockedTable("t", table.rows, len(stream), 1, True, *dense(stream), np.arange(len(stream)))
        distances.append(spans_distance(table.locality, history(clocked, 1)))
    assert distances[0] == 0
    assert distances[1] > 0.2


def test_a_table_of_three_rows_is_not_vouched_for() -> None:
    certificate = select_table(characterize(Trace.from_ids(zipf(20_000, 2, rows=3))).tables[0]).certificate
    assert certificate is not None
    assert not certificate.vouches
    assert "3 rows are too few" in certificate.note


def test_a_trace_that_drowns_in_noise_is_not_vouched_for() -> None:
    profile = release(Trace.from_ids(zipf(40_000, 2, rows=500), 500), PrivacyBudget(0.2, "access"))
    certificate = select_table(profile.tables[0]).certificate
    assert certificate is not None
    assert not certificate.vouches
    assert "short for so much noise" in certificate.note


def test_bands_that_lack_lookups_are_corrected_and_generate_so() -> None:
    table = characterize(Trace.from_ids(phases(150_000, 3))).tables[0]
    chosen = select_table(table)
    assert chosen.variant.design == "depthband"
    assert chosen.demand is not None
    assert chosen.certificate is not None
    bands = [
        float(told.split("LRU ")[1].split(",")[0]) for told in chosen.certificate.candidates if "depthband" in told
    ]
    assert chosen.certificate.claim < 0.7 * bands[0]
    order = synthesize(chosen, table_rng(5, 0, 1)).order
    sizes = cache_sizes(table.distinct)
    assert table.locality is not None
    implied, _ = implied_curves(table, table.locality, sizes)
    error = np.abs(lru_curve(order).miss_ratio(sizes) - implied).mean()
    assert error < 0.8 * bands[0]  # by other random numbers too
