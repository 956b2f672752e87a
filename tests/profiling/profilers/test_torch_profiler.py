"""Operator profiles: every operator in its role, backward too, and nothing left on the terminal."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch._C._profiler import _RecordFunctionFast as RecordFunctionFast
from torch.profiler import record_function

from hotrow import HotrowError
from hotrow.profiling.measurement import OTHER, OperatorProfile
from hotrow.profiling.profilers import torch_profiler
from hotrow.profiling.profilers.attribution import PART
from hotrow.profiling.profilers.torch_profiler import profile_operators


def training() -> Callable[[], None]:
    """A step whose roles each use an operator of their own."""
    weight = torch.rand(64, 64, requires_grad=True)
    table = torch.rand(100, 64, requires_grad=True)
    rows, starts = torch.arange(100), torch.arange(0, 100, 2)
    dense = torch.rand(50, 64)
    optimizer = torch.optim.SGD([weight, table], lr=0.01)

    def step() -> None:
        with record_function("product"):
            x = dense @ weight
        with record_function("lookup"):
            y = torch.embedding_bag(table, rows, starts, sparse=True)[0]
        with record_function("joined"):
            z = torch.sigmoid(torch.cat([x, y], dim=1))
        with RecordFunctionFast(f"{PART}loss"):
            loss = z.square().mean()
        with record_function("backward"):
            loss.backward()
        with record_function("update"):
            optimizer.step()
            optimizer.zero_grad()

    return step


@pytest.fixture(scope="module")
def profile() -> OperatorProfile:
    return profile_operators("training", training(), seconds=0.05, traced=4, metadata={"model": "made up"})


def roles_of(profile: OperatorProfile, operator: str) -> set[str]:
    return {part.role for part in profile.operators if part.name == operator}


def test_operators_are_in_the_role_that_called_them(profile: OperatorProfile) -> None:
    assert roles_of(profile, "aten::_embedding_bag") == {"lookup"}
    assert roles_of(profile, "aten::cat") == {"joined"}
    assert roles_of(profile, "aten::mean") == {"loss"}
    assert "update" in roles_of(profile, "aten::add_")


def test_backward_is_split_by_the_role_of_the_forward_operator(profile: OperatorProfile) -> None:
    assert roles_of(profile, "MmBackward0") == {"product backward"}
    assert roles_of(profile, "EmbeddingBagBackward0") == {"lookup backward"}
    assert roles_of(profile, "aten::_embedding_bag_sparse_backward") == {"lookup backward"}
    assert roles_of(profile, "SigmoidBackward0") == roles_of(profile, "CatBackward0") == {"joined backward"}
    assert roles_of(profile, "PowBackward0") == {"loss backward"}
    assert roles_of(profile, "torch::autograd::AccumulateGrad") == {"product backward", "lookup backward"}
    assert roles_of(profile, "aten::mm") == {"product", "product backward"}


def test_calls_are_counted_per_step(profile: OperatorProfile) -> None:
    calls = {(part.name, part.role): part.calls for part in profile.operators}
    assert calls["aten::cat", "joined"] == 1
    assert calls["MmBackward0", "product backward"] == 1


def test_everything_sums_to_the_step(profile: OperatorProfile) -> None:
    for parts in (profile.roles, profile.operators):
        assert sum(part.share.value for part in parts) == pytest.approx(1)
        assert sum(part.seconds.value for part in parts) == pytest.approx(profile.total.value)
        assert [p.share.value for p in parts] == sorted((p.share.value for p in parts), reverse=True)
    assert profile.attributed == 1 - profile.role(OTHER).share.value
    assert 0 < profile.attributed < 1
    assert profile.overhead.unit == "ratio"
    assert profile.overhead.value > 0
    assert profile.total.metadata["model"] == "made up"


def test_a_step_without_ranges_is_all_other() -> None:
    x = torch.rand(8, 8)
    profile = profile_operators("plain", lambda: x @ x, seconds=0.01, traced=2)
    assert [part.role for part in profile.roles] == [OTHER]
    assert profile.attributed == 0


def test_nested_ranges_take_the_inner_name() -> None:
    x = torch.rand(8, 8)

    def step() -> None:
        with record_function("outer"):
            x.exp()
            with record_function("inner"):
                x.sin()

    profile = profile_operators("nested", step, seconds=0.01, traced=2)
    assert roles_of(profile, "aten::exp") == {"outer"}
    assert roles_of(profile, "aten::sin") == {"inner"}


def test_nothing_is_printed_and_threads_are_restored(capfd: pytest.CaptureFixture[str]) -> None:
    before = torch.get_num_threads()
    profile_operators("quiet", training(), threads=before + 1, seconds=0.01, traced=1)
    assert capfd.readouterr() == ("", "")
    assert torch.get_num_threads() == before


def test_the_chrome_trace_is_kept_and_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "steps.json"
    profile = profile_operators("kept", training(), seconds=0.01, traced=6, chrome_trace=path)
    whole = path.stat().st_size
    assert any("Chrome trace of" in note and "perfetto" in note for note in profile.notes)
    monkeypatch.setattr(torch_profiler, "TRACE_BYTES", whole // 2)
    profile = profile_operators("kept", training(), seconds=0.01, traced=6, chrome_trace=path)
    assert path.stat().st_size <= whole // 2
    assert any("product" in event.get("name", "") for event in json.loads(path.read_text())["traceEvents"])
    assert len(list(tmp_path.iterdir())) == 1


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HotrowError, match=r"ends in \.json"):
        profile_operators("bad", training(), seconds=0.01, traced=1, chrome_trace=tmp_path / "trace.txt")
    with pytest.raises(HotrowError, match="0 traced steps"):
        profile_operators("bad", training(), traced=0)


def test_an_error_in_the_step_comes_through() -> None:
    def step() -> None:
        raise RuntimeError("broken step")

    with pytest.raises(RuntimeError, match="broken step"):
        profile_operators("bad", step)
