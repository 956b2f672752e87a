"""Metrics of click predictions: loss, accuracy, AUC and normalised entropy, from a stream of batches."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ... import HotrowError
from ...jit import kernel

Metric = Literal["loss", "accuracy", "auc", "normalised_entropy"]
LARGER_IS_BETTER = frozenset({"accuracy", "auc"})
LOG_FLOOR = -100.0  # of a logarithm, as in torch's binary cross-entropy


@dataclass(frozen=True)
class Metrics:
    """How well predictions fit their labels.

    loss: mean of the training loss. accuracy: share of samples on whose side of 0.5 the prediction lies. auc: area
    under the ROC curve, ties count half. normalised_entropy: log loss over the log loss of always saying the share of
    clicks (He et al. 2014, Practical Lessons from Predicting Clicks on Ads at Facebook); below 1 is better than that.
    The last two are None where only one class occurs. A label above 0.5 is a click.
    """

    samples: int
    loss: float
    accuracy: float
    auc: float | None
    normalised_entropy: float | None

    def value(self, metric: Metric) -> float:
        """The metric of that name, the worst possible where it is not defined."""
        value: float | None = getattr(self, known(metric))
        if value is None or math.isnan(value):
            return -math.inf if metric in LARGER_IS_BETTER else math.inf
        return value


def known(metric: str) -> Metric:
    """`metric` if there is one of that name; HotrowError otherwise."""
    for name in get_args(Metric):
        if name == metric:
            return name  # type: ignore[no-any-return]
    raise HotrowError(f"unknown metric {metric!r}; known are {', '.join(get_args(Metric))}")


def better(metric: Metric, value: float, than: float) -> bool:
    """Whether `value` of `metric` is better than another."""
    return value > than if metric in LARGER_IS_BETTER else value < than


class StreamingMetrics:
    """Metrics of batches as they come; keeps 4 bytes per sample, which the exact AUC needs."""

    def __init__(self) -> None:
        self._samples = self._right = self._clicks = 0
        self._loss = self._log_loss = 0.0
        self._keys: list[NDArray[np.uint32]] = []

    def add(self, probability: NDArray[np.float32], label: NDArray[np.float32], loss: float) -> None:
        """Take a batch: probabilities and labels [samples], and the batch's mean loss."""
        click = label > 0.5
        self._samples += len(label)
        self._clicks += int(np.count_nonzero(click))
        self._right += int(np.count_nonzero((probability > 0.5) == click))
        self._loss += loss * len(label)
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.log(np.where(click, probability, 1 - probability), dtype=np.float64)
        self._log_loss -= float(np.maximum(logs, LOG_FLOOR).sum())
        self._keys.append(_keys(probability, click))

    def result(self) -> Metrics:
        """The metrics of everything added; HotrowError if that is nothing."""
        n = self._samples
        if not n:
            raise HotrowError("no samples to evaluate on; give some test data")
        auc = entropy = None
        if 0 < self._clicks < n:
            auc = _auc(np.sort(np.concatenate(self._keys)), self._clicks)
            share = self._clicks / n
            base = -(share * math.log(share) + (1 - share) * math.log(1 - share))
            entropy = self._log_loss / n / base
        return Metrics(n, self._loss / n, self._right / n, auc, entropy)


def auc(probability: NDArray[np.float32], label: NDArray[np.float32]) -> float | None:
    """Area under the ROC curve of probabilities [samples] in [0, 1], ties counted half; None for one class only."""
    click = np.asarray(label) > 0.5
    clicks = int(np.count_nonzero(click))
    if not 0 < clicks < len(click):
        return None
    return _auc(np.sort(_keys(np.asarray(probability, np.float32), click)), clicks)


def _keys(probability: NDArray[np.float32], click: NDArray[np.bool_]) -> NDArray[np.uint32]:
    """Probability and click in 32 bits that sort as the probabilities: floats that are not negative sort as bits do."""
    bits = np.abs(np.ascontiguousarray(probability, np.float32)).view(np.uint32)  # of -0.0 too
    return bits << np.uint32(1) | click


def _auc(keys: NDArray[np.uint32], clicks: int) -> float:
    return float(_pairs_in_order(keys)) / clicks / (len(keys) - clicks)


@kernel
def _pairs_in_order(keys: Any) -> float:
    """Pairs of a click above a non-click, ties counted half, from sorted keys."""
    pairs = 0.0
    below = 0
    position = 0
    while position < len(keys):
        score = keys[position] >> 1
        clicks = others = 0
        while position < len(keys) and keys[position] >> 1 == score:
            if keys[position] & 1:
                clicks += 1
            else:
                others += 1
            position += 1
        pairs += clicks * (below + 0.5 * others)
        below += others
    return pairs
