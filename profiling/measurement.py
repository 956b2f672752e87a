"""Measurement, OperatorProfile: numbers with their interval, unit and circumstances."""

from __future__ import annotations

import math
from typing import Literal, TypeVar

import msgspec

from .. import HotrowError
from .host import Host

Kind = Literal["measured", "simulated", "predicted"]
Fact = str | int | float | bool | None

File = TypeVar("File", bound=msgspec.Struct)

OTHER = "other"  # the role of time that no named range covers


class Interval(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A value and the bounds of its 95 % interval."""

    value: float
    low: float
    high: float

    def __post_init__(self) -> None:
        _check("an interval", self.value, self.low, self.high)


class Measurement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One number: what it is, its 95 % interval low … high, its unit and how it came about.

    n: observations behind it. metadata: the circumstances; two measurements compare only where these agree.
    """

    name: str
    value: float
    low: float
    high: float
    unit: str
    kind: Kind
    n: int
    metadata: dict[str, Fact] = {}

    def __post_init__(self) -> None:
        _check(self.name, self.value, self.low, self.high)
        if self.n < 1:
            raise HotrowError(f"{self.name}: made of {self.n} observations; at least 1 is needed")


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One operator within one role, or a whole role: its share of a step, seconds and calls per step."""

    name: str
    role: str
    share: Interval
    seconds: Interval
    calls: float


class OperatorProfile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a step's time goes.

    total: seconds per step from runs without a profiler. overhead: how much longer a step takes under the
    profiler, as a ratio. roles and operators: largest first, each summing to the whole step; seconds are the
    bare total times the share seen under the profiler. Time outside every named range has the role "other".
    """

    name: str
    total: Measurement
    overhead: Measurement
    roles: tuple[Part, ...]
    operators: tuple[Part, ...]
    host: Host
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for field in ("roles", "operators"):
            parts = getattr(self, field)
            if parts and not math.isclose(sum(part.share.value for part in parts), 1, abs_tol=1e-6):
                raise HotrowError(f"profile {self.name!r}: the shares of its {field} do not sum to 1")

    @property
    def attributed(self) -> float:
        """Share of the step that lies within named roles."""
        return 1 - sum(part.share.value for part in self.roles if part.role == OTHER)

    def role(self, name: str) -> Part:
        """The role called `name`; HotrowError names those that exist."""
        for part in self.roles:
            if part.role == name:
                return part
        raise HotrowError(f"no role {name!r} in profile {self.name!r}; it has {', '.join(p.role for p in self.roles)}")


def to_json(value: Measurement | OperatorProfile) -> bytes:
    """`value` as JSON."""
    return msgspec.json.encode(value)


def profile_from_json(text: bytes | str) -> OperatorProfile:
    """The profile in `text`; HotrowError says what is wrong where."""
    return _from_json(text, OperatorProfile)


def measurement_from_json(text: bytes | str) -> Measurement:
    """The measurement in `text`; HotrowError says what is wrong where."""
    return _from_json(text, Measurement)


def _from_json(text: bytes | str, kind: type[File]) -> File:
    try:
        return msgspec.json.decode(text, type=kind)
    except ValueError as error:  # msgspec's and our own
        raise HotrowError(f"not {kind.__name__} in JSON: {error}") from error


def _check(name: str, value: float, low: float, high: float) -> None:
    if not all(map(math.isfinite, (value, low, high))):
        raise HotrowError(f"{name}: {value} within {low} … {high}; values must be finite")
    if not low <= value <= high:
        raise HotrowError(f"{name}: {value} lies outside its interval {low} … {high}")
