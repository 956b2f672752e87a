"""Learning rates: warm-up, a steady middle and quadratic decay without a jump, and a drop on a plateau."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ... import HotrowError

FLOOR = 1e-7  # of the decay, as in the DLRM benchmark


@dataclass(frozen=True)
class Schedule:
    """The rate of every step: linear warm-up, then `base`, then base · (remaining / decay_steps)², never below FLOOR.

    warmup_steps: the last of them has the whole base rate. decay_start: steps before the decay begins; decay_steps:
    how many it lasts (0: none). After the decay the rate stays at FLOOR. Source: the DLRM benchmark's learning-rate
    policy (facebookresearch/dlrm); there the rate freezes between warm-up and decay and again at the decay's end.
    """

    base: float
    warmup_steps: int = 0
    decay_start: int = 0
    decay_steps: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.base < math.inf:
            raise HotrowError(f"learning rate {self.base}; it must be finite and above 0, for example 0.1")
        for name in ("warmup_steps", "decay_start", "decay_steps"):
            if getattr(self, name) < 0:
                raise HotrowError(f"learning rate's {name} is {getattr(self, name)}; it must not be negative")
        if self.decay_steps and self.decay_start < self.warmup_steps:
            raise HotrowError(
                f"the learning rate decays from step {self.decay_start} on but warms up for {self.warmup_steps} steps; "
                "let the decay start where the warm-up ends, or later"
            )

    def rate(self, step: int) -> float:
        """The rate of step number `step`, counted from 0."""
        done = step + 1
        if done <= self.warmup_steps:
            return self.base * done / self.warmup_steps
        if not self.decay_steps or done <= self.decay_start:
            return self.base
        remaining = max(0, self.decay_start + self.decay_steps - done)
        return max(FLOOR, self.base * (remaining / self.decay_steps) ** 2)


@dataclass(frozen=True)
class Plateau:
    """Multiply the rate by `factor` when the test loss has not fallen for more than `patience` tests."""

    factor: float = 0.1
    patience: int = 3

    def __post_init__(self) -> None:
        if not 0 < self.factor < 1:
            raise HotrowError(f"plateau factor {self.factor}; it must lie between 0 and 1, for example 0.1")
        if self.patience < 0:
            raise HotrowError(f"plateau patience {self.patience}; it must not be negative")


@dataclass(frozen=True)
class PlateauState:
    """What a plateau remembers: the lowest loss so far, the tests since then, and the factor on the rate."""

    lowest: float | None = None
    waited: int = 0
    scale: float = 1.0

    def after(self, loss: float, plateau: Plateau) -> PlateauState:
        """The state after a test with this loss."""
        if self.lowest is None or loss < self.lowest:
            return PlateauState(loss, 0, self.scale)
        if self.waited < plateau.patience:
            return PlateauState(self.lowest, self.waited + 1, self.scale)
        return PlateauState(self.lowest, 0, self.scale * plateau.factor)


FRESH = PlateauState()
