"""Operator times: coefficients, sizes and miss shares in, seconds by cause out. Pure, and small enough for a page.

Time is a sum: overheads, computing, and for every level the lines it serves times what a line costs there, with many in
flight; only the first lookups of a call show a level's whole latency. Threads divide what they can and share bandwidth.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from .costs import LINE, Coefficients, Level, Linear
from .steps import Operator

Parts = dict[str, float]  # cause → seconds
Misses = Callable[[float, float], float]  # capacity in bytes, spread → share of lookups that miss
TILE = 128.0  # rows and columns of a GPU's unit of work in a product
GRAIN = 8.0  # bags that a further thread is worth


@dataclass(frozen=True)
class Setting:
    """threads: of one model. models: side by side on one machine, each with as many threads."""

    threads: int = 1
    models: int = 1


def gather(c: Coefficients, op: Operator, misses: Misses, walks: dict[str, float], setting: Setting) -> Parts:
    """embedding_bag of op.m bags, op.k lookups of op.n numbers; walks: share of lookups that miss, by page size."""
    workers = min(float(setting.threads), max(1.0, op.m / GRAIN)) if c.kind == "cpu" else 1.0
    lines = max(1.0, math.ceil(4 * op.n / LINE))
    g = c.gather
    lookup = g.lookup + (g.narrow if lines == 1 else 0.0)
    parts = {
        "overhead": g.call + (op.m * g.bag) / workers,
        "compute": (op.m * lines * g.written + op.k * (lookup + lines * g.line)) / workers,
    }
    missed, latency = 1.0, 0.0
    for k, level in enumerate(c.levels):
        left = 0.0 if k + 1 == len(c.levels) else min(missed, misses(level.capacity, level.spread))
        served = missed - left
        if k or c.kind == "gpu":
            one = (level.first + (lines - 1) * level.next) / workers
            wire = lines * LINE * crowd(c, level, setting) / level.bandwidth
            cause = f"{level.name} bandwidth" if wire > one else level.name
            parts[cause] = parts.get(cause, 0.0) + op.k * served * max(one, wire)
            latency += min(g.exposed, op.k) * served * level.latency
        missed = left
    parts["latency"] = latency
    reached = sum(op.k * share * g.walks[page][1] for page, share in walks.items() if page in g.walks)
    parts["translation"] = reached / workers
    return parts


def crowd(c: Coefficients, level: Level, setting: Setting) -> float:
    """Models whose traffic goes through one instance of a level, below 1 where one model's threads have several."""
    instances = max(1.0, c.cores / level.sharers)
    spanned = min(instances, max(1.0, setting.threads / level.sharers))
    return max(setting.models / instances, 1 / spanned)


def linear(c: Coefficients, op: Operator, setting: Setting) -> Parts:
    """A layer [m, k] · [k, n]."""
    layer, m, k, n = c.linear, op.m, op.k, op.n
    if c.device is not None:
        tiles = math.ceil(m / TILE) * math.ceil(n / TILE)
        waves = math.ceil(tiles / c.device.processors)
        busy = min(1.0, max(tiles / (waves * c.device.processors), m * n / (c.device.processors * 32 * 32 + m * n)))
        computing, moving = layer.product * m * n * k / busy, layer.weight * (m * k + n * k + m * n)
        bound = {"compute": computing} if computing > moving else {f"{c.levels[-1].name} bandwidth": moving}
        return {"overhead": layer.call, **bound}
    vectors = 16 * math.ceil(n / 16)
    extra, weights = _special(layer, m, k, n)
    workers = min(float(setting.threads), max(1.0, m * n * k / 64**3))
    product = layer.product * m * vectors * k
    ramps = layer.output * m * n + layer.input * m * k + extra
    moving = layer.weight * n * k + weights
    far = c.levels[-1]
    wire = 4 * n * k * crowd(c, far, setting) / far.bandwidth if _far(c, 4 * n * k, setting) else 0.0
    return {
        "overhead": layer.call + (layer.one[0] if m == 1 else 0.0),
        "compute": (product + ramps) / workers,
        "weights": max(moving / workers, wire),
    }


def _special(layer: Linear, m: float, k: float, n: float) -> tuple[float, float]:
    """Seconds on top for shapes that libraries treat apart: narrow outputs; and weights of one or two samples."""
    narrow = layer.narrow[0] if n == 1 else layer.narrow[1] if n <= 16 else 0.0
    return narrow * m * k, (layer.one[1] if m == 1 else layer.pair if m == 2 else 0.0) * n * k


def _far(c: Coefficients, size: float, setting: Setting) -> bool:
    """Whether weights of this many bytes do not stay in any cache."""
    return len(c.levels) > 1 and size * setting.models > c.levels[-2].capacity


def other(c: Coefficients, op: Operator, setting: Setting, recording: bool) -> Parts:
    """Maps, small products, scatters, updates, transfers and a step's own overhead; recording: for gradients."""
    f = c.framework
    if op.kind == "step":
        return {"overhead": f.step}
    if op.kind == "transfer":
        if c.device is None:
            return {}
        return {"link": op.m * c.device.link_latency + op.bytes / c.device.link}
    node = f.node * op.nodes if recording else 0.0
    if op.kind == "scatter":
        table = f.train_table + f.train_lookup * op.k
        return {"overhead": table + node, "copying": f.train_byte * op.k * op.n * 4}
    if op.kind == "apply":
        return {"overhead": f.apply_table + f.apply_lookup * op.k, "copying": f.apply_byte * op.k * op.n * 4}
    if op.kind == "update":
        return {"overhead": f.update * op.m, "copying": f.update_byte * op.bytes}
    recorded = f.record if recording and not op.backward else 0.0
    if op.kind == "product":
        computing = f.multiply_add * op.multiply_adds + f.pair * op.multiply_adds / op.n
        return {"overhead": f.map + node + recorded, "compute": computing / setting.threads}
    return {"overhead": f.map + node + recorded, "copying": f.byte * op.bytes / min(setting.threads, 4)}
