"""Levels: their sizes, what they count, and where they come from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.analysis.memory.levels import Cores, Level, LevelStats, levels_of
from hotrow.profiling.machine_files import load_machine, machines


def test_sizes() -> None:
    level = Level.of_size("L3", 28_835_840, ways=11)
    assert (level.sets, level.lines, level.bytes) == (40960, 450560, 28_835_840)
    assert Level("L1", np.int64(64), np.int32(8), np.int64(64)) == Level("L1", 64, 8)


def test_sums_of_what_a_level_counts() -> None:
    stats = LevelStats("L1", reads=10, writes=4, read_misses=3, write_misses=1, write_backs=2)
    assert (stats.accesses, stats.misses, stats.hits, stats.miss_ratio) == (14, 4, 10, 4 / 14)
    assert np.isnan(LevelStats("L1", 0, 0, 0, 0, 0).miss_ratio)


@pytest.mark.parametrize("name", machines())
def test_every_shipped_processor_can_be_simulated(name: str) -> None:
    machine = load_machine(name)
    if machine.kind == "gpu":
        with pytest.raises(HotrowError, match="needs ways and line"):
            levels_of(machine)
        return
    levels, inclusion = levels_of(machine)
    assert [level.bytes for level in levels] == [cache.size.base for cache in machine.caches.values()]
    assert inclusion == tuple(cache.inclusion or "non-inclusive" for cache in list(machine.caches.values())[1:])


def test_an_address_belongs_to_a_core() -> None:
    cores = Cores(2, 1, 4096)
    cores.check(8191)
    with pytest.raises(HotrowError, match="address 8192 belongs to core 2; there are 2 cores"):
        cores.check(8192)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Level("L1", 0, 8), "L1: 0 sets; a cache has at least 1"),
        (lambda: Level("L1", 64, 8, 48), "L1: lines: 48 bytes; they must be a power of two"),
        (lambda: Level("L1", 2.5, 2), "L1: sets: 2.5; it must be a whole number"),
        (lambda: Level.of_size("L1", 1024.0, 2), "L1: bytes: 1024.0; it must be a whole number"),
        (lambda: Level("L1", 2**32, 2), "2\\^32 lines are the most"),
        (lambda: Cores(1.5, 1, 64), "cores: 1.5; it must be a whole number"),
        (lambda: Cores(1, 1, 64.0), "addresses of a core: 64.0; it must be a whole number"),
    ],
)
def test_mistakes_are_told(make: Any, said: str) -> None:
    with pytest.raises(HotrowError, match=said):
        make()
