"""Question: how far can predictions be trusted? This host's, from its calibration, beside what was measured on it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...analysis.predict import predict
from ...analysis.prediction.calibrated import costs_of
from ...analysis.prediction.traffic import traffic_of
from ...models.config import ModelConfig
from ...profiling.machine import Machine
from ...tracegen.trace import Trace
from ..grid import Grid
from ..measured.profile_study import ModelProfile


@dataclass(frozen=True)
class Pair:
    """One step: seconds measured and predicted, each with the ends of its interval."""

    step: str
    measured: tuple[float, float, float]
    predicted: tuple[float, float, float]

    @property
    def error(self) -> float:
        """Predicted over measured, less 1."""
        return self.predicted[0] / self.measured[0] - 1

    @property
    def covered(self) -> bool:
        """Whether the measured value lies in the predicted interval."""
        return self.predicted[1] <= self.measured[0] <= self.predicted[2]


@dataclass(frozen=True)
class Trust:
    """Every measured step beside its prediction. how: calibrated, or datasheet."""

    machine: str
    how: str
    pairs: tuple[Pair, ...]

    @property
    def error(self) -> float:
        """exp(mean |ln(predicted / measured)|) − 1."""
        logs = [abs(math.log(1 + pair.error)) for pair in self.pairs]
        return math.exp(sum(logs) / len(logs)) - 1

    def grid(self) -> Grid:
        """One row per step."""
        rows = tuple(
            (
                pair.step,
                _milliseconds(pair.measured),
                _milliseconds(pair.predicted),
                f"{pair.error:+.0%}",
                "yes" if pair.covered else "no",
            )
            for pair in self.pairs
        )
        heads = ("step", "measured, ms (95 %)", "predicted, ms (90 %)", "error", "within the interval")
        return Grid(f"This host, {self.how}: predicted beside measured", heads, rows, "predicted")


def compared(trace: Trace, config: ModelConfig, machine: Machine, profile: ModelProfile) -> Trust:
    """Predict each of the profile's steps for `machine`, which is the host that they were measured on."""
    costs = costs_of(machine)
    pairs = []
    for step in profile.steps:
        traffic = traffic_of(trace, config, step.batch)
        made = predict(config, traffic, costs, "training" if step.mode == "training" else "inference")
        total = step.total
        pairs.append(
            Pair(
                f"{step.mode} {step.batch}",
                (total.value, total.low, total.high),
                (made.seconds, made.low, made.high),
            )
        )
    return Trust(machine.name, costs.mode, tuple(pairs))


def _milliseconds(interval: tuple[float, float, float]) -> str:
    value, low, high = (1e3 * x for x in interval)
    return f"{value:.3g} ({low:.3g} … {high:.3g})"
