"""Hierarchies: line accesses per second on three levels, against pycachesim's bulk call.

Levels 32 KiB × 8, 1 MiB × 16 and 32 MiB × 16 ways of 64-byte lines; traces of ten million lookups in 64-byte rows:
a = Zipf 0.9 over 1e6 rows, b = uniform over 1e6, c = Zipf 1.2 over 1e7. CPU seconds, medians of interleaved repeats of
the whole trace. The peer's bulk call iterates over what it is given: the same array, and a list made of it beforehand,
which is quicker to iterate. Its counts must equal ours.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hotrow.analysis.hierarchy import Level, simulate, simulate_trace
from hotrow.analysis.memory.layout import Layout
from hotrow.tracegen.trace import Trace

ACCESSES = 10_000_000
OTHER_ACCESSES = 1_000_000  # of the slower variants
REPEATS = 3
LEVELS = (
    Level.of_size("L1", 32 * 2**10, 8),
    Level.of_size("L2", 2**20, 16),
    Level.of_size("L3", 32 * 2**20, 16),
)
STREAMS = {"a": (0.9, 10**6), "b": (0.0, 10**6), "c": (1.2, 10**7)}


def stream(name: str) -> NDArray[np.int64]:
    """Independent draws by a Zipf law, the ranks spread over the rows at random."""
    skew, rows = STREAMS[name]
    rng = np.random.default_rng(0)
    cumulative = np.cumsum(np.arange(1, rows + 1) ** -skew)
    ranks = np.searchsorted(cumulative, rng.random(ACCESSES) * cumulative[-1])
    return rng.permutation(rows)[np.minimum(ranks, rows - 1)]


def seconds(work: Callable[[], Any]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def peer() -> Any:
    cachesim = pytest.importorskip("cachesim", reason="pycachesim is not installed; pip install -e .[peers]")
    memory = cachesim.MainMemory()
    below, above = None, None
    for level in reversed(LEVELS):
        below = cachesim.Cache(
            level.name, level.sets, level.ways, level.line_bytes, "LRU", load_from=below, store_to=below
        )
        above = above or below
    memory.load_to(above)
    memory.store_from(above)
    return cachesim.CacheSimulator(below, memory)


def peer_misses(simulator: Any) -> list[int]:
    return [int(level.MISS_count) for level in simulator.levels(with_mem=False)]


@pytest.mark.parametrize("name", STREAMS)
def test_three_levels(benchmark: Any, name: str) -> None:
    addresses = stream(name) * 64
    listed = addresses.tolist()
    simulate(addresses[:1000], LEVELS)
    spent: dict[str, list[float]] = {"ours": [], "array": [], "list": []}
    for _ in range(REPEATS):
        spent["ours"].append(seconds(lambda: simulate(addresses, LEVELS)))
        for form, given in (("array", addresses), ("list", listed)):
            simulator = peer()
            spent[form].append(seconds(lambda: simulator.load(given)))  # noqa: B023
            assert peer_misses(simulator) == [level.misses for level in simulate(addresses, LEVELS)]
    rates = {form: ACCESSES / median(each) / 1e6 for form, each in spent.items()}
    benchmark.extra_info.update({f"{form}, M/s": rate for form, rate in rates.items()})
    for form in ("array", "list"):
        benchmark.extra_info[f"ratio to {form}"] = rates["ours"] / rates[form]
    benchmark.pedantic(simulate, args=(addresses, LEVELS), rounds=1)


@pytest.mark.parametrize("name", STREAMS)
def test_a_trace(benchmark: Any, name: str) -> None:
    trace = Trace.from_ids(stream(name))
    layout = Layout.of_rows(trace, 64)
    variants = {
        "reads": {},
        "reads and updates": {"update_every": 1024},
        "inclusive": {"inclusion": "inclusive"},
        "exclusive": {"inclusion": "exclusive"},
        "tree-PLRU": {"replacement": "tree-PLRU"},
    }
    for label, options in variants.items():
        part = trace if label == "reads" else trace.samples_between(0, OTHER_ACCESSES)
        simulate_trace(part.samples_between(0, 1000), layout, LEVELS, **options)  # type: ignore[arg-type]
        spent, lines = [], part.accesses * (2 if "update_every" in options else 1)
        for _ in range(REPEATS):
            spent.append(seconds(lambda: simulate_trace(part, layout, LEVELS, **options)))  # type: ignore[arg-type]  # noqa: B023
        benchmark.extra_info[f"{label}, M lines/s"] = lines / median(spent) / 1e6
    benchmark.pedantic(simulate_trace, args=(trace, layout, LEVELS), rounds=1)
