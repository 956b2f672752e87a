"""What-if curves of a prediction: seconds of a step over one thing at a time, the rest as it is."""

from __future__ import annotations

from ...analysis.predict import predict
from ...analysis.prediction.costs import Coefficients
from ...analysis.prediction.operators import Setting
from ...analysis.prediction.vary import AXES, vary
from .command import Answer

FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)


def curves_of(found: Answer) -> dict[str, list[tuple[float, float]]]:
    """By axis: factors of what the machine, the setting or the middle batch has, and predicted seconds of a step."""
    middle, config = found.middle, found.config
    traffic = found.traffic[middle.batch]

    def step(costs: Coefficients, setting: Setting = middle.setting) -> float:
        return predict(config, traffic, costs, middle.mode, setting).seconds

    axes = [axis for axis in AXES if axis != "cores" and (axis != "SIMD width" or found.costs.kind == "cpu")]
    curves: dict[str, list[tuple[float, float]]] = {
        axis: [(factor, step(vary(found.costs, axis, factor))) for factor in FACTORS] for axis in axes
    }
    curves["batch"] = [(made.batch / middle.batch, made.seconds) for made in found.predictions]
    if found.costs.kind == "cpu":
        own = middle.setting
        counts = [2**k * own.threads for k in range(12)]
        curves["threads"] = [
            (n / own.threads, step(found.costs, Setting(n, own.models)))
            for n in counts
            if n * own.models <= found.costs.cores and n <= 8 * own.threads
        ]
    return curves
