"""Quantity: a number with its unit, how it came about and where from; units of every dimension a machine has."""

from __future__ import annotations

import math
import re
from typing import Literal

import msgspec

from .. import HotrowError

Mark = Literal["measured", "datasheet", "published", "assumed"]
Dimension = Literal[
    "count", "bytes", "bytes/s", "seconds", "hertz", "FLOP/s", "FLOP/cycle", "watts", "joules/byte", "USD", "USD/byte"
]

UNITS: dict[Dimension, dict[str, float]] = {
    "count": {"": 1.0},
    "bytes": {
        "B": 1,
        "KiB": 2**10,
        "MiB": 2**20,
        "GiB": 2**30,
        "TiB": 2**40,
        "kB": 1e3,
        "MB": 1e6,
        "GB": 1e9,
        "TB": 1e12,
    },
    "bytes/s": {"B/s": 1, "MB/s": 1e6, "GB/s": 1e9, "TB/s": 1e12, "MiB/s": 2**20, "GiB/s": 2**30},
    "seconds": {"s": 1, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9},
    "hertz": {"Hz": 1, "MHz": 1e6, "GHz": 1e9},
    "FLOP/s": {"FLOP/s": 1, "GFLOP/s": 1e9, "TFLOP/s": 1e12, "PFLOP/s": 1e15},
    "FLOP/cycle": {"FLOP/cycle": 1},  # of one core
    "watts": {"W": 1, "kW": 1e3},
    "joules/byte": {"J/B": 1, "pJ/B": 1e-12, "pJ/bit": 8e-12},
    "USD": {"USD": 1},
    "USD/byte": {"USD/B": 1, "USD/GiB": 2.0**-30, "USD/GB": 1e-9, "USD/TB": 1e-12},
}
SHORT = re.compile(r"\s*([-+0-9.eE_]+)\s*(.*?)\s*")


class Quantity(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A value in `unit` ("" for a count), how it came about (mark) and where from (source).

    low, high: its 95 % interval, where one is known. Raises HotrowError for unknown units, values that are not
    finite, and values outside their interval.
    """

    value: float
    unit: str = ""
    mark: Mark = "assumed"
    source: str = ""
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        if not any(self.unit in units for units in UNITS.values()):
            known = ", ".join(unit for units in UNITS.values() for unit in units if unit)
            raise HotrowError(f"unknown unit {self.unit!r}; known are {known}")
        if not math.isfinite(self.value):
            raise HotrowError(f"{self.value} {self.unit}; a value must be finite")
        low, high = (self.value if bound is None else bound for bound in (self.low, self.high))
        if not low <= self.value <= high:
            raise HotrowError(f"{self.value} {self.unit} lies outside its interval {low} … {high}")

    @property
    def factor(self) -> float:
        """Base units (bytes, seconds, hertz, …) in one of `unit`."""
        return next(units[self.unit] for units in UNITS.values() if self.unit in units)

    @property
    def base(self) -> float:
        """The value in base units: bytes, bytes/s, seconds, hertz, FLOP/s, FLOP/cycle, watts, USD, …"""
        return self.value * self.factor

    @property
    def bounds(self) -> tuple[float, float]:
        """The interval in base units; the value itself twice where none is known."""
        low, high = (self.value if bound is None else bound for bound in (self.low, self.high))
        return low * self.factor, high * self.factor

    @property
    def words(self) -> str:
        """Value, unit, interval and mark."""
        interval = "" if self.low is None or self.high is None else f" ({self.low:.4g} … {self.high:.4g})"
        return f"{self.value:.4g} {self.unit}".strip() + f"{interval}, {self.mark}"


def parse(text: str, mark: Mark, source: str) -> Quantity:
    """A quantity written short, as in "51 GB/s" or "12"; HotrowError where it is none."""
    match = SHORT.fullmatch(text)
    try:
        value = float(match.group(1)) if match else None
    except ValueError:
        value = None
    if match is None or value is None:
        raise HotrowError(f'{text!r} is no quantity; write a number and its unit, as in "51 GB/s"')
    return Quantity(value, match.group(2), mark, source)


def check(where: str, quantity: Quantity | None, dimension: Dimension, zero: bool = False) -> None:
    """Raise HotrowError naming `where` unless the quantity has this dimension and is positive (`zero`: or 0)."""
    if quantity is None:
        return
    if quantity.unit not in UNITS[dimension]:
        units = ", ".join(unit or "no unit" for unit in UNITS[dimension])
        raise HotrowError(f"{where} has the unit {quantity.unit!r}; it is measured in {units}")
    if quantity.value < 0 or (quantity.value == 0 and not zero):
        raise HotrowError(f"{where} is {quantity.value:g} {quantity.unit}; it must be above 0".replace(" ;", ";"))
