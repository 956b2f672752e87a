"""What if: a model's predicted step on a machine, exported so that a page can follow sliders without a server.

The model of times is analysis/predict; what is exported are its coefficients, operators and reuse curves. The page
(templates/what_if.js) evaluates them and knows nothing else; a test holds its numbers against predict.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from .. import HotrowError
from ..analysis.prediction.coefficients import datasheet
from ..analysis.prediction.costs import Coefficients
from ..analysis.prediction.steps import operators
from ..analysis.prediction.traffic import LINE, ReuseCurve, traffic_of
from ..models.config import ModelConfig
from ..profiling.machine import Machine
from ..tracegen.trace import Trace

BATCHES = (1, 4, 16, 64, 256, 1024)
DIMS = (16, 32, 64, 128)
DIGITS = 6  # significant, of exported curves


def panel(trace: Trace, config: ModelConfig, machine: Machine, batches: Sequence[int] = BATCHES) -> dict[str, Any]:
    """Everything the page needs, as plain values; batches above the trace's samples are left out.

    Raises HotrowError for a GPU, which has no cache, width or cores to slide over here.
    """
    if machine.kind != "cpu":
        raise HotrowError(
            f"machine {machine.name!r} is a GPU; the what-if panel is of CPUs, so choose another --machine"
        )
    sizes = [batch for batch in batches if batch <= trace.samples]
    dims = sorted({*DIMS, config.dim})
    steps, curves = {}, {}
    for batch in sizes:
        for dim in dims:
            changed = with_dim(config, dim)
            traffic = traffic_of(trace, changed, batch)
            rows = f"{batch} {max(1, LINE // (4 * dim))}"
            if rows not in curves:
                curves[rows] = _plain(traffic.rows) | {"tables": [_short(shares) for shares in traffic.tables]}
            steps[f"{batch} {dim}"] = {
                "operators": [
                    [op.name, op.role, op.kind, op.m, op.k, op.n, op.bytes, op.multiply_adds, op.table]
                    for op in operators(changed, traffic.per_table, batch, "inference")
                ],
                "rows": rows,
                "unit": traffic.unit_bytes,
                "pages": {page: _plain(curve) for page, curve in traffic.pages.items()},
            }
    widths = {isa: datasheet(machine, isa) for isa in _widths(machine)}
    costs = next(iter(widths.values()))
    last = list(machine.caches.values())[-1]
    return {
        "model": config.name,
        "machine": machine.name,
        "cores": costs.cores,
        "lookups": trace.accesses,
        "watts": None if machine.power is None else machine.power.base,
        "price": None if machine.price is None else machine.price.base,
        "batches": sizes,
        "dims": dims,
        "cache": (last.effective or last.size).base,
        "bandwidth": next(iter(machine.memory.values())).bandwidth.base,
        "widths": {isa: _coefficients(each) for isa, each in widths.items()},
        "steps": steps,
        "curves": curves,
        "start": {"batch": min(sizes, key=lambda b: abs(b - 64)), "dim": config.dim, "isa": next(iter(widths))},
    }


def with_dim(config: ModelConfig, dim: int) -> ModelConfig:
    """The model with another embedding dimension; narrower tables stay as they are."""
    tables = tuple(
        msgspec.structs.replace(table, dim=dim) if table.dim == config.dim else table for table in config.tables
    )
    return msgspec.structs.replace(config, bottom=(*config.bottom[:-1], dim), tables=tables)


def _widths(machine: Machine) -> list[str]:
    """SIMD extensions that the machine's file knows in fp32, the fastest first."""
    known = {c.isa: c.peak.base for c in machine.compute.values() if c.precision == "fp32" and c.unit == "vector"}
    return sorted(known, key=lambda isa: -known[isa]) or [""]


def _coefficients(costs: Coefficients) -> dict[str, Any]:
    made: dict[str, Any] = msgspec.to_builtins(costs)
    return {key: made[key] for key in ("levels", "gather", "linear", "framework", "spread")}


def _plain(curve: ReuseCurve) -> dict[str, Any]:
    return {key: _short(getattr(curve, key)) for key in ("times", "outlasting", "distinct")}


def _short(values: Sequence[float]) -> list[float]:
    return [float(f"{value:.{DIGITS}g}") for value in values]


def script(made: dict[str, Any]) -> str:
    """The panel's data as JSON that may stand in a page."""
    text = json.dumps(made, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("&", "\\u0026")
