"""Question: which machine serves this model best? All that ship with hotrow, predicted at one limit of latency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .. import HotrowError
from ..analysis import decisions
from ..analysis.predict import check_fits
from ..analysis.prediction.coefficients import datasheet
from ..analysis.prediction.traffic import Traffic
from ..models.config import ModelConfig
from ..profiling.machine_files import load_machine, machines
from .grid import Grid


@dataclass(frozen=True)
class Candidate:
    """One machine at its best batch and number of models within the limit; per watt and USD where the file knows them.

    failure: why it cannot serve the model.
    """

    name: str
    kind: str
    samples_per_second: float = 0.0
    batch: int = 0
    models: int = 0
    per_watt: float | None = None
    per_usd: float | None = None
    failure: str | None = None


@dataclass(frozen=True)
class Ranking:
    """All machines, the fastest first; limit: seconds that the 99th percentile of a step may take; batches: tried."""

    limit: float
    candidates: tuple[Candidate, ...]
    batches: tuple[int, ...]

    def best(self, by: str = "samples_per_second") -> Candidate | None:
        """The first by `by`, a field of Candidate; None where no machine has it."""
        known = [c for c in self.candidates if c.failure is None and getattr(c, by)]
        return max(known, key=lambda c: float(getattr(c, by)), default=None)

    def grid(self) -> Grid:
        """One row per machine."""
        heads = ("machine", "samples/s", "batch", "models", "samples/s per W", "samples/s per USD", "why not")
        rows = tuple(
            (
                c.name,
                f"{c.samples_per_second:,.0f}" if c.failure is None else "–",
                f"{c.batch:,}" if c.failure is None else "–",
                f"{c.models:,}" if c.failure is None else "–",
                "–" if c.per_watt is None else f"{c.per_watt:,.4g}" if c.per_watt < 1000 else f"{c.per_watt:,.0f}",
                "–" if c.per_usd is None else f"{c.per_usd:,.4g}" if c.per_usd < 1000 else f"{c.per_usd:,.0f}",
                c.failure or "",
            )
            for c in self.candidates
        )
        caption = (
            f"Whole machines at their best within {1e3 * self.limit:,.3g} ms, of batches {self.batches[0]:,} to "
            f"{self.batches[-1]:,}: CPUs with a model on every core, GPUs with one; from datasheets"
        )
        return Grid(caption, heads, rows, "predicted")


def which_machine(
    config: ModelConfig, traffics: Mapping[int, Traffic], limit: float, names: Sequence[str] | None = None
) -> Ranking:
    """Rank machines by samples per second; traffics: by batch. names: None for all that ship with hotrow."""
    made = [_candidate(config, traffics, limit, name) for name in (machines() if names is None else names)]
    return Ranking(
        limit, tuple(sorted(made, key=lambda c: (c.failure is not None, -c.samples_per_second))), tuple(traffics)
    )


def _candidate(config: ModelConfig, traffics: Mapping[int, Traffic], limit: float, name: str) -> Candidate:
    machine = load_machine(name)
    try:
        check_fits(config, machine)
    except HotrowError:
        return Candidate(name, machine.kind, failure="too little memory")
    found = decisions.best_throughput(config, traffics, datasheet(machine), limit)
    if found is None:
        return Candidate(name, machine.kind, failure="too slow for the limit")
    economy = decisions.economy(machine, traffics[found.batch], found)
    return Candidate(
        name,
        machine.kind,
        float(found.samples_per_second),
        found.batch,
        found.models,
        None if economy is None else float(economy.per_watt),
        None if economy is None or economy.per_usd is None else float(economy.per_usd),
    )
