"""Everything that a profile answers: what fails or is stopped on the way leaves the rest."""

from collections.abc import Iterator

import pytest

from hotrow import HotrowError
from hotrow.experiments.measured import profile_answer
from hotrow.experiments.measured.isa_sweep import WidthPoint
from hotrow.experiments.measured.profile_answer import Question, answer
from hotrow.experiments.measured.profile_study import ModelProfile, Request
from hotrow.models.config import ModelConfig, TableConfig

CONFIG = ModelConfig("tiny", 4, (8, 4), (8, 1), "dot", (TableConfig("a", 50, 4),))
POINT = WidthPoint("relu", "native", None, None, None, None, "failed")
ALL = Question(operators=True, colocate=())


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is measured."""

    def swept(**_: object) -> Iterator[tuple[WidthPoint, ...]]:
        yield (POINT,)

    monkeypatch.setattr(profile_answer, "profile_model", lambda *_: ModelProfile("tiny", (), (), None, ("a note",)))
    monkeypatch.setattr(profile_answer.isa_sweep, "isa_sweep", swept)
    monkeypatch.setattr(profile_answer, "colocate", lambda *_, **__: None)


def test_what_fails_beside_it_leaves_the_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise HotrowError("model 0 hung")

    monkeypatch.setattr(profile_answer, "colocate", refused)
    found = answer(CONFIG, None, ALL)
    assert found.notes == ("a note", "no models side by side: model 0 hung")
    assert found.widths == (POINT,)
    assert not found.stopped
    on_gpu = answer(CONFIG, None, Question(Request(device="cuda"), colocate=()))
    assert "on the CPU alone, not on cuda" in on_gpu.notes[-1]


def test_ctrl_c_keeps_the_operators_that_were_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(**_: object) -> Iterator[tuple[WidthPoint, ...]]:
        yield (POINT,)
        raise KeyboardInterrupt

    monkeypatch.setattr(profile_answer.isa_sweep, "isa_sweep", interrupted)
    found = answer(CONFIG, None, ALL)
    assert found.widths == (POINT,)
    assert found.stopped
    assert found.notes[-1].startswith("operators by SIMD width: stopped by Ctrl-C")


def test_a_profile_that_was_stopped_asks_for_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = ModelProfile("tiny", (), (), None, (), stopped=True)
    monkeypatch.setattr(profile_answer, "profile_model", lambda *_: stopped)
    found = answer(CONFIG, None, ALL)
    assert found.stopped
    assert (found.widths, found.together) == ((), None)


def test_models_side_by_side_run_as_the_profile_does(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, object] = {}

    def beside(*_: object, **how: object) -> None:
        asked.update(how)
        raise HotrowError("enough")

    monkeypatch.setattr(profile_answer, "colocate", beside)
    answer(CONFIG, None, Question(Request(modes=("inference",), isa="avx2", backend="fast"), colocate=()))
    assert (asked["isa"], asked["backend"]) == ("avx2", "fast")
