"""Batches on their way to a device: moved whole, or copied to where a graph reads them, if their shapes agree."""

import pytest
import torch

from hotrow import HotrowError
from hotrow.experiments.measured.on_cuda import Moved, copied_step, graph_step, moved
from hotrow.models.config import ModelConfig, TableConfig
from hotrow.models.dlrm import DLRM
from hotrow.models.inputs import Batch, Batches, uniform_trace


def batches(pooling: float) -> tuple[ModelConfig, list]:
    config = ModelConfig("tiny", 4, (8, 4), (8, 1), "dot", (TableConfig("a", 50, 4, pooling),))
    return config, list(Batches(config, uniform_trace(config, 16), 4))


def test_every_batch_reaches_the_place_that_is_read() -> None:
    config, made = batches(1)
    model = DLRM(config).requires_grad_(False)
    results: list[torch.Tensor] = []
    wanted = [model(b.dense, b.indices, b.offsets) for b in made]
    first = made[0]
    place = Batch(
        first.dense.clone(),
        tuple(x.clone() for x in first.indices),
        tuple(x.clone() for x in first.offsets),
        first.label,
    )

    def replay() -> None:
        results.append(model(place.dense, place.indices, place.offsets))

    step = copied_step(made, place, replay, lambda: results[-1])
    for expected in [*wanted, wanted[0]]:
        assert torch.equal(step(), expected)
    assert torch.equal(moved(first, "cpu").dense, first.dense)


def test_bags_that_vary_are_refused() -> None:
    _, made = batches(2.5)
    with pytest.raises(HotrowError, match="batches of one shape"):
        copied_step(made, made[0], lambda: None, lambda: made[0].dense)


def test_moved_batches_go_round_again() -> None:
    _, made = batches(1)
    there = Moved("cpu", made)
    assert [torch.equal(a.dense, b.dense) for _ in range(2) for a, b in zip(there, made, strict=True)] == [True] * 8


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_replayed_graph_agrees_with_the_model() -> None:
    config, made = batches(1)
    model = DLRM(config).requires_grad_(False)
    wanted = [model(b.dense, b.indices, b.offsets) for b in made]
    step = graph_step(model.to("cuda"), made)
    for expected in wanted:
        torch.testing.assert_close(step().cpu(), expected, rtol=1e-4, atol=1e-5)
