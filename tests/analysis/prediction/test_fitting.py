"""Fitting finds what made the times, and its intervals hold what they say."""

import msgspec
import numba
import numpy as np
import pytest

from hotrow.analysis.prediction.coefficients import datasheet
from hotrow.analysis.prediction.costs import Coefficients, Linear
from hotrow.analysis.prediction.fitting import (
    GatherPoint,
    LinearPoint,
    Numbers,
    fit_framework,
    fit_gather,
    fit_linear,
    gather_seconds,
    interval,
    linear_seconds,
    with_residual,
)
from hotrow.analysis.prediction.residual import correction
from hotrow.analysis.prediction.steps import Operator
from hotrow.analysis.prediction.traffic import PAGES, reuse_curve
from hotrow.profiling.machine_files import load_machine

pytestmark = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="minutes in the interpreter")

RNG = np.random.default_rng(3)


def points(costs: Coefficients, count: int, noise: float) -> list[GatherPoint]:
    made = []
    for _ in range(count):
        rows, dim = int(10 ** RNG.uniform(2, 5)), int(RNG.choice((16, 32, 64)))
        bags, pooling = int(RNG.choice((1, 16, 256))), int(RNG.choice((1, 20)))
        ids = RNG.integers(0, rows, 2 * bags * pooling)
        op = Operator("bag", "embedding", "gather", m=bags, k=bags * pooling, n=dim)
        pages = {name: reuse_curve(ids * 4 * dim // size, periodic=True) for name, size in PAGES.items()}
        bare = GatherPoint(op, reuse_curve(ids, periodic=True), pages, 1.0)
        seconds = sum(gather_seconds(costs, bare)[0].values()) * float(np.exp(noise * RNG.standard_normal()))
        made.append(GatherPoint(op, bare.rows, pages, seconds))
    return made


def mean_error(costs: Coefficients, chosen: list[GatherPoint]) -> float:
    logs = []
    for point in chosen:
        parts, shares = gather_seconds(costs, point)
        found = sum(parts.values()) * correction(costs, point.operator, parts, shares)
        logs.append(abs(np.log(found / point.seconds)))
    return float(np.expm1(np.mean(logs)))


def test_a_machine_of_other_costs_is_found() -> None:
    start = datasheet(load_machine("genoa"))
    gather = msgspec.structs.replace(start.gather, call=2e-6, lookup=4e-9, line=1e-9)
    truth = msgspec.structs.replace(start, gather=gather)
    chosen = points(truth, 40, 0.02)
    found = fit_gather(start, chosen)
    assert mean_error(start, chosen) > 0.2
    assert mean_error(found, chosen) < 0.06
    assert found.gather.call == pytest.approx(2e-6, rel=0.2)


def test_the_residual_learns_what_physics_leaves_and_covers_it() -> None:
    costs = datasheet(load_machine("genoa"))
    chosen = [
        GatherPoint(p.operator, p.rows, p.pages, p.seconds * (1.3 if p.operator.m == 256 else 1.0))
        for p in points(costs, 60, 0.02)
    ]
    learnt = with_residual(costs, chosen)
    assert mean_error(learnt, chosen) < mean_error(costs, chosen) / 2
    low, high = learnt.spread.gather_long
    assert low <= 1 <= high


def test_layers_are_found_ramps_and_all() -> None:
    truth = Linear(3e-6, 2e-11, 5e-11, 1e-11, 4e-11, (0.0, 1e-11), 0.0, (0.0, 3e-11))
    costs = msgspec.structs.replace(datasheet(load_machine("genoa")), linear=truth)
    shapes = [(m, k, n) for m in (1, 2, 16, 256) for k in (16, 128, 512) for n in (1, 16, 64, 512)]
    made = [LinearPoint(m, k, n, linear_seconds(costs, LinearPoint(m, k, n, 1.0))) for m, k, n in shapes]
    found, errors = fit_linear(made)
    assert np.abs(errors).max() < 0.02
    assert found.product == pytest.approx(truth.product, rel=0.05)


def test_the_framework_is_found_from_whole_steps() -> None:
    costs = datasheet(load_machine("genoa"))

    def seconds(chosen: Coefficients) -> Numbers:
        f, k = chosen.framework, np.arange(12)
        return np.asarray(f.step + k * f.table + (1e5 * k**2) * f.byte + 1e-7)

    other = msgspec.structs.replace(costs.framework, step=1e-4, table=2e-6)
    truth = msgspec.structs.replace(costs, framework=other)
    found, errors = fit_framework(costs, seconds, seconds(truth).tolist())
    assert np.abs(errors).max() < 0.08
    assert found.framework.step == pytest.approx(1e-4, rel=0.1)


def test_intervals_hold_nine_in_ten() -> None:
    errors = RNG.standard_normal(1000) * 0.1
    low, high = interval(errors)
    held = np.mean((np.exp(errors) >= low) & (np.exp(errors) <= high))
    assert 0.89 <= held <= 0.93
    assert interval(np.zeros(0)) == (1.0, 1.0)
