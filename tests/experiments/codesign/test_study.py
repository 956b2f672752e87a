"""The study behind a report: its stages, its answer in words, what failing leaves."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.analysis.predict import predict
from hotrow.analysis.prediction.operators import Setting
from hotrow.analysis.prediction.vary import vary
from hotrow.experiments.codesign import command, page, study
from hotrow.experiments.codesign.answer import answer
from hotrow.experiments.codesign.certified import Certified
from hotrow.experiments.codesign.elsewhere import Device, ratio_interval
from hotrow.experiments.codesign.findings import findings
from hotrow.experiments.codesign.sections.devices import cross_words
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
        ({"limit": 0.0}, "must be above 0"),
        ({"measure": "steps", "here": load_machine("skylake")}, "was not calibrated"),
        ({"here": load_machine("skylake")}, "leave it out or measure something"),
    ],
)
def test_bad_requests_are_one_line(request_of: dict[str, Any], words: str) -> None:
    with pytest.raises(HotrowError, match=words):
        codesign(subject(), Request(**{"measure": "none", **request_of}))


def test_an_empty_trace_is_refused_before_the_first_page() -> None:
    empty = Trace((TableLookups("t", 5, np.zeros(0, np.int64), np.zeros(4, np.int64)),))
    made = Subject(empty, "empty", "Made.", for_trace(load_preset("rm1"), empty))
    seen: list[CoDesign] = []
    with pytest.raises(HotrowError, match="no lookups"):
        codesign(made, Request(2, measure="none"), notice=seen.append)
    assert seen == []


def test_predictions_are_about_the_batch_that_was_asked_for(told: CoDesign) -> None:
    assert told.elsewhere is not None
    assert told.elsewhere.answer.middle.batch == 32
    assert max(d.batch for d in told.elsewhere.devices) == 4096  # of 6,000 samples


def test_a_limit_is_kept_and_said() -> None:
    result = codesign(subject(), Request(32, measure="none", limit=0.5))
    assert result.elsewhere is not None
    assert result.elsewhere.ranking.limit == 0.5
    assert "The limit is the one asked for." in " ".join(answer(result))


def test_a_report_that_is_stopped_says_so_and_leaves_nothing_of_an_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "page.html"
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "report.json").write_text("of an earlier run")

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(study.profile_answer, "answer", stop)
    with pytest.raises(KeyboardInterrupt):
        command.make(subject(), Request(32, measure="steps"), out, "a test", True)
    assert "it was stopped by hand" in out.read_text()
    assert "under way" not in out.read_text()
    assert not (tmp_path / "page" / "report.json").exists()


@pytest.mark.parametrize(
    ("ratios", "words"),
    [
        (((0.2, 0.1, 0.4), (0.9, 0.5, 2.0)), "at every batch tried, but the interval includes both at batch 64"),
        (((0.2, 0.1, 0.4), (0.5, 0.3, 0.9)), "at every batch tried, which is surer than"),
        (((2.0, 1.5, 3.0), (4.0, 3.0, 5.0)), "h100 serves more than all cores of skylake at every batch tried, which"),
        (((0.5, 0.25, 0.9), (2.0, 1.5, 4.0)), "from batch 8 on"),
    ],
)
def test_words_on_the_gpu_are_as_sure_as_the_interval(told: CoDesign, ratios: Any, words: str) -> None:
    assert told.elsewhere is not None
    made = tuple(Device(batch, 1.0, 1.0, 1.0, *r) for batch, r in zip((1, 64), ratios, strict=True))
    assert words in cross_words(replace(told.elsewhere, devices=made))
