"""A tiny model beside itself: closed loops, a limit, grids."""

import json

from hotrow.experiments.measured.colocation import colocate, grids, plain
from hotrow.models.config import ModelConfig, TableConfig

CONFIG = ModelConfig("tiny", 4, (8, 4), (8, 1), "dot", (TableConfig("a", 50, 4),))


def test_a_tiny_model_alone() -> None:
    found = colocate(CONFIG, batch=4, models=(1,), seconds=0.1, repeats=1, limit=60.0, search_steps=1)
    assert [t.pinned for t in found.closed] == [True, False]
    assert found.bounded[0][1].rate > 0
    assert found.trap is None
    assert json.loads(json.dumps(plain(found)))["closed"][0]["models"] == 1
    closed, bounded = grids(found)
    assert len(closed.rows) == 2
    assert bounded.rows[0][0] == "1"
