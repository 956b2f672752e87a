"""The runner: processes in rounds, pairs, and failures of every kind that leave the rest alone."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.profiling.isa import Verified
from hotrow.profiling.processes.child import Result, StepRun, file_name
from hotrow.profiling.processes.configuration import KNOBS, Configuration
from hotrow.profiling.processes.runner import (
    Failure,
    Outcome,
    Plan,
    Process,
    Runs,
    Stopped,
    least_busy,
    run,
    run_once,
)
from hotrow.profiling.summary import latency, measurement, operators, output_check, speedup

QUICK = Plan(processes=1, seconds=0.0, patience=0.0, least=3, deadline=60)


def configuration(name: str, function: str = "quick", **settings: object) -> Configuration:
    here = os.pathsep.join((str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")))
    return Configuration(name, f"workloads:{function}", environment={"PYTHONPATH": here}, **settings)


@pytest.fixture(scope="module")
def runs() -> Runs:
    others = ("crash", "mistake", "nothing", "ends", "out_of_memory", "missing")
    return run(
        [
            configuration("plain", arguments={"facts": {"index_distribution": "uniform"}}),
            configuration("other", arguments={"value": 1.5}),
            configuration("crowd", threads=10_000),
            configuration("far", cpus=(9999,)),
            configuration("wide", isa="avx1024"),
            *(configuration(name, name) for name in others),
        ],
        QUICK,
    )


def test_every_step_is_measured_and_described(runs: Runs) -> None:
    outcome = runs.outcome("plain")
    assert outcome.failure is None
    assert outcome.steps == ("sum", "square")
    measured = measurement(outcome, "sum")
    assert 0 < measured.low <= measured.value <= measured.high < 1
    assert measured.metadata["index_distribution"] == "uniform"
    for fact in (
        "threads",
        "cpus",
        "wait_policy",
        "huge_pages",
        "load_before",
        "torch_version",
        "isa_ATen",
        "peak_bytes",
    ):
        assert measured.metadata[fact] is not None, fact
    assert latency(outcome, "sum").p99 >= latency(outcome, "sum").p50
    assert operators(outcome, "sum", measured) is None


def test_outputs_are_compared_with_the_baseline(runs: Runs) -> None:
    same, other = output_check(runs, "plain"), output_check(runs, "other")
    assert same is not None
    assert other is not None
    assert (same.difference, same.agrees) == (0, True)
    assert (other.difference, other.agrees) == (0.25, False)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("crash", "crashed with SIGSEGV"),
        ("mistake", "table 'a': 0 rows"),
        ("nothing", "returned int; it must be a Workload"),
        ("ends", "ended with code 7: a last word"),
        ("out_of_memory", "not enough memory"),
        ("missing", "has no attribute 'missing'"),
        ("crowd", "10000 threads; this process may use"),
        ("far", "pinned to processors \\[9999\\]"),
        ("wide", "'avx1024'; known are native, scalar"),
    ],
)
def test_what_fails_says_why_and_the_rest_goes_on(runs: Runs, name: str, reason: str) -> None:
    outcome = runs.outcome(name)
    assert outcome.failure is not None
    with pytest.raises(HotrowError, match=reason):
        measurement(outcome, "sum")


def test_a_planted_hang_is_caught_with_its_stack() -> None:
    plan = Plan(processes=2, seconds=0.0, patience=0.0, least=3, deadline=4)
    outcome = run([configuration("hang", "hang")], plan).outcome("hang")
    assert outcome.failure is not None
    assert "hung: not done after 4 s" in outcome.failure.reason
    assert "planted_hang" in (outcome.failure.stack or "")


def test_ctrl_c_keeps_what_is_finished() -> None:
    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(Stopped) as caught:
        run([configuration("plain"), configuration("other")], QUICK, advance=stop)
    assert sorted(len(outcome.processes) for outcome in caught.value.runs.outcomes) == [0, 1]
    assert caught.value.runs.baseline == "plain"


def test_killed_for_memory() -> None:
    made = run_once(configuration("killed", "crash", arguments={"number": int(signal.SIGKILL)}), QUICK)
    assert isinstance(made, Failure)
    assert "runs out of memory" in made.reason


def test_traced_steps_come_with_their_operators() -> None:
    plan = Plan(processes=1, seconds=0.0, patience=0.0, least=3, traced=2)
    traced = Configuration("relu", "hotrow.profiling.operators:elementwise", {"numbers": 1000}, wait_policy="passive")
    outcome = run([traced], plan).outcome("relu")
    made = operators(outcome, "relu", measurement(outcome, "relu"))
    assert made is not None
    assert any("clamp_min" in part.name for part in made.operators)
    assert measurement(outcome, "relu").metadata["wait_policy"] == "passive"


def made(name: str, times: dict[int, list[float]], clean: bool = True) -> Outcome:
    def process(number: int, wall: list[float]) -> Process:
        steps = [StepRun("s", wall, wall, [clean] * len(wall), 1)]
        return Process(number, Result(steps, [Verified("ATen", "avx2", "AVX2", "asked", True)]))

    return Outcome(configuration(name), tuple(process(k, wall) for k, wall in times.items()))


def test_ratios_pair_the_processes_of_a_round() -> None:
    base = made("base", {0: [1.0] * 3, 1: [10.0] * 3, 2: [2.0] * 3})
    half = made("half", {0: [0.5] * 3, 1: [5.0] * 3, 2: [1.0] * 3})
    ratio = speedup(Runs((base, half), "base"), "half", "s")
    assert (ratio.low, ratio.value, ratio.high, ratio.n) == (2, 2, 2, 3)
    assert not ratio.metadata["contended"]
    assert measurement(half, "s").value == 1.0
    assert measurement(half, "s").metadata["isa_ATen"] == "AVX2"


def test_a_ratio_of_one_round_has_the_interval_of_its_repeats() -> None:
    base, other = made("base", {0: [1.0, 2.0, 3.0]}), made("other", {0: [1.0, 1.0, 1.0]})
    ratio = speedup(Runs((base, other), "base"), "other", "s")
    assert (ratio.low, ratio.value, ratio.high, ratio.n) == (1, 2, 3, 1)
    assert "repeats of one round" in str(ratio.metadata["statistic"])


def test_rounds_that_were_never_undisturbed_together_are_contended() -> None:
    def half_clean(name: str, clean: set[int]) -> Outcome:
        processes = [made(name, {k: [1.0 + k] * 3}, k in clean).processes[0] for k in range(6)]
        return Outcome(configuration(name), tuple(processes))

    runs = Runs((half_clean("base", {0, 1, 2}), half_clean("other", {3, 4, 5})), "base")
    ratio = speedup(runs, "other", "s")
    assert (ratio.value, ratio.n, ratio.metadata["contended"]) == (1.0, 6, True)


def test_one_process_has_an_interval_of_its_repeats() -> None:
    alone = measurement(made("alone", {0: [1.0, 2.0, 2.0, 3.0]}), "s")
    assert alone.low < alone.value == 2 < alone.high
    assert "repeats of one process" in str(alone.metadata["statistic"])


def test_too_few_undisturbed_repeats_are_called_contended() -> None:
    times = {0: [1.0, 2.0, 3.0], 1: [1.0, 2.0, 3.0], 2: [1.0, 2.0, 3.0]}
    assert measurement(made("a", times), "s", "p25").metadata["contended"] is False
    assert measurement(made("a", times), "s", "p25").value == 1.5
    assert measurement(made("a", times, clean=False), "s").metadata["contended"] is True


def test_the_environment_holds_only_what_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for knob in KNOBS:
        monkeypatch.setenv(knob, "left over")
    free = Configuration("free", "a:b").variables()
    assert {knob: free[knob] for knob in KNOBS if knob in free} == {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    bound = Configuration("bound", "a:b", isa="avx2", wait_policy="passive", huge_pages=True).variables()
    assert bound["OMP_WAIT_POLICY"] == "PASSIVE"
    assert bound["THP_MEM_ALLOC_ENABLE"] == "1"
    assert bound["FBGEMM_ENABLE_INSTRUCTIONS"] == "AVX2"


def test_what_the_runner_refuses() -> None:
    one = configuration("one")
    for configurations, baseline, message in (
        ([], None, "at least one"),
        ([one, one], None, "names must differ"),
        ([one], "two", "baseline 'two'"),
    ):
        with pytest.raises(HotrowError, match=message):
            run(configurations, QUICK, baseline)
    with pytest.raises(HotrowError, match="module:function"):
        Configuration("bad", "module")
    with pytest.raises(HotrowError, match="0 processes"):
        Plan(processes=0)
    with pytest.raises(HotrowError, match="deadline"):
        Plan(deadline=0)


def test_processors_and_file_names() -> None:
    assert len(least_busy(1, watch=0.0)) == 1
    assert file_name("batch 16/forward") == "batch-16-forward"
    assert np.isfinite(Plan().seconds)
