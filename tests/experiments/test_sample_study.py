"""Pages and the order of the drift figure, against counting by hand."""

import numpy as np
import pytest

from hotrow.experiments import sample_study
from hotrow.experiments.lru_curves import lru_curves
from hotrow.tracegen.trace import TableLookups, Trace


def lru_hits(ids: list[object], capacity: int) -> int:
    cache: list[object] = []
    hits = 0
    for x in ids:
        if x in cache:
            hits += 1
            cache.remove(x)
        cache.append(x)
        del cache[: -capacity or len(cache)]
    return hits


@pytest.mark.parametrize("apart", [1, 3, 10**14, 10**17])
def test_page_hits_are_those_of_the_declared_places(apart: int) -> None:
    rng = np.random.default_rng(2)
    tables = tuple(TableLookups(name, 90 * apart, rng.integers(0, 90, 300) * apart) for name in "ab")
    trace = Trace(tables)
    study = sample_study.sample_study(trace, lru_curves(trace), 1024, [16])
    pages = [(t.name, int(t.indices[s]) // 4) for s in range(300) for t in tables]
    assert study.shared[0].pages == pytest.approx(lru_hits(list(pages), 4) / 600)


def test_the_drift_figure_begins_with_the_busiest_table() -> None:
    few = TableLookups("few", 9, np.arange(40) % 9)
    many = TableLookups("many", 9, np.arange(120) % 9, np.arange(0, 121, 3))
    study = sample_study.sample_study(Trace((few, many)), lru_curves(Trace((few, many))), 64, [4])
    (legend,) = sample_study.figure(study).legends
    assert [text.get_text() for text in legend.get_texts()] == ["many", "few"]
