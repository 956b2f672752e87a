"""Steps: inference leaves weights alone, training lowers the loss, both say their parts to a profiler."""

import pytest
import torch

from hotrow import HotrowError
from hotrow.models.config import ModelConfig, TableConfig
from hotrow.models.dlrm import DLRM
from hotrow.models.inputs import Batches, uniform_trace
from hotrow.models.loss import click_loss
from hotrow.models.roles import PREFIX, role
from hotrow.models.workload import forward_step, training_step

CONFIG = ModelConfig("m", 2, (4, 2), (4, 1), "dot", (TableConfig("a", 10, 2), TableConfig("b", 5, 2, 2.5)))


def ranges(step: object) -> list[str]:
    assert callable(step)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        step()
    events = sorted((e for e in profiler.events() if e.name.startswith(PREFIX)), key=lambda e: e.time_range.start)
    return [e.name.removeprefix(PREFIX) for e in events]


def test_forward_goes_through_the_batches_and_changes_nothing() -> None:
    model, batches = DLRM(CONFIG), Batches(CONFIG, uniform_trace(CONFIG, 6), 2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    step = forward_step(model, batches)
    results = [step() for _ in range(4)]
    assert torch.equal(results[0], results[3])
    assert not torch.equal(results[0], results[1])
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert ranges(step) == ["data", "check", "bottom", "embedding", "interaction", "top", "top"]


@pytest.mark.parametrize("loss", ["mse", "bce", "wbce"])
def test_training_lowers_the_loss(loss: str) -> None:
    model, batches = DLRM(CONFIG), list(Batches(CONFIG, uniform_trace(CONFIG, 4), 4))
    step = training_step(model, batches, rate=0.5, loss=loss)  # type: ignore[arg-type]
    losses = [step().item() for _ in range(30)]
    assert losses[-1] < 0.9 * losses[0]
    parts = ["data", "check", "bottom", "embedding", "interaction", "top", "top", "loss", "backward", "optimizer"]
    assert ranges(step) == parts


def test_losses_by_hand() -> None:
    probability, label = torch.tensor([0.9, 0.2]), torch.tensor([1.0, 0.0])
    assert click_loss(probability, label, "mse").item() == pytest.approx((0.01 + 0.04) / 2)
    entropy = -torch.log(torch.tensor([0.9, 0.8]))
    assert click_loss(probability, label).item() == pytest.approx(entropy.mean().item())
    weighted = click_loss(probability, label, "wbce", weights=(3.0, 0.5)).item()
    assert weighted == pytest.approx((0.5 * entropy[0] + 3 * entropy[1]).item() / 2)
    clamped = click_loss(torch.tensor([1.0]), torch.tensor([0.0]), threshold=0.25).item()
    assert clamped == pytest.approx(-torch.log(torch.tensor(0.25)).item())


def test_what_a_loss_refuses() -> None:
    one = torch.ones(1)
    with pytest.raises(HotrowError, match="unknown loss 'hinge'; known are mse, bce, wbce"):
        click_loss(one, one, "hinge")  # type: ignore[arg-type]
    with pytest.raises(HotrowError, match=r"threshold 0\.5"):
        click_loss(one, one, threshold=0.5)


def test_no_batches() -> None:
    with pytest.raises(HotrowError, match="no batches"):
        forward_step(DLRM(CONFIG), [])()


def test_a_role_is_free_while_nobody_watches() -> None:
    assert role("a") is role("b")
