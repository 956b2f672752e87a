"""A tiny model beside itself: closed loops, a limit, grids."""

import json
from collections.abc import Iterator

import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.experiments.measured import colocation
from hotrow.experiments.measured.colocation import Closed, colocate, grids, plain, steps
from hotrow.experiments.measured.profile_figures import colocation_figures
from hotrow.models.config import ModelConfig, TableConfig
from hotrow.profiling.colocation import Served, Together

ONCE = Together((Served(np.array([0.1, 0.2]), np.array([0.1, 0.2])),), 1.0, None, True, None)
LOOP = Closed(ONCE, (ONCE,))
CONFIG = ModelConfig("tiny", 4, (8, 4), (8, 1), "dot", (TableConfig("a", 50, 4),))


def test_what_fails_after_the_first_loop_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for error, words in ((HotrowError("model 1 hung"), "model 1 hung"), (KeyboardInterrupt(), "stopped by Ctrl-C")):
        loops = iter((LOOP, error))

        def next_loop(*_: object, loops: Iterator[object] = loops) -> object:
            made = next(loops)
            if isinstance(made, BaseException):
                raise made
            return made

        monkeypatch.setattr(colocation, "closed_loop", next_loop)
        found = colocate(CONFIG, batch=4, models=(1,))
        assert found.closed == (LOOP,)
        assert found.stopped == isinstance(error, KeyboardInterrupt)
        assert found.notes == (f"models side by side: {words}; the rest is missing",)
        assert len(grids(found)) == 1
        assert set(colocation_figures(found)) == {"colocation"}
        monkeypatch.setattr(colocation, "closed_loop", lambda *_, e=error: (_ for _ in ()).throw(e))
        with pytest.raises(type(error)):
            colocate(CONFIG, batch=4, models=(1,))


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
