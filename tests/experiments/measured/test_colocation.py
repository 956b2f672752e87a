"""A tiny model beside itself: closed loops, a limit, grids."""

import json

from hotrow.experiments.measured.colocation import colocate, grids, plain, steps
from hotrow.experiments.measured.profile_figures import colocation_figures
from hotrow.models.config import ModelConfig, TableConfig

CONFIG = ModelConfig("tiny", 4, (8, 4), (8, 1), "dot", (TableConfig("a", 50, 4),))


def test_a_tiny_model_alone() -> None:
    steps_made: list[int] = []
    found = colocate(
        CONFIG,
        batch=4,
        models=(1,),
        seconds=0.1,
        repeats=2,
        limit=60.0,
        search_steps=1,
        advance=steps_made.append,
    )
    assert sum(steps_made) == steps((1,))
    assert [run.whole.pinned for run in found.closed] == [True, False]
    p99 = found.closed[0].percentile(99)
    assert p99.low <= p99.value <= p99.high
    assert set(colocation_figures(found)) == {"colocation", "poisson"}
    assert found.bounded[0][1].rate > 0
    assert found.trap is None
    assert json.loads(json.dumps(plain(found)))["closed"][0]["models"] == 1
    closed, bounded = grids(found)
    assert len(closed.rows) == 2
    assert bounded.rows[0][0] == "1"
