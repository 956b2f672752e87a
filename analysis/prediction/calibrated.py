"""Calibrated: a machine file's measured curves as coefficients, by the same fits as measured operators."""

from __future__ import annotations

import msgspec
import numpy as np

from ... import HotrowError
from ...profiling.machine import Curve, Machine
from .coefficients import datasheet, nominal
from .costs import LINE, Coefficients, Spread
from .fitting import GatherPoint, LinearPoint, fit_gather, fit_linear, gather_seconds, interval, wider
from .steps import Operator
from .traffic import PAGES, reuse_curve

GATHERED, POOLING, TURNS = 1 << 22, 32, 4  # bytes per call, lookups per bag and index sets of calibration's gathers
BAG_ROWS, BAG_DIM = 64, 16  # of the table that its bags of one row read
MARGIN = 1.25  # assumed: how much further than on calibration's own uniform ids predictions go astray


def costs_of(machine: Machine, isa: str | None = None, precision: str = "fp32") -> Coefficients:
    """A machine's coefficients: from its calibration where it has one, else from its datasheet."""
    if machine.calibration is None or not machine.calibration.curves:
        return datasheet(machine, isa, precision)
    return calibrated(machine, isa)


def calibrated(machine: Machine, isa: str | None = None) -> Coefficients:
    """One thread's coefficients from the curves of a calibration, at its widest SIMD or at `isa`."""
    start = datasheet(nominal(machine), isa)
    curves = [curve for curve in machine.calibration.curves if curve.threads == 1] if machine.calibration else []
    width = isa or next((curve.isa for curve in reversed(curves) if curve.what == "gather"), None)
    chosen = [curve for curve in curves if curve.isa == width]
    points = [point for curve in chosen if curve.what in ("gather", "bags") for point in _gathers(curve)]
    layers = [
        point
        for curve in chosen
        if curve.what == "products" and (curve.detail["library"], curve.detail["precision"]) == ("MKL", "fp32")
        for point in _layers(curve)
    ]
    if not points or not layers:
        raise HotrowError(f"machine {machine.name!r}: its calibration holds no gathers and layers at {width}")
    costs = fit_gather(start, points)
    errors = np.array([np.log(p.seconds / sum(gather_seconds(costs, p)[0].values())) for p in points])
    linear, linear_errors = fit_linear(layers)
    own, of_layers = wider(interval(errors), MARGIN), wider(interval(linear_errors), MARGIN)
    spread = Spread(gather=own, gather_long=own, linear=of_layers, whole=own, training=own)
    return msgspec.structs.replace(costs, linear=linear, spread=spread, mode="calibrated")


def _gathers(curve: Curve) -> list[GatherPoint]:
    """Uniform gathers over the table's size, or bags of one row over their number."""
    rng = np.random.default_rng(0)
    made = []
    for at, value in zip(curve.at, curve.value, strict=True):
        if curve.what == "bags":
            rows, dim, bags, pooling, seconds = BAG_ROWS, BAG_DIM, int(at), 1, value
        else:
            row = int(curve.detail["row_bytes"])
            rows, dim, pooling = max(1, int(at) // row), row // 4, POOLING
            bags = max(1, GATHERED // row // POOLING)
            seconds = bags * POOLING * row / value
        ids = rng.integers(0, rows, TURNS * bags * pooling)
        op = Operator("embedding_bag", "embedding", "gather", m=bags, k=bags * pooling, n=dim)
        lines = reuse_curve(ids // max(1, int(LINE) // (4 * dim)), periodic=True)
        pages = {name: reuse_curve(ids * 4 * dim // size, periodic=True) for name, size in PAGES.items()}
        made.append(GatherPoint(op, lines, pages, seconds))
    return made


def _layers(curve: Curve) -> list[LinearPoint]:
    inputs, outputs = float(curve.detail["inputs"]), float(curve.detail["outputs"])
    return [
        LinearPoint(batch, inputs, outputs, 2 * batch * inputs * outputs / value)
        for batch, value in zip(curve.at, curve.value, strict=True)
    ]
