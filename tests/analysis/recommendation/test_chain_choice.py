"""Chain choice: prefix trees keep their chains, bags of strangers and one-hot tables have none."""

import numpy as np

from hotrow.analysis.certificate import select
from hotrow.analysis.recommendation.chain_choice import choose_chains, linked_rows
from hotrow.tracegen.generate import generate
from hotrow.tracegen.measure import exact_profile
from hotrow.tracegen.samples.made_bags import prefix_trees, strangers
from hotrow.tracegen.trace import Trace


def test_rows_of_prefix_trees_stay_together() -> None:
    log = prefix_trees(1500, 2, talks=20)
    before = select(exact_profile(log), 1)
    after = choose_chains(before, 1)
    table = after.tables[0]
    assert table.variant.chains
    assert table.certificate is not None
    assert any("chains" in label for label in table.certificate.candidates)
    made = generate(after, seed=3).tables[0]
    counts = np.sort(np.unique(made.indices, return_counts=True)[1])
    assert np.array_equal(counts, np.sort(np.unique(log.tables[0].indices, return_counts=True)[1]))
    together = [pairs_again(t.indices) for t in (log.tables[0], generate(before, seed=3).tables[0], made)]
    assert together[0] > 0.5
    assert together[1] < 0.5 * together[2]


def pairs_again(rows: np.ndarray) -> float:
    """Share of neighbours that have been neighbours before."""
    pairs = rows[:-1].astype(np.int64) * (rows.max() + 1) + rows[1:]
    return 1 - len(np.unique(pairs)) / len(pairs)


def test_strangers_and_one_hot_tables_have_no_chains() -> None:
    for log in (strangers(800, 1, 500), Trace.from_ids(np.random.default_rng(1).integers(0, 50, 3000))):
        before = select(exact_profile(log), 1)
        assert linked_rows(before.tables[0]) < 0.2
        assert choose_chains(before, 1) == before
