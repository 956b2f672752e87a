"""Decisions: what predicted times come to: throughput at a limit, models side by side, energy, cost, tiers, crossover.

The p99 of a step that nothing else disturbs is taken as the upper end of its 90 % interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .. import HotrowError
from ..models.config import ModelConfig
from ..profiling.machine import Machine
from .predict import Prediction, predict
from .prediction.costs import Coefficients
from .prediction.operators import Setting
from .prediction.steps import Mode
from .prediction.traffic import Traffic
from .prediction.vary import vary

WIDTHS = (128, 256, 512, 1024, 2048)  # bits


@dataclass(frozen=True)
class Throughput:
    """The best that a machine does within a limit: batch and models side by side, samples per second, its step."""

    batch: int
    models: int
    samples_per_second: float
    prediction: Prediction


def best_throughput(
    config: ModelConfig, traffics: Mapping[int, Traffic], costs: Coefficients, limit: float, threads: int = 1
) -> Throughput | None:
    """The batch and number of models with most samples per second whose p99 keeps `limit` seconds; None where none.

    Models side by side are copies with tables of their own; as many run as cores and memory hold.
    """
    if not limit > 0:
        raise HotrowError(f"a latency limit of {limit} s; it must be above 0")
    cores = costs.cores // threads if costs.kind == "cpu" else 1
    most = min(cores, int(costs.held // config.bytes))
    best: Throughput | None = None
    for batch, traffic in traffics.items():
        models = most_models(config, traffic, costs, limit, most, threads)
        if not models:
            continue
        found = predict(config, traffic, costs, "inference", Setting(threads, models))
        rate = models * batch / found.seconds
        if best is None or rate > best.samples_per_second:
            best = Throughput(batch, models, rate, found)
    return best


def most_models(
    config: ModelConfig, traffic: Traffic, costs: Coefficients, limit: float, most: int, threads: int = 1
) -> int:
    """How many models run side by side, each on `threads` cores, before p99 exceeds `limit`; 0 where not even one."""
    low, high = 0, most
    while low < high:  # p99 only grows with neighbours
        middle = (low + high + 1) // 2
        found = predict(config, traffic, costs, "inference", Setting(threads, middle))
        low, high = (middle, high) if found.high <= limit else (low, middle - 1)
    return low


@dataclass(frozen=True)
class Economy:
    """Energy and cost of one throughput: joules per sample, samples per second per watt and per USD; None: no price."""

    joules: float
    memory_joules: float
    per_watt: float
    per_usd: float | None


def economy(machine: Machine, traffic: Traffic, found: Throughput) -> Economy | None:
    """Of the machine under this load; None without a power.

    Busy cores at full power, the others at idle power, and on top what memory moves; a GPU's power holds its memory's.
    traffic: of `found`'s batch.
    """
    if machine.power is None:
        return None
    tier = next(iter(machine.memory.values()))
    moved = memory_bytes(traffic, _held(machine))
    memory = moved * (tier.energy.base if tier.energy else 0.0)
    watts = machine.power.base
    if machine.kind == "cpu" and machine.idle_power is not None:
        busy = min(1.0, found.models * found.prediction.setting.threads / machine.all_cores)
        watts = machine.idle_power.base + busy * (watts - machine.idle_power.base)
    joules = watts / found.samples_per_second + (memory if machine.kind == "cpu" else 0.0)
    price = found.samples_per_second / machine.price.base if machine.price else None
    return Economy(joules, memory, 1 / joules, price)


def memory_bytes(traffic: Traffic, held: float) -> float:
    """Bytes of rows that a sample fetches from behind a cache of `held` bytes."""
    return traffic.lookups * traffic.unit_bytes * traffic.rows.misses(held, traffic.unit_bytes)


def _held(machine: Machine) -> float:
    return max((cache.size.base for cache in machine.caches.values()), default=0.0)


@dataclass(frozen=True)
class TierUse:
    """One tier of memory: bytes of tables in it, share of the lookups that reach it, bytes per second it must give at a
    rate, and that over what it gives; its bytes' price in USD, None where unknown."""

    name: str
    bytes: float
    share: float
    needed: float
    load: float
    usd: float | None


def tiers(config: ModelConfig, traffic: Traffic, machine: Machine, rate: float) -> tuple[TierUse, ...]:
    """A model's tables over a machine's tiers, hottest rows fastest, at `rate` samples per second.

    A tier serves what misses the caches and found no room in the tiers before it. HotrowError where tables do not fit.
    """
    left, held = float(config.bytes), 0.0
    missed = traffic.rows.misses(_held(machine), traffic.unit_bytes)
    made = []
    for name, tier in machine.memory.items():
        used = min(left, tier.capacity.base)
        held += used
        left -= used
        beyond = 0.0 if left <= 0 else traffic.rows.beyond(held, traffic.unit_bytes, config.bytes)
        beyond = min(beyond, missed)
        share = missed - beyond
        needed = rate * traffic.lookups * traffic.unit_bytes * share
        usd = used * tier.price.base if tier.price else None
        made.append(TierUse(name, used, share, needed, needed / tier.bandwidth.base, usd))
        missed = beyond
        if left <= 0:
            return tuple(made)
    raise HotrowError(f"model {config.name!r}: {left / 2**30:,.1f} GiB find no room in the tiers of {machine.name!r}")


def bounds_by_width(
    config: ModelConfig, traffic: Traffic, costs: Coefficients, bits: int = 512
) -> dict[int, dict[str, str]]:
    """The bound of every role at each SIMD width, as bits → role → bound; bits: the width that `costs` are for."""
    found = {}
    for width in WIDTHS:
        made = predict(config, traffic, vary(costs, "SIMD width", width / bits))
        found[width] = {role: each.bound for role, each in made.by_role().items()}
    return found


def crossover(
    config: ModelConfig,
    traffic_at: Callable[[int], Traffic],
    cpu: Coefficients,
    gpu: Coefficients,
    batches: Sequence[int],
    mode: Mode = "inference",
    setting: Setting | None = None,
) -> tuple[int | None, dict[int, float]]:
    """The first batch at which the GPU's step is quicker, and CPU over GPU time by batch; `setting`: the CPU's."""
    ratios = {}
    for batch in batches:
        traffic = traffic_at(batch)
        ours = predict(config, traffic, cpu, mode, setting).seconds
        ratios[batch] = ours / predict(config, traffic, gpu, mode).seconds
    return next((batch for batch, ratio in ratios.items() if ratio >= 1), None), ratios


def limit_for(prediction: Prediction) -> float:
    """A latency limit where none is given: five times one undisturbed step, rounded up to two digits."""
    exponent = math.floor(math.log10(5 * prediction.high)) - 1
    return float(math.ceil(5 * prediction.high / 10**exponent) * 10**exponent)
