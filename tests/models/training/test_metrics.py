"""Metrics: exact AUC against all pairs, and a stream against the whole."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow import HotrowError
from hotrow.models.training.metrics import StreamingMetrics, auc, better, known

SAMPLES = st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0]), st.booleans()), min_size=1, max_size=40)


def all_pairs(probability: np.ndarray, label: np.ndarray) -> float | None:
    clicks, others = probability[label > 0.5], probability[label <= 0.5]
    if not len(clicks) or not len(others):
        return None
    above = (clicks[:, None] > others).sum() + 0.5 * (clicks[:, None] == others).sum()
    return float(above) / len(clicks) / len(others)


@settings(max_examples=60, deadline=None)
@given(SAMPLES)
def test_auc_counts_pairs(samples: list[tuple[float, bool]]) -> None:
    probability, label = (np.array(column, np.float32) for column in zip(*samples, strict=True))
    expected = all_pairs(probability, label)
    assert auc(probability, label) == (None if expected is None else pytest.approx(expected))


def test_floats_sort_as_they_should() -> None:
    rng = np.random.default_rng(0)
    probability = np.concatenate([rng.random(500), 10.0 ** -rng.uniform(0, 40, 500), [0.0, -0.0, 1.0]])
    label = (rng.random(len(probability)) < 0.4).astype(np.float32)
    assert auc(probability.astype(np.float32), label) == pytest.approx(all_pairs(probability.astype(np.float32), label))


@settings(max_examples=30, deadline=None)
@given(SAMPLES, st.integers(1, 7))
def test_a_stream_gives_what_the_whole_gives(samples: list[tuple[float, bool]], size: int) -> None:
    probability, label = (np.array(column, np.float32) for column in zip(*samples, strict=True))
    whole, stream = StreamingMetrics(), StreamingMetrics()
    error = (probability - label) ** 2
    whole.add(probability, label, float(error.mean()))
    for start in range(0, len(label), size):
        part = slice(start, start + size)
        stream.add(probability[part], label[part], float(error[part].mean()))
    a, b = whole.result(), stream.result()
    assert (a.samples, a.accuracy, a.auc) == (b.samples, b.accuracy, b.auc)
    assert a.loss == pytest.approx(b.loss, rel=1e-6)
    assert a.normalised_entropy == (None if b.normalised_entropy is None else pytest.approx(b.normalised_entropy))


def test_by_hand() -> None:
    metrics = StreamingMetrics()
    metrics.add(np.array([0.9, 0.2, 0.6, 0.4], np.float32), np.array([1, 0, 0, 1], np.float32), 0.5)
    result = metrics.result()
    assert result.accuracy == 0.5
    assert result.auc == 0.75
    log_loss = -(math.log(0.9) + math.log(0.8) + math.log(0.4) + math.log(0.4)) / 4
    assert result.normalised_entropy == pytest.approx(log_loss / math.log(2), rel=1e-6)


def test_always_saying_the_share_has_entropy_one() -> None:
    label = np.array([1, 0, 0, 0], np.float32)
    metrics = StreamingMetrics()
    metrics.add(np.full(4, 0.25, np.float32), label, 0.0)
    assert metrics.result().normalised_entropy == pytest.approx(1)
    assert metrics.result().auc == 0.5


def test_one_class_has_no_auc_and_counts_as_the_worst() -> None:
    metrics = StreamingMetrics()
    metrics.add(np.ones(2, np.float32), np.zeros(2, np.float32), 1.0)
    result = metrics.result()
    assert result.auc is None
    assert result.normalised_entropy is None
    assert result.value("auc") == -math.inf
    assert result.value("normalised_entropy") == math.inf
    assert auc(np.ones(2, np.float32), np.ones(2, np.float32)) is None


def test_names() -> None:
    assert better("auc", 0.8, 0.7)
    assert better("loss", 0.1, 0.2)
    with pytest.raises(HotrowError, match="unknown metric 'recall'; known are loss, accuracy"):
        known("recall")
    with pytest.raises(HotrowError, match="no samples"):
        StreamingMetrics().result()
