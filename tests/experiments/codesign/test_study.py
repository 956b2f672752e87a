"""The study behind a report: its stages, its answer in words, what failing leaves."""

from typing import Any

import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.analysis.predict import predict
from hotrow.analysis.prediction.operators import Setting
from hotrow.analysis.prediction.vary import vary
from hotrow.experiments.codesign import page, study
from hotrow.experiments.codesign.answer import answer
from hotrow.experiments.codesign.certified import Certified
from hotrow.experiments.codesign.elsewhere import ratio_interval
from hotrow.experiments.codesign.findings import findings
from hotrow.experiments.codesign.study import CoDesign, Request, Subject, codesign
from hotrow.models.config import for_trace, load_preset
from hotrow.profiling.machine_files import load_machine
from hotrow.tracegen.trace import TableLookups, Trace


def subject(certified: Certified | None = None) -> Subject:
    rng = np.random.default_rng(0)
    trace = Trace(tuple(TableLookups(f"t{k}", 2000, rng.zipf(1.2, 6000) % 2000) for k in range(4)))
    return Subject(trace, "made", "Made for a test.", for_trace(load_preset("criteo-kaggle"), trace), (), certified)


@pytest.fixture(scope="module")
def told() -> CoDesign:
    return codesign(subject(), Request(32, measure="none"))


def test_every_stage_is_told_and_only_the_last_is_finished() -> None:
    seen: list[CoDesign] = []
    result = codesign(subject(), Request(32, measure="none"), notice=seen.append)
    assert [each.running for each in (*seen, result)] == [True, True, False]
    assert [each.elsewhere is not None for each in (*seen, result)] == [False, True, True]
    assert any("not finished" in line for line in answer(seen[0]))
    assert not any("not finished" in line for line in answer(result))
    page.report(seen[0], "a test")


def test_steps_are_as_many_as_it_advances() -> None:
    count = 0

    def advance(step: int) -> None:
        nonlocal count
        count += step

    request = Request(32, measure="none")
    codesign(subject(), request, advance)
    assert count == study.steps(request)


def test_the_answer_covers_what_an_architect_asks(told: CoDesign) -> None:
    text = " ".join(answer(told))
    for word in (
        "Traffic:",
        "Fast memory:",
        "Predicted for skylake:",
        "Machine:",
        "CPU or GPU:",
        "Width:",
        "Placement:",
    ):
        assert word in text
    assert "What would change this" in text


def test_measuring_that_fails_leaves_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise HotrowError("the child was killed")

    monkeypatch.setattr(study.profile_answer, "answer", fail)
    result = codesign(subject(), Request(32, measure="steps"))
    assert result.measured is None
    assert "the child was killed" in " ".join(answer(result))
    assert result.elsewhere is not None
    assert page.report(result, "a test").sections


def test_a_certificate_is_carried_into_answer_table_and_time() -> None:
    known = Certified("p", "private", tuple((f"t{k}", 6000, 0.01) for k in range(4)))
    result = codesign(subject(known), Request(32, measure="none"))
    assert any("within 0.0100" in line for line in answer(result))
    memory = next(s for s in page.report(result, "a test").sections if s.anchor == "memory")
    assert any(grid.caption.startswith("What the certificate") for grid in memory.grids)
    assert result.elsewhere is not None
    assert result.elsewhere.error is not None
    low, high = result.elsewhere.error
    assert low <= result.elsewhere.answer.middle.seconds <= high


def test_what_a_profile_does_not_vouch_for_is_said() -> None:
    known = Certified("p", "private", (("t0", 6000, None), ("t1", 6000, 0.01)))
    text = " ".join(answer(codesign(subject(known), Request(32, machine=None, measure="none"))))
    assert "does not vouch for t0" in text


def test_changes_are_those_of_predict_with_all_cores_busy(told: CoDesign) -> None:
    found = told.elsewhere
    assert found is not None
    answered = found.answer
    traffic, busy = answered.traffic[answered.middle.batch], Setting(1, answered.costs.cores)
    before = predict(answered.config, traffic, answered.costs, "inference", busy).seconds
    for change in found.changes:
        after = predict(
            answered.config, traffic, vary(answered.costs, change.what, change.factor), "inference", busy  # type: ignore[arg-type]
        ).seconds  # fmt: skip
        assert change.gain == pytest.approx(before / after)


def test_a_ratio_of_two_predictions_is_less_sure_than_either(told: CoDesign) -> None:
    assert told.elsewhere is not None
    step = told.elsewhere.answer.middle
    low, high = ratio_interval(step, step)
    assert low < step.low / step.seconds < 1 < step.high / step.seconds < high
    assert high < (step.high / step.seconds) ** 2


def test_findings_lie_in_their_intervals_and_have_names_of_their_own(told: CoDesign) -> None:
    made = findings(told)
    assert all(f.low <= f.value <= f.high for f in made)
    assert len({f.name for f in made}) == len(made)


@pytest.mark.parametrize(
    ("request_of", "words"),
    [
        ({"measure": "some"}, "known are none, steps"),
        ({"machine": "nosuch"}, "nosuch"),
        ({"gpu": "skylake"}, "is no GPU"),
        ({"measure": "steps", "here": load_machine("skylake")}, "was not calibrated"),
        ({"here": load_machine("skylake")}, "leave it out or measure something"),
    ],
)
def test_bad_requests_are_one_line(request_of: dict[str, Any], words: str) -> None:
    with pytest.raises(HotrowError, match=words):
        codesign(subject(), Request(**{"measure": "none", **request_of}))
