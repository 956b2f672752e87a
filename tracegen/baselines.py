"""Baselines: generators to compare with. Each turns real lookups into synthetic ones; none of them is private.

uniform, zipf and independent know popularity only; lru_stack is the DLRM benchmark's generator (stack distances, no
popularity) in n log n; markov draws a row's next reuse time given its last one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .. import HotrowError
from ..atomic import replacing
from ..jit import kernel
from .clock import dense
from .locality import octaves

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def uniform(ids: Ints, rng: np.random.Generator) -> Ints:
    """Every row that occurs is as likely as any other."""
    return rng.integers(0, len(dense(ids)[0]), len(ids))


def zipf(ids: Ints, rng: np.random.Generator) -> Ints:
    """Independent draws by the Zipf law whose top row has the share it has in `ids`."""
    counts = np.bincount(dense(ids)[1])
    rows, top = len(counts), counts.max() / counts.sum()
    low, high = 0.0, 8.0
    for _ in range(60):
        middle = (low + high) / 2
        share = 1 / np.sum(np.arange(1, rows + 1) ** -middle)
        low, high = (middle, high) if share < top else (low, middle)
    cumulated = np.cumsum(np.arange(1, rows + 1) ** -low)
    return np.asarray(np.searchsorted(cumulated, rng.random(len(ids)) * cumulated[-1]), np.int64)


def independent(ids: Ints, rng: np.random.Generator) -> Ints:
    """The same lookups in random order: popularity exact, nothing else kept."""
    return rng.permutation(dense(ids)[1])


@dataclass(frozen=True, eq=False)
class StackProfile:
    """The DLRM benchmark's trace profile: rows in order of first use, stack distances, and their cumulated shares.

    distances: rising, 0 for a first access, else 1 for an immediate repeat, 2, …; cumulated: same length, ends at 1.
    Raises HotrowError where it is none.
    """

    rows: Ints
    distances: Ints
    cumulated: Floats

    def __post_init__(self) -> None:
        if not len(self.rows) or len(self.distances) != len(self.cumulated) or not len(self.distances):
            raise HotrowError("a stack profile needs rows, and as many cumulated shares as distances")
        if (np.diff(self.distances) <= 0).any() or (np.diff(self.cumulated) < 0).any() or self.distances[0] < 0:
            raise HotrowError("stack distances and their cumulated shares must rise from 0")
        if not math.isclose(float(self.cumulated[-1]), 1.0, abs_tol=1e-6):
            raise HotrowError(f"cumulated shares end at {self.cumulated[-1]}; they must end at 1")

    def save(self, path: str | Path) -> None:
        """Write the benchmark's three lines: rows, distances, cumulated shares."""
        lines = (self.rows, self.distances, self.cumulated)
        with replacing(path) as beside:
            beside.write_text("".join(", ".join(str(x) for x in line.tolist()) + "\n" for line in lines))


def load_stack_profile(path: str | Path) -> StackProfile:
    """Read the benchmark's three-line distribution file; HotrowError names the file and the line."""
    try:
        lines = Path(path).read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise HotrowError(f"{path}: cannot be read ({error})") from error
    if len(lines) < 3:
        raise HotrowError(f"{path}: {len(lines)} lines; rows, stack distances and cumulated shares are three")
    values = []
    for number, kind in enumerate((np.int64, np.int64, np.float64)):
        try:
            values.append(np.array([kind(word) for word in lines[number].split(",")]))
        except ValueError as error:
            raise HotrowError(f"{path}, line {number + 1}: {error}; numbers separated by commas are needed") from error
    return StackProfile(*values)


def stack_profile(ids: Ints) -> StackProfile:
    """The benchmark's profile of `ids`."""
    rows, numbers = dense(ids)
    depths = np.bincount(_depths(numbers, len(rows)))
    distances = np.flatnonzero(depths)
    cumulated = np.cumsum(depths[distances]) / len(ids)
    cumulated[-1] = 1.0
    first = np.unique(numbers, return_index=True)[1]
    return StackProfile(rows[np.argsort(first)], distances.astype(np.int64), cumulated)


def generate_from_stack(profile: StackProfile, lookups: int, rng: np.random.Generator) -> Ints:
    """Row ids whose stack distances follow the profile; rows appear in its order, round again when all were used."""
    drawn = profile.distances[
        np.minimum(np.searchsorted(profile.cumulated, rng.random(lookups)), len(profile.distances) - 1)
    ]
    return profile.rows[_from_depths(drawn.astype(np.int64), len(profile.rows))]


def lru_stack(ids: Ints, rng: np.random.Generator) -> Ints:
    """The benchmark's generator, from the stack distances of `ids`."""
    return dense(generate_from_stack(stack_profile(ids), len(ids), rng))[1]


def markov(ids: Ints, rng: np.random.Generator) -> Ints:
    """Rows keep their counts and first accesses; reuse times follow a chain over octaves common to all rows."""
    rows, numbers = dense(ids)
    counts = np.bincount(numbers)
    first = np.unique(numbers, return_index=True)[1].astype(np.int64)
    table = _transitions(numbers, len(rows), octaves(len(ids))) + 1e-9
    cumulated = np.cumsum(table / table.sum(1, keepdims=True), 1)
    cumulated[:, -1] = 1.0
    times, owner = _chain(counts, first, cumulated, float(len(ids)), rng)
    return owner[np.argsort(times, kind="stable")]


BASELINES: dict[str, Callable[[Ints, np.random.Generator], Ints]] = {
    f.__name__: f for f in (uniform, zipf, independent, lru_stack, markov)
}


@kernel
def _depths(numbers: Ints, rows: int) -> Ints:
    """Stack distance of every access, counted from 1; 0 for a first access."""
    n = len(numbers)
    tree = np.zeros(n + 1, np.int64)
    last = np.full(rows, -1, np.int64)
    out = np.zeros(n, np.int64)
    live = 0
    for i in range(n):
        p = last[numbers[i]]
        if p < 0:
            live += 1
        else:
            older = 0
            k = p
            while k > 0:
                older += tree[k]
                k -= k & -k
            out[i] = live - older
            k = p + 1
            while k <= n:
                tree[k] -= 1
                k += k & -k
        k = i + 1
        while k <= n:
            tree[k] += 1
            k += k & -k
        last[numbers[i]] = i
    return out


@kernel
def _from_depths(depths: Ints, rows: int) -> Ints:
    """Row numbers for stack distances; a distance beyond the stack, or no new row left, becomes the deepest row."""
    n = len(depths)
    top = 1
    while top * 2 <= n:
        top *= 2
    tree = np.zeros(n + 1, np.int64)
    owner = np.zeros(n, np.int64)
    out = np.empty(n, np.int64)
    live = 0
    for i in range(n):
        d = depths[i]
        if (d == 0 or d > live) and live < rows:
            row = live
            live += 1
        else:
            rest = live - min(d, live) if d > 0 else 0  # rows deeper than the one wanted
            position = 0
            step = top
            while step > 0:
                q = position + step
                if q <= n and tree[q] <= rest:
                    position = q
                    rest -= tree[q]
                step >>= 1
            row = owner[position]
            k = position + 1
            while k <= n:
                tree[k] -= 1
                k += k & -k
        owner[i] = row
        k = i + 1
        while k <= n:
            tree[k] += 1
            k += k & -k
        out[i] = row
    return out


@kernel
def _transitions(numbers: Ints, rows: int, octaves: int) -> Floats:
    """Octave of a reuse time given the row's last one; the last line of the table is for rows that have none yet."""
    last = np.full(rows, -1, np.int64)
    before = np.full(rows, octaves, np.int64)
    out = np.zeros((octaves + 1, octaves))
    for i in range(len(numbers)):
        row = numbers[i]
        if last[row] >= 0:
            octave = int(math.log2(i - last[row]))
            out[before[row], octave] += 1
            before[row] = octave
        last[row] = i
    return out


@kernel
def _chain(
    counts: Ints, first: Ints, cumulated: Floats, length: float, rng: np.random.Generator
) -> tuple[Floats, Ints]:
    times = np.empty(counts.sum())
    owner = np.empty(len(times), np.int64)
    p = 0
    for row in range(len(counts)):
        t = float(first[row])
        state = len(cumulated) - 1
        for _ in range(counts[row]):
            times[p] = t % length
            owner[p] = row
            p += 1
            state = int(np.searchsorted(cumulated[state], rng.random(), side="right"))
            t += 2.0 ** (state + rng.random())
    return times, owner
