"""Log fidelity: brute-force misses of small logs, and errors that are 0 where nothing differs."""

import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.analysis.recommendation.log_fidelity import (
    FRACTIONS,
    bag_duplicates,
    kolmogorov,
    log_fidelity,
    sample_misses,
)
from hotrow.tracegen.trace import TableLookups, Trace


def log(seed: int, samples: int = 300) -> Trace:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(0, 4, samples)
    offsets = np.concatenate(([0], np.cumsum(sizes)))
    bags = TableLookups("bags", 90, rng.geometric(0.05, sizes.sum()) % 90, offsets)
    return Trace((TableLookups("one", 70, rng.geometric(0.1, samples) % 70), bags))


def brute_misses(table: TableLookups, capacity: int) -> list[int]:
    cache: list[int] = []
    out = []
    offsets = np.arange(table.samples + 1) if table.offsets is None else table.offsets
    for s in range(table.samples):
        missed = 0
        for row in table.indices[offsets[s] : offsets[s + 1]].tolist():
            if row in cache:
                cache.remove(row)
            else:
                missed += 1
            cache = [row, *cache][:capacity]
        out.append(missed)
    return out


@pytest.mark.parametrize("capacity", [1, 3, 20])
def test_misses_per_sample_are_those_of_a_simulated_cache(capacity: int) -> None:
    for table in log(1).tables:
        assert sample_misses(table, [capacity])[0].tolist() == brute_misses(table, capacity)


def test_a_log_is_like_itself_and_unlike_another() -> None:
    same = log_fidelity(log(1), log(1))
    assert (same.shared, same.miss_distance, same.perfect_error, same.page_error) == (0, 0, 0, 0)
    assert [b.sizes for b in same.bags] == [0]
    assert [m.fraction for m in same.misses] == list(FRACTIONS)
    other = log_fidelity(log(1), log(2))
    assert 0 < other.miss_distance < 0.3
    assert other.shared > 0
    assert {p.table for p in other.pages} == {"one", "bags"}


def test_copies_in_a_sample_widen_its_misses() -> None:
    rng = np.random.default_rng(3)
    ids, others = (np.asarray(rng.geometric(0.01, 4000), np.int64) for _ in range(2))
    together = Trace(tuple(TableLookups(f"t{k}", 10_000, ids) for k in range(4)))
    apart = Trace(tuple(TableLookups(f"t{k}", 10_000, x) for k, x in enumerate((ids, others, ids[::-1], others[::-1]))))
    found = log_fidelity(together, apart)
    assert all(m.deviation[0] > 1.5 * m.deviation[1] for m in found.misses[:3])
    assert found.miss_distance > 0.15


def test_distances_and_duplicates_by_hand() -> None:
    assert kolmogorov(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 5])) == pytest.approx(0.25)
    table = TableLookups("t", 9, np.array([3, 3, 3, 4, 5, 5]), np.array([0, 2, 4, 4, 6]))
    assert bag_duplicates(table) == pytest.approx(2 / 6)


def test_logs_of_other_tables_are_refused() -> None:
    with pytest.raises(HotrowError, match="same tables"):
        log_fidelity(log(1), Trace(log(1).tables[:1]))
    with pytest.raises(HotrowError, match="no samples"):
        log_fidelity(log(1), log(1).samples_between(0, 0))
