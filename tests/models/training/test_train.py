"""Training: accumulation, points, tests, goals, plateaus and a loss that is no number."""

import numpy as np
import pytest
import torch

from hotrow import HotrowError
from hotrow.models.config import ModelConfig, TableConfig
from hotrow.models.data.distributions import Pooling
from hotrow.models.data.random_source import RandomSource
from hotrow.models.data.source import Columns, TraceSource
from hotrow.models.dlrm import DLRM
from hotrow.models.training.evaluation import evaluate, infer
from hotrow.models.training.schedule import Plateau, Schedule
from hotrow.models.training.train import Trainer, Training

CONFIG = ModelConfig("m", 3, (5, 4), (6, 1), "dot", (TableConfig("a", 9, 4), TableConfig("b", 30, 4)))


def source(samples: int = 22, size: int = 4, seed: int = 0, order: str = "total") -> TraceSource:
    drawn = RandomSource(CONFIG, samples, size, seed, (Pooling(), Pooling(4, True)), round_labels=True)
    return TraceSource(CONFIG, Columns.of(drawn.trace()), size, seed, order)  # type: ignore[arg-type]


def trained(training: Training, data: TraceSource, test: TraceSource | None = None) -> Trainer:
    trainer = Trainer(DLRM(CONFIG, 0), data, training, test)
    list(trainer.run())
    return trainer


@pytest.mark.parametrize("kind", ["sgd", "adagrad", "rwsadagrad"])
def test_accumulated_batches_are_one_batch(kind: str) -> None:
    whole = trained(Training(Schedule(0.3), 2, kind), source(22, 12, order="none"))  # type: ignore[arg-type]
    parts = trained(Training(Schedule(0.3), 2, kind, accumulate=3), source(22, 4, order="none"))  # type: ignore[arg-type]
    assert whole.progress.steps == parts.progress.steps == 4
    for a, b in zip(whole.model.parameters(), parts.model.parameters(), strict=True):
        np.testing.assert_allclose(a.detach(), b.detach(), rtol=1e-4, atol=1e-5)


def test_points_are_means_over_samples_and_lose_nothing() -> None:
    every = trained(Training(Schedule(0.1), 2), source()).progress.points
    some = trained(Training(Schedule(0.1), 2, report_every=4), source()).progress.points
    assert [(p.epoch, p.batch) for p in some] == [(0, 4), (0, 6), (1, 4), (1, 6)]
    weights = [4, 4, 4, 4, 4, 2] * 2
    losses = [p.loss for p in every]
    for k, (start, stop) in enumerate(((0, 4), (4, 6), (6, 10), (10, 12))):
        assert some[k].loss == pytest.approx(np.average(losses[start:stop], weights=weights[start:stop]))


def test_tests_change_no_number() -> None:
    with_tests = trained(Training(Schedule(0.1), 2, test_every=2), source(), source(9, 3, 5, "none"))
    without = trained(Training(Schedule(0.1), 2), source())
    assert with_tests.progress.points == without.progress.points
    assert [(t.epoch, t.batch) for t in with_tests.progress.tests] == [(e, b) for e in (0, 1) for b in (2, 4, 6)]
    best = [t.metrics.accuracy for t in with_tests.progress.tests if t.best]
    assert best == sorted(set(best))
    assert with_tests.progress.best == best[-1]


def test_a_goal_ends_the_training() -> None:
    training = Training(Schedule(0.1), 5, test_every=2, goals=(("accuracy", 0.0),))
    trainer = trained(training, source(), source(9, 3, 5))
    assert trainer.progress.reached == "accuracy"
    assert trainer.progress.batch == 2
    assert list(trainer.run()) == []


def test_a_plateau_lowers_the_rate() -> None:
    training = Training(Schedule(2.0), 3, test_every=1, plateau=Plateau(0.5, 0))
    trainer = trained(training, source(), source(9, 3, 5))
    rates = [p.rate for p in trainer.progress.points]
    assert rates[0] == 2.0
    assert rates[-1] < 2.0
    assert rates == sorted(rates, reverse=True)


def test_a_loss_that_is_no_number_ends_in_one_line() -> None:
    trainer = Trainer(DLRM(CONFIG, 0), source(), Training(Schedule(1.0)))
    trainer.model.top[0].weight.data.fill_(float("nan"))
    with pytest.raises((HotrowError, RuntimeError)):
        list(trainer.run())
    with pytest.raises(HotrowError, match=r"the loss is (nan|inf) at epoch 0, batch \d; lower --learning-rate"):
        list(Trainer(DLRM(CONFIG, 0), source(), Training(Schedule(1e30), loss="mse", epochs=9)).run())


def test_evaluation_leaves_everything_as_it_was() -> None:
    model = DLRM(CONFIG, 0)
    model.bottom[0].weight.requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    metrics = evaluate(model, source(9, 4, 5, "none"))
    assert metrics.samples == 9
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert [p.requires_grad for p in model.bottom[0].parameters()] == [False, True]
    parts = [made.probability for made in infer(model, source(9, 4, 5, "none"))]
    (whole,) = [made.probability for made in infer(model, source(9, 9, 5, "none"))]
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"epochs": 0}, "epochs is 0"),
        ({"accumulate": 0}, "accumulate is 0"),
        ({"best_by": "recall"}, "unknown metric 'recall'"),
        ({"plateau": Plateau()}, "a plateau is seen in tests"),
    ],
)
def test_what_is_refused(change: dict, rule: str) -> None:
    with pytest.raises(HotrowError, match=rule):
        Training(Schedule(0.1), **change)
