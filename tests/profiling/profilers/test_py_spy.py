"""Sampling from outside: a spinning step's stacks, its cost, and what is said where looking is refused."""

import json
from pathlib import Path

import pytest

from hotrow import HotrowError
from hotrow.profiling.processes.configuration import Configuration
from hotrow.profiling.processes.watchdog import denied
from hotrow.profiling.profilers import py_spy
from hotrow.profiling.profilers.py_spy import perf_symbols, sample, speedscope
from hotrow.profiling.profilers.stacks import GENERATED, collapsed, python_share, within_step

RELU = Configuration("relu", "hotrow.profiling.operators:elementwise", {"numbers": 100_000})


@pytest.fixture(scope="module")
def profile() -> py_spy.StackProfile:
    return sample(RELU, "sigmoid", seconds=1)


def test_a_spinning_step_is_seen(profile: py_spy.StackProfile) -> None:
    assert profile.samples > 10
    assert not any("spin.py" in frame for stack in profile.stacks if len(stack) > 1 for frame in stack)
    assert profile.overhead.value > 0
    assert 0 <= (profile.gil_share or 0) <= 1
    assert profile.name == "sigmoid"
    if profile.native:
        assert 0 <= (profile.python_share or 0) <= 1


def test_speedscope_holds_every_sample(profile: py_spy.StackProfile) -> None:
    made = json.loads(json.dumps(speedscope(profile)))
    (one,) = made["profiles"]
    assert sum(one["weights"]) * profile.rate == pytest.approx(profile.samples)
    assert max(k for stack in one["samples"] for k in stack) == len(made["shared"]["frames"]) - 1


def test_raw_stacks() -> None:
    stacks = collapsed("a (x.py:1);b (libtorch.so) 3\na (x.py:1) 1\n\nnonsense\n")
    assert stacks == {("a (x.py:1)", "b (libtorch.so)"): 3, ("a (x.py:1)",): 1}
    assert python_share(stacks) == 0.25
    assert collapsed("a;0x7f7ce18200da (?) 3\na;0x7f7ce18200d5 (?) 1\n") == {("a", GENERATED): 4}
    assert python_share({("f (libpython3.11.so.1.0)",): 1}) == 1
    assert python_share({}) is None


def test_perf_lines() -> None:
    text = "  12.50%  libtorch_cpu.so  [.] at::native::relu     -      -\n   0.10%  [kernel]  [k] schedule\nnothing\n"
    assert [(s.share, s.library, s.name) for s in perf_symbols(text)] == [
        (0.125, "libtorch_cpu.so", "at::native::relu"),
        (0.001, "[kernel]", "schedule"),
    ]
    text = (
        "  25.37%  [JIT] tid 22635  [.] 0x00007f9d820530e2   -  -\n  14.11%  [JIT] tid 22635  [.] 0x00007f9d82053101\n"
    )
    (generated,) = perf_symbols(text)
    assert (generated.name, generated.library) == (GENERATED, "[JIT] tid 22635")
    assert generated.share == pytest.approx(0.3948)


def test_refusals(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert "ptrace_scope" in str(denied("Error: Permission denied (os error 13)"))
    assert denied("all is well") is None
    with pytest.raises(HotrowError, match="10000 threads"):
        sample(Configuration("crowd", "a:b", threads=10_000))
    with pytest.raises(HotrowError, match=r"not ready to be sampled: .*no_such_module"):
        sample(Configuration("missing", "no_such_module:f"))
    refusing = tmp_path / "py-spy"
    refusing.write_text("#!/bin/sh\necho 'Error: Operation not permitted (os error 1)' >&2\nexit 1\n")
    refusing.chmod(0o755)
    monkeypatch.setattr(py_spy, "py_spy", lambda: refusing)
    with pytest.raises(HotrowError, match="needs permission to trace"):
        sample(RELU, seconds=0.1)
    monkeypatch.setattr(py_spy, "py_spy", lambda: None)
    with pytest.raises(HotrowError, match="not installed"):
        sample(RELU)


def test_stacks_begin_at_the_step() -> None:
    found = within_step(
        {
            ("_start", "main (a.c)", "main (/x/spin.py:40)", "step (w.py:3)", "gemm"): 3,
            ("main (spin.py:40)", "step (w.py:3)", "gemm"): 2,
            ("main (spin.py:41)",): 1,
            ("lost", "gemm"): 4,
        }
    )
    assert found == {("step (w.py:3)", "gemm"): 5, ("main (spin.py:41)",): 1, ("lost", "gemm"): 4}
