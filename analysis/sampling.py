"""SHARDS: the LRU curve from a hash-chosen sample of the rows, as a band, in bounded memory.

Waldspurger, Park, Garthwaite and Ahmad, "Efficient MRC construction with SHARDS", FAST 2015. A row is in a sample if
its hash is below a threshold; then all its accesses are. Distances among a share r of the rows are r times too short.
The hash cuts the rows into as many lots as there are samples: no row is in two, and one pass serves all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import HotrowError
from ..jit import kernel
from .miss_ratio import checked_capacities
from .reuse_time import BINS, bin_edges
from .stack.dense_ids import checked_ids
from .stack.lru_stack import DistanceCounts, LruStack

PIECE = 1 << 16  # accesses between two looks at the size of a sample
KEPT = 3 / 4  # of the rows allowed, when a sample that is full is made smaller
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
    rows); or rows, the most rows a sample may hold: then thresholds fall as rows come (memory bounded).
    """

    def __init__(self, rate: float | None = None, rows: int | None = None, samples: int = 8, seed: int = 0) -> None:
        if samples < 1:
            raise HotrowError(f"{samples} samples; at least 1 is needed")
        if (rate is None) == (rows is None):
            raise HotrowError("a sample has either a rate or a number of rows")
        if rate is not None and not 0 < rate * samples <= 1:
            raise HotrowError(
                f"rate {rate} in {samples} samples; the rate must be above 0 and at most {1 / samples:.4g}"
            )
        if rows is not None and rows < 1:
            raise HotrowError(f"samples of {rows} rows; at least 1 is needed")
        self.accesses = 0
        self._rows = rows
        self._salt = np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]
        threshold = WHOLE if rate is None else max(1, round(rate * samples * WHOLE))
        self._thresholds = np.full(samples, threshold, np.uint64)
        self._samples = [_Sample() for _ in range(samples)]

    def feed(self, ids: ArrayLike) -> None:
        """Sample the next accesses: integers [accesses] from 0 to 2^63 − 1; HotrowError for others, none counted."""
        rows = checked_ids(ids)
        for start in range(0, len(rows), PIECE):
            piece = np.ascontiguousarray(rows[start : start + PIECE]).astype(np.int64, copy=False)
            chosen, lots = choose(piece, self._salt, self._thresholds)
            for lot, sample in enumerate(self._samples):
                sample.feed(piece[chosen[lots == lot]])
                if self._rows is not None and sample.stack.distinct > self._rows:
                    self._thresholds[lot] = self._shrink(sample, self._rate(lot), int(KEPT * self._rows))
        self.accesses += len(rows)

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

    def _shrink(self, sample: _Sample, rate: float, kept: int) -> int:
        """Drop the rows with the largest hashes; returns the threshold that those kept are below."""
        recency = sample.stack.recency()
        places = hash_places(recency, self._salt, len(self._samples))
        threshold = max(1, int(np.partition(places, kept)[kept]))
        sample.settle(rate)
        sample.restart(recency[places < threshold])
        return threshold


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
    """One sample: its rows' stack, distances not yet scaled, and the scaled weight in each bin."""

    def __init__(self) -> None:
        self.stack, self.counts = LruStack(), DistanceCounts()
        self.accesses = 0  # not yet weighed
        self.weight = 0.0  # accesses that those settled stand for
        self.weights = np.zeros(BINS)
        self.known = 0  # rows accessed before the counts began

    def feed(self, ids: NDArray[np.int64]) -> None:
        self.stack.count(ids, self.counts)
        self.accesses += len(ids)

    def settle(self, rate: float) -> None:
        """Weigh what was counted: an access stands for 1 / rate, distance d for d / rate to (d + 1) / rate."""
        self.weights += self._weighed(rate)
        self.weight += self.accesses / rate
        self.accesses, self.counts = 0, DistanceCounts()

    def restart(self, recency: NDArray[np.int64]) -> None:
        """Go on with some of the rows, in their order."""
        self.stack = LruStack()
        self.stack.count(recency, DistanceCounts())
        self.known = len(recency)

    def hits_below_edges(self, rate: float, accesses: int) -> NDArray[np.float64]:
        """Accesses of all `accesses` with a distance below each edge.

        What the sample missed or had too much of the accesses goes to distance 0, as the paper's adjustment has
        it: such rows are the hottest.
        """
        weights = self.weights + self._weighed(rate)
        weights[0] += accesses - self.weight - self.accesses / rate
        return np.concatenate([[0], np.cumsum(weights)])

    def _weighed(self, rate: float) -> NDArray[np.float64]:
        histogram = self.counts.histogram(self.stack.distinct, self.known)
        below = np.concatenate([[0], np.cumsum(histogram)]) / rate
        weights: NDArray[np.float64] = np.diff(np.interp(bin_edges(), np.arange(len(below)) / rate, below))
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
