"""Question: what would an architect conclude from this traffic on this machine? The co-design report."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import msgspec

from ..analysis.knee import Knee
from ..analysis.recommendation.split import Split, splits
from ..models.config import ModelConfig
from ..models.cost import bag_statistics
from ..profiling.measurement import OperatorProfile
from ..progress import Advance, ignore
from ..tracegen.trace import Trace
from .cache_sizing import CacheSizing, cache_sizing
from .lru_curves import LruCurves, lru_curves
from .measured.bottlenecks import RoleRate, profile_forward_and_training, rates
from .prediction.command import BATCHES, LOOKUPS, Answer, Request, answer
from .prediction.grids import plain as plain_answer
from .traffic import Traffic, describe
from .what_if import panel
from .which_machine import Ranking, which_machine

STEPS = 4  # that codesign advances by


@dataclass(frozen=True)
class CoDesign:
    """Everything a report says, as numbers: traffic, cache sizes, one shared cache, operators, model."""

    name: str
    source: str
    assumptions: tuple[str, ...]
    config: ModelConfig
    batch: int
    traffic: Traffic
    sizing: tuple[CacheSizing, ...]
    curves: LruCurves
    splits: tuple[Split, ...]  # of the shared curve's knee
    forward: OperatorProfile
    training: OperatorProfile
    rates: tuple[RoleRate, ...]  # of the forward pass
    elsewhere: Answer | None  # predicted on another machine
    ranking: Ranking | None  # predicted on all machines that ship with hotrow, within that answer's limit
    panel: dict[str, Any] | None  # what_if.panel's, of the other machine where it is a CPU

    @property
    def shared_knee(self) -> Knee | None:
        """Of one LRU cache for all tables."""
        return self.curves.shared_knee

    @property
    def row_bytes(self) -> int:
        """Bytes of a row in float32."""
        return 4 * self.config.dim


def codesign(
    trace: Trace,
    name: str,
    source: str,
    assumptions: tuple[str, ...],
    config: ModelConfig,
    batch: int,
    seed: int = 0,
    machine: str | None = None,
    advance: Advance = ignore,
) -> CoDesign:
    """Measure `trace` and a step of `config` on it.

    source, assumptions: where the trace comes from and what was assumed to make it.
    config: a model with the trace's tables (models.config.for_trace). batch: samples per step. machine: another
    one, shipped or a file, that times are predicted for; None: no predictions.
    """
    forward, training = profile_forward_and_training(config, trace, batch, seed)
    advance(1)
    curves = lru_curves(trace, seed)
    advance(1)
    row_bytes = 4 * config.dim
    found = curves.shared_knee
    made = () if found is None else splits(curves.tables, curves.shared, row_bytes, found.capacity * row_bytes)
    advance(1)
    part = trace.samples_between(0, max(1, trace.samples * LOOKUPS // max(trace.accesses, LOOKUPS)))
    elsewhere = None if machine is None else _elsewhere(part, config, machine)
    advance(1)
    reached = rates(forward, config, bag_statistics(trace, batch))
    return CoDesign(
        name=name,
        source=source,
        assumptions=assumptions,
        config=config,
        batch=batch,
        traffic=describe(trace, name, curves.tables),
        sizing=cache_sizing(curves, row_bytes),
        curves=curves,
        splits=made,
        forward=forward,
        training=training,
        rates=reached,
        elsewhere=elsewhere,
        ranking=None if elsewhere is None else which_machine(config, elsewhere.traffic, elsewhere.limit),
        panel=None if elsewhere is None else _panel(part, elsewhere),
    )


def _elsewhere(trace: Trace, config: ModelConfig, machine: str) -> Answer:
    return answer(config, trace, machine, Request([size for size in BATCHES if size <= trace.samples]))


def _panel(trace: Trace, elsewhere: Answer) -> dict[str, Any] | None:
    return panel(trace, elsewhere.config, elsewhere.machine) if elsewhere.machine.kind == "cpu" else None


def plain(result: CoDesign) -> dict[str, Any]:
    """The numbers of the report as plain values, for JSON."""
    return {
        "name": result.name,
        "source": result.source,
        "assumptions": list(result.assumptions),
        "model": msgspec.to_builtins(result.config),
        "batch": result.batch,
        "traffic": asdict(result.traffic),
        "sizing": [asdict(size) for size in result.sizing],
        "shared_knee": None if result.shared_knee is None else asdict(result.shared_knee),
        "splits": [asdict(split) for split in result.splits],
        "forward": msgspec.to_builtins(result.forward),
        "training": msgspec.to_builtins(result.training),
        "rates": msgspec.to_builtins(result.rates),
        "elsewhere": None if result.elsewhere is None else plain_answer(result.elsewhere),
        "ranking": None if result.ranking is None else asdict(result.ranking),
    }
