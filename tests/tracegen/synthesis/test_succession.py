"""Succession: rows keep their intervals, and one follows another as often as asked."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow.tracegen.packed import Packed
from hotrow.tracegen.profile import TableLocality, characterize
from hotrow.tracegen.synthesis.succession import find_lifts, in_turn, known_pairs
from hotrow.tracegen.trace import Trace


def as_is(intervals: np.ndarray) -> np.ndarray:
    return intervals


def octave_pairs(intervals: np.ndarray, starts: np.ndarray, octaves: int) -> np.ndarray:
    out = np.zeros((octaves, octaves))
    for a, b in pairwise(starts):
        kinds = np.minimum(np.floor(np.log2(np.maximum(intervals[a:b], 1))), octaves - 1).astype(int)
        for first, second in pairwise(kinds):
            out[first, second] += 1
    return out / out.sum()


def bursts() -> tuple[np.ndarray, TableLocality]:
    """Rows, in time order, that come four times at short intervals, and then not for long; from anywhere in a turn."""
    rng = np.random.default_rng(3)
    times, rows = [], []
    for row in range(300):
        at = rng.random() * 20_000
        while at < 40_000:
            for _ in range(4):
                times.append(at)
                rows.append(row)
                at += 20 + 20 * rng.random()
            at += 3_000 + 3_000 * rng.random()
    order = np.array(rows)[np.argsort(times)]
    found = characterize(Trace.from_ids(order)).tables[0].locality
    assert found is not None
    return order, found


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.floats(0.5, 1e5), max_size=12), min_size=1, max_size=6), st.integers(0, 2**32 - 1))
def test_every_row_keeps_its_intervals(rows: list[list[float]], seed: int) -> None:
    starts = np.cumsum([0, *map(len, rows)])
    intervals = np.array([x for row in rows for x in row])
    rng = np.random.default_rng(seed)
    lift = np.exp(rng.standard_normal((8, 8)))
    out = in_turn(intervals, starts, lift, rng)
    for a, b in pairwise(starts):
        assert sorted(out[a:b]) == sorted(intervals[a:b])


def test_likely_successors_come_and_unlikely_ones_do_not() -> None:
    intervals = np.tile([2.0, 300.0], 400)
    lift = np.ones((10, 10))
    lift[1, 1] = lift[8, 8] = 100.0
    clustered = in_turn(intervals, np.array([0, 800]), lift, np.random.default_rng(0))
    assert np.count_nonzero(np.diff(clustered)) < 40  # alternating: 799; at random: about 400
    lift[1, 1] = lift[8, 8] = 0.01
    alternating = in_turn(clustered, np.array([0, 800]), lift, np.random.default_rng(0))
    assert np.count_nonzero(np.diff(alternating)) > 760


def test_where_a_row_begins_is_drawn() -> None:
    """What is left over for the end must not always lie at a row's end."""
    rows, length = 2_000, 8
    intervals = np.tile([2.0] * 6 + [300.0] * 2, rows)
    lift = np.ones((10, 10))
    lift[:, 8] = 0.01
    out = in_turn(intervals, np.arange(rows + 1) * length, lift, np.random.default_rng(1)).reshape(rows, length)
    share = (out > 100).mean(0)
    assert share.max() < 0.30  # of 0.25 in the mean
    assert share.min() > 0.20


def test_found_lifts_bring_the_released_pairs() -> None:
    order, locality = bursts()
    rng = np.random.default_rng(0)
    octaves = len(locality.pairs.array())
    own = [np.diff(np.flatnonzero(order == row)) for row in range(300)]
    starts = np.cumsum([0, *map(len, own)])
    real = np.concatenate(own).astype(np.float64)
    wanted = known_pairs(locality)
    np.testing.assert_allclose(octave_pairs(real, starts, octaves), wanted)
    shuffled = np.concatenate([rng.permutation(intervals) for intervals in own]).astype(np.float64)
    lifts = find_lifts(shuffled, starts, np.ones(300), locality, as_is, rng)
    before, after = (
        np.abs(octave_pairs(intervals, starts, octaves) - wanted).sum() / 2
        for intervals in (shuffled, in_turn(shuffled, starts, lifts, rng))
    )
    assert before > 0.1
    assert after < 0.4 * before


def test_pairs_of_noise_alone_are_taken_for_independent() -> None:
    _, locality = bursts()
    size = len(locality.pairs.array())
    rng = np.random.default_rng(5)
    alone = np.outer(np.arange(1, size + 1), np.arange(size, 0, -1)) * 10.0
    noisy = msgspec.structs.replace(
        locality,
        pairs=Packed.of(np.round(alone + rng.laplace(0, 5, (size, size))).astype(np.int64)),
        noise={**locality.noise, "pairs": 5 * 2**0.5},
    )
    shares = known_pairs(noisy)
    expected = alone / alone.sum()
    assert np.abs(shares - expected).sum() / 2 < 0.01
    told = alone.copy()
    told[2, 3] += alone.sum() * 0.2  # far out of the noise
    kept = known_pairs(msgspec.structs.replace(noisy, pairs=Packed.of(np.round(told).astype(np.int64))))
    assert abs(kept[2, 3] - told[2, 3] / told.sum()) < 0.02
