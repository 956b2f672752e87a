"""Machine: what a computer can do, every number with its source and how it came about."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import msgspec

from .. import HotrowError
from .units import Dimension, Quantity, check

Inclusion = Literal["inclusive", "exclusive", "non-inclusive"]
Precision = Literal["fp64", "fp32", "tf32", "bf16", "fp16", "fp8", "int8"]


class Compute(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A vector or matrix unit at one precision.

    peak: FLOP/cycle of one core, or FLOP/s of the whole machine; a multiply-add counts two. isa: as "avx512", "amx".
    """

    precision: Precision
    unit: Literal["vector", "matrix"]
    peak: Quantity
    isa: str = ""


class CacheLevel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A level of cache: size of one instance, ways, bytes per line, cores that share it, relation to the level above.

    effective: working set up to which it serves, measured. latency: seconds per dependent load. bandwidth: of what one
    core reads, or a whole GPU.
    """

    size: Quantity
    ways: Quantity | None = None
    line: Quantity | None = None
    shared_by: Quantity | None = None
    inclusion: Inclusion | None = None
    effective: Quantity | None = None
    latency: Quantity | None = None
    bandwidth: Quantity | None = None

    @property
    def sets(self) -> int | None:
        """Sets of one instance, where ways and line are known."""
        if self.ways is None or self.line is None:
            return None
        return int(self.size.base // (self.ways.base * self.line.base))


class TlbLevel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A level of translation: entries for pages of `page`, memory that it reaches, seconds that a miss adds."""

    page: Quantity
    entries: Quantity | None = None
    reach: Quantity | None = None
    penalty: Quantity | None = None


class MemoryTier(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Memory of one kind (HBM, DRAM, CXL, SSD) of the whole machine: capacity, bandwidth, latency, energy, price."""

    capacity: Quantity
    bandwidth: Quantity
    latency: Quantity | None = None
    energy: Quantity | None = None
    price: Quantity | None = None


class Link(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A connection to other devices: bandwidth in one direction, latency, how many there are."""

    bandwidth: Quantity
    latency: Quantity | None = None
    count: Quantity | None = None


class Curve(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Measured values over one axis: what (gather, stream, read, latency, pages, bags, products), of which settings.

    over: the axis with its unit; at: its points; value, low, high [points]: medians and 95 % intervals in `unit`.
    """

    what: str
    over: str
    unit: str
    isa: str
    threads: int
    at: tuple[float, ...]
    value: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    detail: dict[str, str | int] = {}

    def __post_init__(self) -> None:
        if not len(self.at) == len(self.value) == len(self.low) == len(self.high):
            raise HotrowError(f"curve {self.what!r}: at, value, low and high differ in length")
        if any(not low <= value <= high for low, value, high in zip(self.low, self.value, self.high, strict=True)):
            raise HotrowError(f"curve {self.what!r}: a value lies outside its interval")


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a machine was measured: where, when, in how many seconds, and all its curves.

    contended: share of the points that were disturbed throughout. isa: what each library used at each width asked.
    overheads: seconds per call, bag or layer.
    """

    node: str
    cpu: str
    made: str
    seconds: float
    contended: float
    isa: dict[str, dict[str, str]] = {}  # width → library → what was seen
    versions: dict[str, str] = {}
    warnings: tuple[str, ...] = ()
    overheads: dict[str, Quantity] = {}
    curves: tuple[Curve, ...] = ()


class Machine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One machine, real or imagined.

    cores: of one socket (streaming multiprocessors of a GPU). clock: with all cores busy. caches and tlb: nearest
    first. memory: fastest first. power: with all cores busy. outstanding: cache lines that a core can await at once.
    launch: seconds per kernel of a GPU. accelerator: another machine's name, of which it holds `accelerators`.
    Raises HotrowError naming key and rule.
    """

    name: str
    kind: Literal["cpu", "gpu"]
    cores: Quantity
    clock: Quantity
    caches: dict[str, CacheLevel]
    memory: dict[str, MemoryTier]
    sockets: Quantity = Quantity(1)
    threads_per_core: Quantity = Quantity(1)
    compute: dict[str, Compute] = {}
    tlb: dict[str, TlbLevel] = {}
    links: dict[str, Link] = {}
    power: Quantity | None = None
    idle_power: Quantity | None = None
    price: Quantity | None = None
    outstanding: Quantity | None = None
    launch: Quantity | None = None
    accelerator: str = ""
    accelerators: Quantity | None = None
    description: str = ""
    calibration: Calibration | None = None

    def __post_init__(self) -> None:
        for key, dimension in _DIMENSIONS.items():
            check(key, getattr(self, key), dimension)
        for group, rules in _GROUPS.items():
            for name, part in getattr(self, group).items():
                for key, dimension in rules.items():
                    check(f"{group}.{name}.{key}", getattr(part, key), dimension, zero=key == "latency")
        for name, part in self.compute.items():
            dimension = "FLOP/s" if part.peak.unit in ("FLOP/s", "GFLOP/s", "TFLOP/s", "PFLOP/s") else "FLOP/cycle"
            check(f"compute.{name}.peak", part.peak, dimension)
        self._check_order()

    def _check_order(self) -> None:
        """A level further away is not smaller than the nearer one, nor quicker, and pages fit their reach."""
        for (near, one), (far, other) in pairwise(self.caches.items()):
            if one.size.base > other.size.base:
                raise HotrowError(
                    f"caches.{near}.size is {one.size.value:g} {one.size.unit}, more than caches.{far}.size "
                    f"{other.size.value:g} {other.size.unit}; a further level is not smaller"
                )
            if one.latency and other.latency and one.latency.base > other.latency.base:
                raise HotrowError(f"caches.{near}.latency exceeds caches.{far}.latency; a further level is not quicker")
        for name, level in self.caches.items():
            if level.sets == 0:
                raise HotrowError(f"caches.{name}.size holds less than one set of its ways and lines")
            if level.shared_by is not None and level.shared_by.base > self.cores.base * self.threads_per_core.base:
                raise HotrowError(f"caches.{name}.shared_by exceeds the processors of a socket")

    @property
    def all_cores(self) -> int:
        """Cores of all sockets."""
        return round(self.cores.base * self.sockets.base)

    def peak(self, precision: Precision, cores: int | None = None, isa: str | None = None) -> float:
        """FLOP/s of the best unit for `precision` (of `isa` only, where given) on `cores` cores, all if left out.

        Raises HotrowError where the machine names no such unit.
        """
        share = 1.0 if cores is None else cores / self.all_cores
        units = [c for c in self.compute.values() if c.precision == precision and isa in (None, c.isa)]
        if not units:
            raise HotrowError(f"machine {self.name!r} names no unit for {precision}{f' with {isa}' if isa else ''}")
        return share * max(self._flops(unit.peak) for unit in units)

    def _flops(self, peak: Quantity) -> float:
        return peak.base * (self.clock.base * self.all_cores if peak.unit == "FLOP/cycle" else 1)

    def curve(self, what: str, **settings: str | int) -> Curve:
        """The calibrated curve of this kind whose isa, threads or details are as given; HotrowError where none is."""
        for curve in self.calibration.curves if self.calibration else ():
            facts = {"isa": curve.isa, "threads": curve.threads} | curve.detail
            if curve.what == what and all(facts.get(key) == value for key, value in settings.items()):
                return curve
        wanted = ", ".join(f"{key} {value}" for key, value in settings.items())
        raise HotrowError(f"machine {self.name!r} has no calibrated curve {what!r} with {wanted or 'any settings'}")


_DIMENSIONS: dict[str, Dimension] = {
    "cores": "count",
    "sockets": "count",
    "threads_per_core": "count",
    "clock": "hertz",
    "power": "watts",
    "idle_power": "watts",
    "price": "USD",
    "outstanding": "count",
    "launch": "seconds",
    "accelerators": "count",
}
_GROUPS: dict[str, dict[str, Dimension]] = {
    "caches": {
        "size": "bytes",
        "ways": "count",
        "line": "bytes",
        "shared_by": "count",
        "effective": "bytes",
        "latency": "seconds",
        "bandwidth": "bytes/s",
    },
    "tlb": {"page": "bytes", "entries": "count", "reach": "bytes", "penalty": "seconds"},
    "memory": {
        "capacity": "bytes",
        "bandwidth": "bytes/s",
        "latency": "seconds",
        "energy": "joules/byte",
        "price": "USD/byte",
    },
    "links": {"bandwidth": "bytes/s", "latency": "seconds", "count": "count"},
}
