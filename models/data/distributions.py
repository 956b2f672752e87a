"""Random lookups: uniform, Gaussian or Zipf rows in bags of a fixed or a varying size, drawn by position.

Every number is a hash of its table's key and its place (SplitMix64; Steele, Lea and Flood 2014, Fast Splittable
Pseudorandom Number Generators), so a sample's lookups depend on the seed and the sample alone: not on the batch that it
comes in, not on what was drawn before, and not on the number of threads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import HotrowError
from ...jit import kernel

SLOTS = 2**20  # places of a sample's numbers: more than a bag may have lookups
UNIFORM, GAUSSIAN, ZIPF = 0, 1, 2

GAMMA = np.uint64(0x9E3779B97F4A7C15)
MIX_A, MIX_B = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
S27, S30, S31, S11 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(11)
UNIT = 2.0**-53


@dataclass(frozen=True)
class Uniform:
    """Every row between `low` and `high` (the table's last row if None) with the same chance."""

    low: int = 0
    high: int | None = None


@dataclass(frozen=True)
class Gaussian:
    """round(N(mean, deviation²)), moved into low … high where it lies outside.

    mean: the middle of the range if None; deviation: a sixth of the range if None; high: the last row if None.
    """

    mean: float | None = None
    deviation: float | None = None
    low: int = 0
    high: int | None = None


@dataclass(frozen=True)
class Zipf:
    """The k-th most popular row with a chance proportional to k^−exponent; popular rows lie scattered."""

    exponent: float = 1.0


Distribution = Uniform | Gaussian | Zipf
UNIFORM_ROWS = Uniform()


@dataclass(frozen=True)
class Pooling:
    """Lookups of a bag: always `size`, or uniform on 1 … size if it varies."""

    size: int = 1
    varies: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.size < SLOTS:
            raise HotrowError(f"{self.size} lookups per bag; 1 to {SLOTS - 1} are possible")

    @property
    def mean(self) -> float:
        """Mean lookups of a bag."""
        return (1 + self.size) / 2 if self.varies else float(self.size)


@dataclass(frozen=True)
class Law:
    """A distribution on one table as numbers that the kernels take."""

    kind: int
    low: int
    high: int
    a: float = 0.0
    b: float = 0.0
    stride: int = 1

    @classmethod
    def of(cls, distribution: Distribution, rows: int, table: str) -> Law:
        """Raises HotrowError where the distribution does not fit a table of `rows` rows."""
        if isinstance(distribution, Zipf):
            if not 0 <= distribution.exponent < 100:
                raise HotrowError(f"Zipf exponent {distribution.exponent}; it must lie in 0 to 100, for example 1.05")
            return cls(ZIPF, 0, rows - 1, distribution.exponent, 0.0, _stride(rows))
        low, high = distribution.low, rows - 1 if distribution.high is None else min(distribution.high, rows - 1)
        if not 0 <= low <= high:
            raise HotrowError(
                f"table {table!r}: rows from {low} to {high} are asked for; it has {rows} rows (0 to {rows - 1})"
            )
        if isinstance(distribution, Uniform):
            return cls(UNIFORM, low, high)
        mean = (low + high) / 2 if distribution.mean is None else distribution.mean
        deviation = (high - low) / 6 if distribution.deviation is None else distribution.deviation
        if not (math.isfinite(mean) and 0 <= deviation < math.inf):
            raise HotrowError(
                f"a Gaussian of mean {mean} and deviation {deviation}; they must be finite, the latter ≥ 0"
            )
        return cls(GAUSSIAN, low, high, mean, deviation)


def stream_key(*numbers: int) -> int:
    """A 64-bit key for a stream of random numbers that is named by these integers."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


def bag_sizes(key: int, start: int, samples: int, pooling: Pooling) -> NDArray[np.int64]:
    """Lookups of samples start … start + samples − 1, int64 [samples]."""
    sizes = np.full(samples, pooling.size, np.int64)
    if pooling.varies:
        with np.errstate(over="ignore"):
            _fill_sizes(sizes, np.uint64(key), np.uint64(start))
    return sizes


def fill_rows(out: NDArray[Any], law: Law, key: int, start: int, sizes: NDArray[np.int64]) -> None:
    """Draw the rows of the bags of samples start, start + 1, …; `out` has as many places as `sizes` in sum."""
    with np.errstate(over="ignore"):
        if law.kind == UNIFORM:
            _fill_uniform(out, np.uint64(key), np.uint64(start), sizes, law.low, law.high - law.low + 1.0)
        elif law.kind == GAUSSIAN:
            _fill_gaussian(out, np.uint64(key), np.uint64(start), sizes, law.a, law.b, law.low, law.high)
        else:
            _fill_zipf(out, np.uint64(key), np.uint64(start), sizes, law.a, law.high + 1, law.stride)


def uniform_floats(key: int, samples: NDArray[np.int64], width: int) -> NDArray[np.float32]:
    """Numbers uniform in [0, 1), float32 [samples, width], of the samples with these numbers."""
    out = np.empty((len(samples), width), np.float32)
    with np.errstate(over="ignore"):
        _fill_floats(out, np.uint64(key), samples)
    return out


def _stride(rows: int) -> int:
    """A number coprime to `rows` near the golden section of it: rank · stride mod rows scatters the popular rows."""
    stride = max(1, round(rows * 0.6180339887498949))
    while math.gcd(stride, rows) != 1:
        stride += 1
    return stride


@kernel
def _bits(key: Any, place: Any) -> Any:
    z = key + (place + np.uint64(1)) * GAMMA
    z = (z ^ (z >> S30)) * MIX_A
    z = (z ^ (z >> S27)) * MIX_B
    return z ^ (z >> S31)


@kernel
def _unit(key: Any, place: Any) -> float:
    """Uniform in [0, 1), a multiple of 2^−53."""
    return np.int64(_bits(key, place) >> S11) * UNIT


@kernel
def _fill_sizes(sizes: Any, key: Any, start: Any) -> None:
    """sizes[s] becomes uniform on 1 … sizes[s]."""
    for s in range(len(sizes)):
        sizes[s] = 1 + np.int64(_unit(key, start + np.uint64(s)) * sizes[s])


@kernel
def _fill_uniform(out: Any, key: Any, start: Any, sizes: Any, low: int, span: float) -> None:
    done = 0
    for s in range(len(sizes)):
        place = (start + np.uint64(s)) * np.uint64(SLOTS)
        for k in range(sizes[s]):
            out[done + k] = low + np.int64(_unit(key, place + np.uint64(k)) * span)
        done += sizes[s]


@kernel
def _fill_gaussian(
    out: Any, key: Any, start: Any, sizes: Any, mean: float, deviation: float, low: int, high: int
) -> None:
    """By Box and Muller (1958): two numbers uniform in (0, 1] and [0, 1) give one normal one."""
    done = 0
    turned = _bits(key, np.uint64(0))
    for s in range(len(sizes)):
        place = (start + np.uint64(s)) * np.uint64(SLOTS)
        for k in range(sizes[s]):
            at = place + np.uint64(k)
            length = np.sqrt(-2 * np.log(1 - _unit(key, at)))
            value = np.rint(mean + deviation * length * np.cos(2 * np.pi * _unit(turned, at)))
            out[done + k] = np.int64(min(max(value, low), high))
        done += sizes[s]


@kernel
def _fill_zipf(out: Any, key: Any, start: Any, sizes: Any, exponent: float, rows: int, stride: int) -> None:
    """By rejection-inversion (Hörmann and Derflinger 1996, Rejection-inversion to generate variates, ACM TOMACS 6)."""
    flat = 1 - exponent
    least = _area(1.5, flat) - 1.0
    whole = _area(rows + 0.5, flat)
    close = 2 - _inverse(_area(2.5, flat) - 2.0**-exponent, flat)
    done = 0
    for s in range(len(sizes)):
        place = (start + np.uint64(s)) * np.uint64(SLOTS)
        for k in range(sizes[s]):
            at = place + np.uint64(k)
            tried = key
            rank: Any = 0
            while True:
                u = whole + _unit(tried, at) * (least - whole)
                x = _inverse(u, flat)
                rank = min(max(np.int64(x + 0.5), 1), rows)
                if rank - x <= close or u >= _area(rank + 0.5, flat) - np.float64(rank) ** -exponent:
                    break
                tried = _bits(tried, at)
            out[done + k] = (rank - 1) * stride % rows
        done += sizes[s]


@kernel
def _area(x: float, flat: float) -> Any:
    """The integral of x^−exponent from 1 to x, where flat = 1 − exponent."""
    logarithm = np.log(x)
    return np.expm1(flat * logarithm) / flat if abs(flat * logarithm) > 1e-8 else logarithm


@kernel
def _inverse(area: float, flat: float) -> Any:
    return np.exp(np.log1p(flat * area) / flat) if abs(flat * area) > 1e-8 else np.exp(area)


@kernel
def _fill_floats(out: Any, key: Any, samples: Any) -> None:
    """24 random bits each, so that every number is exact in float32 and below 1."""
    width = np.uint64(out.shape[1])
    for s in range(len(samples)):
        place = np.uint64(samples[s]) * width
        for d in range(out.shape[1]):
            out[s, d] = np.float32(np.int64(_bits(key, place + np.uint64(d)) >> np.uint64(40)) * 2.0**-24)
