"""What a step's parts achieve: their work, counted from the model, over their time; and batches prepared for steps."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from ...models.config import ModelConfig
from ...models.cost import BagStatistics, OperatorCost, by_role, forward_cost, training_cost
from ...models.inputs import Batch, Batches
from ...profiling.measurement import Interval, OperatorProfile

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
