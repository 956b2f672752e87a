"""Attribution: a profiler's events become time per operator and role of every step.

A step says its roles with record_function ranges, or with quicker ones whose names begin with PART. The backward pass
is split by role too: every autograd node carries the sequence number of the forward operator that made it, so its time
belongs to "<role> backward".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..measurement import OTHER

STEP = "hotrow step"  # the range around every traced step
BETWEEN = "between operators"  # time inside a range but outside every operator: Python and dispatch
PART = "part: "  # begins the name of a range that is no user annotation to torch
ENGINE = "autograd::engine::evaluate_function: "

Key = tuple[str, str]  # operator, role


@dataclass(frozen=True, eq=False)
class StepShares:
    """Microseconds under the profiler: per operator and role [steps], whole steps [steps], calls per step."""

    microseconds: dict[Key, NDArray[np.float64]]
    steps: NDArray[np.float64]
    calls: dict[Key, float]

    def only(self, chosen: NDArray[np.bool_]) -> StepShares:
        """These steps alone; calls per step stay, as every step makes the same."""
        return StepShares({key: v[chosen] for key, v in self.microseconds.items()}, self.steps[chosen], self.calls)

    def by_role(self) -> StepShares:
        """Operators summed within their role."""
        microseconds: dict[Key, NDArray[np.float64]] = defaultdict(lambda: np.zeros(len(self.steps)))
        calls: dict[Key, float] = defaultdict(float)
        for (operator, role), values in self.microseconds.items():
            microseconds[role, role] += values
            calls[role, role] += self.calls[operator, role]
        return StepShares(dict(microseconds), self.steps, dict(calls))


def attribute(events: Sequence[Any]) -> StepShares:
    """Sum the self time of every event by step, operator and role; events outside steps are left out."""
    events = [e for e in events if e.device_type.name == "CPU"]
    events.sort(key=lambda e: (e.thread, e.time_range.start, -e.time_range.end))
    tree = _Tree(_forward_roles(events))
    steps = [e for e in events if e.name == STEP]
    number = {e.id: k for k, e in enumerate(steps)}
    microseconds: dict[Key, NDArray[np.float64]] = defaultdict(lambda: np.zeros(len(steps)))
    calls: dict[Key, float] = defaultdict(float)
    for event in events:
        step, role = tree.place(event)
        if step is None:
            continue
        key = (
            BETWEEN
            if event.is_user_annotation or event.name.startswith((STEP, PART))
            else event.name.removeprefix(ENGINE),
            role,
        )
        microseconds[key][number[step]] += event.self_cpu_time_total
        calls[key] += 0 if event.name.startswith(ENGINE) else 1 / len(steps)
    return StepShares(
        dict(microseconds), np.array([e.time_range.end - e.time_range.start for e in steps], float), dict(calls)
    )


@dataclass
class _Tree:
    """Finds every event's step and role by walking up; autograd nodes take their forward operator's role."""

    forward: dict[int, str]
    seen: dict[int, tuple[int | None, str]] = field(default_factory=dict)
    node_role: str = OTHER  # of the autograd node before: AccumulateGrad follows the node it serves

    def place(self, event: Any) -> tuple[int | None, str]:
        """(id of the event's step, role)."""
        if event.id not in self.seen:
            self.seen[event.id] = self._place(event)
        return self.seen[event.id]

    def _place(self, event: Any) -> tuple[int | None, str]:
        if event.name == STEP:
            return event.id, OTHER
        step, role = self.place(event.cpu_parent) if event.cpu_parent is not None else (None, OTHER)
        if event.name.startswith(ENGINE):
            if event.sequence_nr >= 0:
                made_in = self.forward.get(event.sequence_nr)
                self.node_role = f"{made_in} backward" if made_in else role
            return step, self.node_role
        return step, event.name.removeprefix(PART) if _names_role(event) else role


def _forward_roles(events: Sequence[Any]) -> dict[int, str]:
    """The role in which the autograd node of each sequence number was made.

    Operators without a node carry the next node's number; the last operator with a number is the one that made it.
    """
    roles: dict[int, str] = {}
    for event in events:
        if event.sequence_nr < 0:
            continue
        above, role = event, None
        while above is not None and not above.name.startswith(ENGINE):
            role = role or (above.name.removeprefix(PART) if _names_role(above) else None)
            above = above.cpu_parent
        if above is None and role is not None:
            roles[event.sequence_nr] = role
    return roles


def _names_role(event: Any) -> bool:
    """Whether the step opened this range; torch's own have a # or * in their names."""
    if event.name.startswith(PART):
        return True
    return bool(event.is_user_annotation) and event.name != STEP and not set("#*") & set(event.name)
