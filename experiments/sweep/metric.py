"""Metric: one number of a point's result, with its interval."""

from __future__ import annotations

from dataclasses import dataclass

Found = tuple[dict[str, "Metric"], tuple[str, ...]]  # metrics by name, and notes


@dataclass(frozen=True)
class Metric:
    """A number with the ends of its interval, both its value where nothing varies."""

    value: float
    unit: str
    low: float
    high: float

    def reciprocal(self, of: float, unit: str) -> Metric:
        """`of` over it, as samples per second from seconds per step."""
        return Metric(of / self.value, unit, of / self.high, of / self.low)


def exact(value: float, unit: str) -> Metric:
    """A number without spread."""
    return Metric(float(value), unit, float(value), float(value))
