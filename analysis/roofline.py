"""Roofline: what an operator could reach on a machine, by its FLOPs per byte (Williams et al., CACM 52(4), 2009)."""

from __future__ import annotations

from dataclasses import dataclass

from ..models.cost import OperatorCost
from ..profiling.machine import Machine, Precision


@dataclass(frozen=True)
class Roof:
    """A machine's ceilings: FLOP/s, and bytes/s of its fastest memory."""

    machine: str
    flops: float
    bandwidth: float

    @property
    def ridge(self) -> float:
        """FLOPs per byte from which computing, not memory, is the ceiling."""
        return self.flops / self.bandwidth

    def attainable(self, intensity: float) -> float:
        """FLOP/s at `intensity` FLOPs per byte."""
        return min(self.flops, intensity * self.bandwidth)

    def seconds(self, cost: OperatorCost) -> float:
        """The least time of an operator whose every byte comes from memory."""
        return max(cost.flops / self.flops, cost.bytes / self.bandwidth)


def roof(machine: Machine, precision: Precision = "fp32", cores: int | None = None) -> Roof:
    """The ceilings of all cores, or of some that have all the bandwidth to themselves."""
    tier = next(iter(machine.memory.values()))
    return Roof(machine.name, machine.peak(precision, cores), tier.bandwidth.base)
