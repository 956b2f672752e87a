"""Where does the time go? A model on a trace, forward and training, by operator and role, against its costs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import msgspec

from ...models.config import ModelConfig
from ...models.cost import BagStatistics, OperatorCost, by_role, forward_cost, training_cost
from ...models.dlrm import DLRM
from ...models.inputs import Batch, Batches
from ...models.workload import forward_step, training_step
from ...profiling.measurement import Fact, Interval, OperatorProfile
from ...profiling.profilers.torch_profiler import profile_operators
from ...tracegen.trace import Trace

PREPARED_BATCHES = 512
PREPARED_BYTES = 256 * 2**20


@dataclass(frozen=True)
class RoleRate:
    """What a role achieves: its work per step (as models/cost counts it) over its seconds."""

    role: str
    share: Interval
    seconds: Interval
    work: OperatorCost

    @property
    def flops_per_second(self) -> float:
        """Floating-point operations per second."""
        return self.work.flops / self.seconds.value

    @property
    def bytes_per_second(self) -> float:
        """Bytes that its operators touch per second, from caches or memory."""
        return self.work.bytes / self.seconds.value


def profile_forward_and_training(
    config: ModelConfig,
    trace: Trace,
    batch: int,
    seed: int = 0,
    threads: int | None = 1,
    seconds: float = 1.0,
    traced: int = 10,
    chrome_traces: Path | None = None,
) -> tuple[OperatorProfile, OperatorProfile]:
    """Profile inference and a training step (SGD, binary cross-entropy) of `config` on `trace`.

    Batches are prepared beforehand and gone through in turn. chrome_traces: a folder for forward.json.gz and
    training.json.gz. Raises HotrowError where the memory does not suffice or model, trace and batch do not fit.
    """
    batches = Batches(config, trace, batch, seed)
    made = prepared(batches)
    model = DLRM(config, seed)
    facts: dict[str, Fact] = {
        "model": config.name,
        "batch": batch,
        "seed": seed,
        "parameter_bytes": config.bytes,
        "samples": len(made) * batch,
    }
    notes = (f"{len(made)} batches prepared beforehand, gone through in turn", *batches.notes)
    profiles = []
    for name, make_step in (("forward", forward_step), ("training", training_step)):
        profile = profile_operators(
            name,
            make_step(model, made),
            threads=threads,
            seconds=seconds,
            traced=traced,
            seed=seed,
            chrome_trace=None if chrome_traces is None else chrome_traces / f"{name}.json.gz",
            metadata=facts,
        )
        profiles.append(msgspec.structs.replace(profile, notes=(*notes, *profile.notes)))
    return profiles[0], profiles[1]


def rates(profile: OperatorProfile, config: ModelConfig, bags: BagStatistics) -> tuple[RoleRate, ...]:
    """Work and rate of every role of `profile` whose cost is known, largest share first."""
    costs = by_role((training_cost if profile.name.startswith("training") else forward_cost)(config, bags))
    return tuple(
        RoleRate(part.role, part.share, part.seconds, costs[part.role]) for part in profile.roles if part.role in costs
    )


def prepared(batches: Batches, sharers: int = 1, most: int = PREPARED_BATCHES) -> list[Batch]:
    """As many batches as `most` and PREPARED_BYTES allow, at least one; `sharers` sets of batches share the bytes."""
    first = batches[0]
    tensors = (first.dense, first.label, *first.indices, *first.offsets)
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    return list(islice(batches, max(1, min(most, PREPARED_BYTES // (size * sharers)))))
