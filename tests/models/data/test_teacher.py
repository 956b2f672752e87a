"""The planted teacher: its best AUC is right, and a model learns up to it."""

import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.models.config import ModelConfig, TableConfig
from hotrow.models.data.distributions import Pooling
from hotrow.models.data.source import Columns, TraceSource
from hotrow.models.data.teacher import Teacher, expected_auc, planted_log
from hotrow.models.dlrm import DLRM
from hotrow.models.training.evaluation import infer
from hotrow.models.training.metrics import auc
from hotrow.models.training.schedule import Schedule
from hotrow.models.training.train import Trainer, Training
from hotrow.profiling.timer import threads_set


def test_training_reaches_the_best_auc() -> None:
    samples, kept, size, epochs = 290_000, 250_000, 512, 3
    teacher = Teacher(rows=(60, 40, 20))
    log = planted_log(teacher, samples, seed=1)
    tables = tuple(TableConfig(table.name, table.rows, 8) for table in log.trace.tables)
    config = ModelConfig("student", teacher.dense, (32, 8), (64, 32, 1), "dot", tables)
    columns = Columns.of(log.trace)
    steps = epochs * kept // size
    training = Training(Schedule(0.03, decay_start=steps // 2, decay_steps=steps // 2), epochs, "adagrad")
    trainer = Trainer(DLRM(config, 0), TraceSource(config, columns.between(0, kept), size, 0, "total"), training)
    test = TraceSource(config, columns.between(kept, samples), 4096)
    with threads_set(1):  # more than one only wait for each other in so small a model
        list(trainer.run())
        scores = np.concatenate([made.probability for made in infer(trainer.model, test)])
    truth = log.probability[kept:]
    reached, best = expected_auc(scores, truth), expected_auc(truth, truth)
    assert best - 0.003 < reached < best
    assert abs(best - log.best_auc) < 0.01


@pytest.mark.parametrize("poolings", [None, (Pooling(3), Pooling(4, True))])
def test_the_expected_auc_is_what_labels_give(poolings: tuple[Pooling, ...] | None) -> None:
    log = planted_log(Teacher(rows=(30, 20), poolings=poolings), 60_000, seed=2)
    assert log.trace.label is not None
    assert auc(log.probability.astype(np.float32), log.trace.label) == pytest.approx(log.best_auc, abs=0.006)
    assert log.trace.label.mean() == pytest.approx(log.probability.mean(), abs=0.01)
    assert planted_log(Teacher(rows=(30, 20), poolings=poolings), 60_000, seed=2).trace.equals(log.trace)


def test_expected_auc_counts_pairs() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        n = rng.integers(2, 9)
        scores, p = rng.integers(0, 4, n).astype(float), rng.random(n)
        above = total = 0.0
        for i in range(n):
            for j in range(n):
                if i != j:
                    weight = p[i] * (1 - p[j])
                    total += weight
                    above += weight * (1 if scores[i] > scores[j] else 0.5 if scores[i] == scores[j] else 0)
        assert expected_auc(scores, p) == pytest.approx(above / total)
    with pytest.raises(ValueError, match="no two samples"):
        expected_auc(np.ones(3), np.zeros(3))


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"rows": ()}, "tables of"),
        ({"dense": 0}, "0 dense"),
        ({"pairs": 2}, "pairs 2"),
        ({"poolings": (Pooling(),)}, "bag sizes of 1"),
    ],
)
def test_what_is_refused(change: dict, rule: str) -> None:
    with pytest.raises(HotrowError, match=rule):
        Teacher(**change)
