"""What `hotrow predict` answers: a model's steps on a machine by batch and operator, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from ... import HotrowError
from ...analysis import decisions, sharding
from ...analysis.predict import Prediction, check_fits, predict
from ...analysis.prediction.calibrated import costs_of
from ...analysis.prediction.costs import Coefficients
from ...analysis.prediction.operators import Setting
from ...analysis.prediction.steps import Mode
from ...analysis.prediction.traffic import Traffic, traffic_of
from ...models.config import ModelConfig
from ...profiling.host import host_facts
from ...profiling.machine import Machine
from ...profiling.machine_files import load_machine
from ...tracegen.trace import Trace

FEWEST_BATCHES = 4  # of a trace that predictions are made from
BATCHES = (1, 16, 64, 256, 1024)
SHORT_TRACE = 0.1  # of its lookups are first accesses
LARGE_TABLES = 4.0  # times the last cache: above, most first accesses would miss anyhow


@dataclass(frozen=True)
class Request:
    """What to predict. limit: seconds a step may take, None for five times one undisturbed step of the middle batch.

    middle: the batch that decisions are about, None for the one in the middle of the list. devices: to shard the tables
    over. against: another machine to compare with. fitted: a file of coefficients.
    """

    batches: Sequence[int] = BATCHES
    mode: Mode = "inference"
    setting: Setting = field(default_factory=Setting)
    isa: str | None = None
    limit: float | None = None
    devices: int = 8
    against: str | None = None
    fitted: Path | None = None
    middle: int | None = None

    @property
    def middle_batch(self) -> int:
        """The batch that decisions are about."""
        return self.batches[len(self.batches) // 2] if self.middle is None else self.middle


@dataclass(frozen=True, eq=False)
class Answer:
    """A model on a machine: one prediction per batch, and the decisions."""

    machine: Machine
    costs: Coefficients
    config: ModelConfig
    traffic: dict[int, Traffic]
    predictions: tuple[Prediction, ...]
    limit: float
    throughput: decisions.Throughput | None
    economy: decisions.Economy | None
    tiers: tuple[decisions.TierUse, ...]
    plans: tuple[sharding.Plan, ...]
    widths: dict[int, dict[str, str]]
    ratios: dict[int, float]
    notes: tuple[str, ...]
    middle: Prediction  # of the batch that decisions are about
    bits: int  # of SIMD that the coefficients are for


def coefficients(machine: Machine, request: Request) -> Coefficients:
    """Those of a file, else the machine's calibration's, else its datasheet's."""
    if request.fitted is None:
        return costs_of(machine, request.isa)
    if request.isa is not None:
        raise HotrowError("--isa with --fitted; coefficients were fitted at the widest SIMD, so leave one out")
    costs = load_fitted(request.fitted)
    if costs.machine != machine.name:
        raise HotrowError(
            f"{request.fitted}: fitted to machine {costs.machine!r}, not to {machine.name!r}; choose its --machine"
        )
    return costs


def load_fitted(path: Path) -> Coefficients:
    """Coefficients that validation wrote; HotrowError where the file is none."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Coefficients)
    except OSError as error:
        raise HotrowError(f"{path}: cannot be read ({error.strerror}); hotrow predict --validate writes it") from error
    except msgspec.DecodeError as error:
        raise HotrowError(f"{path}: not fitted coefficients: {error}") from error


def answer(config: ModelConfig, trace: Trace, name: str, request: Request) -> Answer:
    """Predict; HotrowError where the machine is unknown or too small, or a batch exceeds the trace."""
    machine = load_machine(name)
    check_fits(config, machine, request.setting.models)
    costs = coefficients(machine, request)
    other = None
    if request.against is not None:
        peer = load_machine(request.against)
        check_fits(config, peer)
        other = costs_of(peer)
    traffic = {batch: traffic_of(trace, config, batch) for batch in request.batches}
    made = tuple(predict(config, own, costs, request.mode, request.setting) for own in traffic.values())
    middle = traffic[request.middle_batch]
    limit = decisions.limit_for(predict(config, middle, costs)) if request.limit is None else request.limit
    found = decisions.best_throughput(config, traffic, costs, limit, request.setting.threads)
    rate = found.samples_per_second if found else 0.0
    capacity = next(iter(machine.memory.values())).capacity.base
    bits = _bits(machine, request)
    ratios: dict[int, float] = {}
    if other is not None:
        ratios = decisions.crossover(
            config, traffic.__getitem__, costs, other, request.batches, request.mode, request.setting
        )[1]
    return Answer(
        machine=machine,
        costs=costs,
        config=config,
        traffic=traffic,
        predictions=made,
        limit=limit,
        throughput=found,
        economy=decisions.economy(machine, traffic[found.batch], found) if found else None,
        tiers=decisions.tiers(config, middle, machine, rate),
        plans=_plans(config, middle, request.devices, capacity),
        widths={} if costs.kind == "gpu" else decisions.bounds_by_width(config, middle, costs, bits),
        ratios=ratios,
        notes=(*_notes(machine, costs), *_trace_notes(config, middle, costs)),
        middle=next(step for step in made if step.batch == middle.batch),
        bits=bits,
    )


def _plans(config: ModelConfig, traffic: Traffic, devices: int, capacity: float) -> tuple[sharding.Plan, ...]:
    rules: tuple[sharding.Rule, ...] = ("lookups", "bytes", "round-robin")
    made = []
    for rule in rules:
        try:
            made.append(sharding.plan(config, traffic.per_table, devices, capacity, rule))
        except HotrowError:
            if rule == "lookups":
                raise
    return tuple(made)


def _bits(machine: Machine, request: Request) -> int:
    """SIMD bits that a machine's coefficients are for: a cycle's two multiply-adds of 128 bits are 16 FLOP."""
    peak = machine.peak("fp32", 1, request.isa) / machine.clock.base
    return max(128, round(128 * peak / 16))


def _trace_notes(config: ModelConfig, traffic: Traffic, costs: Coefficients) -> tuple[str, ...]:
    """Where a trace is too short for what a cache would hold after a while."""
    first = traffic.rows.outlasting[-1]
    caches = [level.capacity for level in costs.levels[:-1]]
    if first < SHORT_TRACE or not caches or config.bytes > LARGE_TABLES * caches[-1]:
        return ()
    return (
        f"{100 * first:.0f} % of the trace's lookups are the first of their row and count as misses of every cache, "
        "though the tables are not much larger than the last one; a longer trace says more",
    )


def _notes(machine: Machine, costs: Coefficients) -> tuple[str, ...]:
    host = host_facts()
    notes = []
    if costs.mode == "datasheet":
        notes.append(
            f"{machine.name}: from its datasheet; a framework's overheads and what overlaps are assumed, "
            "so intervals are wide"
        )
    made = machine.calibration
    if made is not None and (made.node, made.cpu) != (host.node, host.cpu or "unknown"):
        notes.append(f"{machine.name} was calibrated on {made.node} ({made.cpu}), which is not this host")
    if costs.measured_on and costs.measured_on != f"{host.node} ({host.cpu or 'unknown'})":
        notes.append(f"{machine.name}: coefficients were fitted on {costs.measured_on}, which is not this host")
    if made is not None and made.contended > 0.2:
        notes.append(f"{machine.name}: {100 * made.contended:.0f} % of its calibration was disturbed")
    return tuple(notes)
