"""The host's model: coefficients fitted to what was measured here on the development part, and on nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from ...analysis.predict import Prediction, predict
from ...analysis.prediction.costs import Coefficients
from ...analysis.prediction.fitting import (
    GatherPoint,
    LinearPoint,
    fit_framework,
    fit_gather,
    fit_linear,
    with_residual,
    with_spread,
)
from ...analysis.prediction.operators import Setting, other
from ...analysis.prediction.steps import Operator, interaction
from ...analysis.prediction.traffic import LINE, PAGES, Traffic, reuse_curve, traffic_of
from ..measured.traces import samples_for
from .frozen import Bag, Layer, Part, Whole, frozen
from .points import Points
from .streams import bag_calls, model_config, model_trace
from .workloads import INTERACTIONS, interaction_config

Numbers = NDArray[np.float64]
Traces = Mapping[str, NDArray[np.int64]]
Phase = Literal["backward", "optimizer"]
PHASES: tuple[Phase, ...] = get_args(Phase)


def bag_point(bag: Bag, points: Points, traces: Traces) -> GatherPoint | None:
    """A measured embedding_bag with its stream's curves; its calls repeat for ever, so nothing in it is new."""
    seconds = points.value(bag.name)
    if seconds is None:
        return None
    ids = bag_calls(bag, traces).reshape(-1).astype(np.int64)
    row = 4 * bag.dim
    return GatherPoint(
        Operator(bag.name, "embedding", "gather", m=bag.batch, k=bag.lookups, n=bag.dim),
        reuse_curve(ids // max(1, LINE // row), periodic=True),
        {name: reuse_curve(ids * row // size, periodic=True) for name, size in PAGES.items()},
        seconds,
    )


def bag_points(points: Points, traces: Traces, part: Part) -> list[tuple[Bag, GatherPoint]]:
    """All measured bags of a part."""
    made = ((bag, bag_point(bag, points, traces)) for bag in frozen().bags if bag.part == part)
    return [(bag, point) for bag, point in made if point is not None]


def layer_points(points: Points, library: str, part: Part) -> list[tuple[Layer, LinearPoint]]:
    """All measured layers of a part in one library."""
    made = []
    for layer in frozen().layers:
        seconds = points.value(f"{library} {layer.name}")
        if layer.part == part and seconds is not None:
            made.append((layer, LinearPoint(layer.batch, layer.inputs, layer.outputs, seconds)))
    return made


def model_traffic(whole: Whole, traces: Traces) -> Traffic:
    """A whole model's traffic, of as many samples as were measured."""
    config = model_config(whole)
    trace = model_trace(whole, samples_for(config, (whole.batch,)), traces)
    return traffic_of(trace, config, whole.batch)


def model_points(points: Points, traces: Traces, part: Part) -> list[tuple[Whole, Traffic, float]]:
    """All measured models of a part, with their traffic and seconds."""
    made = []
    for whole in frozen().models:
        seconds = points.value(whole.name)
        if whole.part == part and seconds is not None:
            made.append((whole, model_traffic(whole, traces), seconds))
    return made


def fitted(start: Coefficients, points: Points, traces: Traces) -> Coefficients:
    """Coefficients of this host from `start` (a datasheet's or a calibration's) and the development part."""
    bags = [point for _, point in bag_points(points, traces, "develop")]
    linear, errors = fit_linear([point for _, point in layer_points(points, "MKL", "develop")])
    costs = with_residual(fit_gather(start, bags), bags)
    costs = msgspec.structs.replace(costs, linear=linear, mode="fitted")
    return _with_framework(costs, points, model_points(points, traces, "develop"), errors)


def phase_seconds(made: Prediction, phase: Phase) -> float:
    """What a predicted training step spends in its backward pass or its optimizer."""
    return sum(each.seconds for each in made.operators if in_phase(each.operator.role, phase))


def in_phase(role: str, phase: Phase | None) -> bool:
    """Whether an operator's role, as in "top backward", is of a phase; None is the whole step."""
    return phase is None or phase in role.split()


def _with_framework(
    costs: Coefficients, points: Points, wholes: Sequence[tuple[Whole, Traffic, float]], linear_errors: Numbers
) -> Coefficients:
    """On whole steps, on backward passes and optimizers alone, and on dot interactions alone."""
    apart = [
        (k, phase, value)
        for k, (whole, _, _) in enumerate(wholes)
        for phase in PHASES
        if (value := points.value(f"{phase} {whole.name}")) is not None
    ]
    dots = [(size, value) for size in INTERACTIONS if (value := points.value("dot {}×{}×{}".format(*size))) is not None]

    def seconds(chosen: Coefficients) -> Numbers:
        made = [predict(model_config(whole), traffic, chosen, whole.mode) for whole, traffic, _ in wholes]
        phases = [phase_seconds(made[k], phase) for k, phase, _ in apart]
        return np.array([each.seconds for each in made] + phases + [_dot_seconds(chosen, size) for size, _ in dots])

    measured = [value for _, _, value in wholes] + [value for *_, value in apart] + [value for _, value in dots]
    made, errors = fit_framework(costs, seconds, measured)
    training = np.array([whole.mode == "training" for whole, _, _ in wholes])
    of_wholes = errors[: len(wholes)]
    return with_spread(made, linear_errors, of_wholes[~training], of_wholes[training])


def _dot_seconds(costs: Coefficients, size: tuple[int, int, int]) -> float:
    """Of an interaction [batch, vectors, dim] alone."""
    batch, vectors, dim = size
    steps = interaction(interaction_config(vectors, dim), batch)
    return sum(sum(other(costs, op, Setting(), False).values()) for op in steps)
