"""An audit's arithmetic: the ε that draws of two neighbours prove."""

import math

import numpy as np
from scipy.stats import beta

CONFIDENCE = 1 - 1e-4


def proven_epsilon(scores: list[np.ndarray], trials: int) -> float:
    """A lower bound, at CONFIDENCE, of ε from likelihood-ratio scores of `trials` draws of either neighbour.

    The threshold comes from one half of the draws, the error rates (Clopper–Pearson) from the other.
    """
    half = trials // 2
    first, second = ([s[:half] for s in scores], [s[half:] for s in scores])
    thresholds = np.unique(np.quantile(np.concatenate(first), np.linspace(0.02, 0.98, 49)))
    return _bound(second, max(thresholds, key=lambda threshold: _bound(first, threshold)))


def _bound(scores: list[np.ndarray], threshold: float) -> float:
    alarms, hits = (int((s >= threshold).sum()) for s in scores)
    draws, tail = len(scores[0]), (1 - CONFIDENCE) / 2
    low = float(beta.ppf(tail, hits, draws - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - tail, alarms + 1, draws - alarms)) if alarms < draws else 1.0
    return math.log(low / high) if low > 0 else 0.0
