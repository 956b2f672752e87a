"""Losses between click probabilities and labels."""

from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy, mse_loss

from .. import HotrowError

Loss = Literal["mse", "bce", "wbce"]


def click_loss(
    probability: Tensor,
    label: Tensor,
    kind: Loss = "bce",
    weights: tuple[float, float] = (1.0, 1.0),
    threshold: float = 0.0,
) -> Tensor:
    """Mean loss over the samples, a scalar.

    mse: squared error. bce: binary cross-entropy. wbce: the same with weights[0] on samples labelled 0 and
    weights[1] on those labelled 1. A threshold t above 0 clamps the probability to [t, 1 − t] first.
    """
    if kind not in get_args(Loss):
        raise HotrowError(f"unknown loss {kind!r}; known are {', '.join(get_args(Loss))}")
    if not 0 <= threshold < 0.5:
        raise HotrowError(f"loss threshold {threshold}; it must be at least 0 and below 0.5")
    if threshold:
        probability = probability.clamp(threshold, 1 - threshold)
    if kind == "mse":
        return mse_loss(probability, label)
    if kind == "bce":
        return binary_cross_entropy(probability, label)
    by_class = torch.tensor(weights, dtype=probability.dtype, device=probability.device)[label.long()]
    return binary_cross_entropy(probability, label, weight=by_class)
