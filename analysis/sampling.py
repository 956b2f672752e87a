"""SHARDS: the LRU curve from a hash-chosen sample of the rows, as a band, in bounded memory.

Waldspurger, Park, Garthwaite and Ahmad, "Efficient MRC construction with SHARDS", FAST 2015. A row is in a sample if
its hash is below a threshold; then all its accesses are. Distances among a share r of the rows are r times too short.
The hash cuts the rows into as many lots as there are samples: no row is in two, and one pass serves all. A sample of
limited size is made smaller at the very access that brings one row too many, so how a stream is cut changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import HotrowError
from ..jit import kernel
from .miss_ratio import checked_capacities
from .reuse_time import bin_edges
from .stack.dense_ids import MAX_NUMBERS, RowNumbers, checked_ids
from .stack.lru_stack import DistanceCounts, LruStack

PIECE = 1 << 16  # accesses worked on at a time
KEPT = 3 / 4  # of the rows allowed, when a sample that has one too many is made smaller
WHOLE = 1 << 32  # the threshold that takes a whole lot


@dataclass(frozen=True, eq=False)
class CurveBand:
    """LRU miss ratios estimated from several samples, all arrays float64 shaped like `capacities`, in rows.

    low, high: the lowest and the highest of the samples' estimates; middle: their mean. Of k samples that err as often
    upwards as downwards, all lie on one side of the truth with probability 2^(1 − k) at one capacity. Small samples
    of ids so skewed that a few rows decide do not err evenly: where the band is wide, take more rows.
    """

    capacities: NDArray[np.int64]
    low: NDArray[np.float64]
    middle: NDArray[np.float64]
    high: NDArray[np.float64]


class ShardsStream:
    """A sampled LRU curve of a stream that comes in chunks.

    Give one of: rate, the share of rows in each sample, at most 1 / samples (memory in proportion to distinct
    rows); or rows, the most rows a sample holds: then thresholds fall as rows come (memory bounded).
    Raises HotrowError for settings that are no such numbers.
    """

    def __init__(self, rate: float | None = None, rows: int | None = None, samples: int = 8, seed: int = 0) -> None:
        _check_whole("samples", samples, 1)
        _check_whole("seed", seed, 0)
        if (rate is None) == (rows is None):
            raise HotrowError("a sample has either a rate or a number of rows")
        if rate is not None and not 0 < rate * samples <= 1:
            raise HotrowError(
                f"rate {rate} in {samples} samples; the rate must be above 0 and at most {1 / samples:.4g}"
            )
        if rows is not None:
            _check_whole("rows of a sample", rows, 1)
        self.accesses = 0
        self._salt = np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]
        threshold = WHOLE if rate is None else max(1, round(rate * samples * WHOLE))
        self._thresholds = np.full(samples, threshold, np.uint64)
        self._samples = [_Sample(MAX_NUMBERS if rows is None else int(rows)) for _ in range(samples)]

    def feed(self, ids: ArrayLike) -> None:
        """Sample the next accesses: integers [accesses] from 0 to 2^63 − 1; HotrowError for others, none counted."""
        rows = checked_ids(ids)
        for start in range(0, len(rows), PIECE):
            piece = np.ascontiguousarray(rows[start : start + PIECE]).astype(np.int64, copy=False)
            chosen, lots = choose(piece, self._salt, self._thresholds)
            for lot, sample in enumerate(self._samples):
                left = piece[chosen[lots == lot]]
                while (fed := sample.feed(left)) < len(left):
                    left = left[fed:]
                    self._shrink(lot, left[:1])
                    left = left[self._places(left) < self._thresholds[lot]]
        self.accesses += len(rows)

    def distinct(self) -> int:
        """About how many distinct rows the stream has had: those in the samples, over the share that was looked at."""
        shares: list[float] = (self._thresholds / WHOLE).tolist()
        return round(sum(sample.stack.distinct / share for sample, share in zip(self._samples, shares, strict=True)))

    def band(self, capacities: ArrayLike) -> CurveBand:
        """The band at capacities in rows, clipped to 0 … 1; NaN without accesses. Coarse below 1 / rate rows."""
        points = checked_capacities(capacities)
        if not self.accesses:
            nothing = np.full(points.shape, np.nan)
            return CurveBand(points, nothing, nothing, nothing)
        edges = bin_edges()
        ratios = np.array(
            [
                np.interp(points, edges, sample.hits_below_edges(self._rate(lot), self.accesses))
                for lot, sample in enumerate(self._samples)
            ]
        )
        ratios = 1 - ratios / self.accesses
        return CurveBand(points, *(np.clip(r, 0, 1) for r in (ratios.min(0), ratios.mean(0), ratios.max(0))))

    def _rate(self, lot: int) -> float:
        return float(self._thresholds[lot]) / WHOLE / len(self._samples)

    def _places(self, ids: NDArray[np.int64]) -> NDArray[np.uint64]:
        return hash_places(ids, self._salt, len(self._samples))

    def _shrink(self, lot: int, coming: NDArray[np.int64]) -> None:
        """Of a full lot's rows and the one that comes, leave out those with the largest hashes."""
        sample, threshold = self._samples[lot], self._thresholds[lot]
        if threshold == 1:
            raise HotrowError(
                f"samples of {sample.rows} rows are too small for so many distinct rows; take larger ones"
            )
        recency = sample.recency()
        places = self._places(np.concatenate([recency, coming]))
        kept = max(1, int(KEPT * sample.rows))
        sample.settle(self._rate(lot))
        self._thresholds[lot] = max(1, int(np.partition(places, kept)[kept]))
        sample.restart(recency[places[:-1] < self._thresholds[lot]])


def sampled_curve(
    ids: ArrayLike,
    capacities: ArrayLike,
    rate: float | None = None,
    rows: int | None = None,
    samples: int = 8,
    seed: int = 0,
) -> CurveBand:
    """The band of `ids` at capacities in rows, from ShardsStream's arguments."""
    stream = ShardsStream(rate, rows, samples, seed)
    stream.feed(ids)
    return stream.band(capacities)


class _Sample:
    """One sample of at most `rows` rows: their stack, which knows them by number, and the distances in it.

    Whenever it is made smaller its rate changes, and what was counted at the rate before becomes settled weights.
    """

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.stack, self._numbers, self._counts = LruStack(), RowNumbers(), DistanceCounts()
        self._accesses = 0  # counted, not settled
        self._known = 0  # rows accessed before the counts began
        self._settled = np.zeros(0)  # weight in each bin, as far as there is any
        self._settled_accesses = 0.0  # that they stand for

    def feed(self, ids: NDArray[np.int64]) -> int:
        """Count accesses up to the first that would bring one row too many; returns how many that are."""
        numbers = self._numbers.of(ids)
        beyond = numbers >= self.rows
        fed = int(np.argmax(beyond)) if beyond.any() else len(ids)
        self.stack.count(numbers[:fed], self._counts)
        self._accesses += fed
        return fed

    def recency(self) -> NDArray[np.int64]:
        """The ids in the sample in order of their last access, int64 [rows]."""
        return self._numbers.ids()[self.stack.recency()]

    def settle(self, rate: float) -> None:
        """Weigh what was counted, and count anew."""
        self._settled = np.trim_zeros(self._weighed(rate), "b").copy()
        self._settled_accesses += self._accesses / rate
        self._accesses, self._counts = 0, DistanceCounts()

    def restart(self, recency: NDArray[np.int64]) -> None:
        """Go on with some of the rows, in their order."""
        self.stack, self._numbers = LruStack(), RowNumbers()
        self.stack.count(self._numbers.of(recency), DistanceCounts())
        self._known = len(recency)

    def hits_below_edges(self, rate: float, accesses: int) -> NDArray[np.float64]:
        """Accesses of all `accesses` with a distance below each edge.

        What the sample missed or had too much of the accesses goes to distance 0, as the paper's adjustment has
        it: such rows are the hottest.
        """
        weights = self._weighed(rate)
        weights[0] += accesses - self._settled_accesses - self._accesses / rate
        return np.concatenate([[0], np.cumsum(weights)])

    def _weighed(self, rate: float) -> NDArray[np.float64]:
        """Accesses in each bin: one counted stands for 1 / rate of them, distance d for d / rate to (d + 1) / rate."""
        histogram = self._counts.histogram(self.stack.distinct, self._known)
        below = np.concatenate([[0], np.cumsum(histogram)]) / rate
        weights: NDArray[np.float64] = np.diff(np.interp(bin_edges(), np.arange(len(below)) / rate, below))
        weights[: len(self._settled)] += self._settled
        return weights


def choose(
    ids: NDArray[np.int64], salt: np.uint64, thresholds: NDArray[np.uint64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of the ids in a sample, and which: int64 [chosen] each. thresholds [samples], in 1 / 2^32 of a lot."""
    positions, lots = np.empty(len(ids) + 1, np.int64), np.empty(len(ids) + 1, np.int64)
    with np.errstate(over="ignore"):  # the hash wraps around
        chosen = _choose(ids, salt, thresholds, positions, lots)
    return positions[:chosen], lots[:chosen]


def hash_places(ids: NDArray[np.int64], salt: np.uint64, samples: int) -> NDArray[np.uint64]:
    """Where in its lot each id stands, in 1 / 2^32, uint64 [ids]; a sample takes those below its threshold."""
    places = np.empty(len(ids), np.uint64)
    with np.errstate(over="ignore"):
        _places(ids, salt, samples, places)
    return places


def _check_whole(name: str, value: Any, least: int) -> None:
    if not isinstance(value, Integral) or value < least:
        raise HotrowError(f"{value!r} {name}; it must be a whole number, at least {least}")


@kernel
def _spread(row: np.uint64, salt: np.uint64, samples: int) -> np.uint64:
    """The lot in the upper 32 bits, the place in it in the lower: MurmurHash3's finalizer (Appleby, public domain)."""
    value = row + salt
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xFF51AFD7ED558CCD)
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xC4CEB9FE1A85EC53)
    return (value >> np.uint64(32)) * np.uint64(samples)


@kernel
def _choose(ids: Any, salt: Any, thresholds: Any, positions: Any, lots: Any) -> int:
    chosen = 0
    for i in range(len(ids)):
        spread = _spread(np.uint64(ids[i]), salt, len(thresholds))
        lot = spread >> np.uint64(32)
        positions[chosen] = i
        lots[chosen] = np.int64(lot)
        chosen += (spread & np.uint64(0xFFFFFFFF)) < thresholds[lot]
    return chosen


@kernel
def _places(ids: Any, salt: Any, samples: int, places: Any) -> None:
    for i in range(len(ids)):
        places[i] = _spread(np.uint64(ids[i]), salt, samples) & np.uint64(0xFFFFFFFF)
