"""Hierarchies: line accesses per second on three levels, against pycachesim's bulk call.

Levels 32 KiB × 8, 1 MiB × 16 and 32 MiB × 16 ways of 64-byte lines; traces of lookups in 64-byte rows: a = Zipf 0.9
over 1e6 rows, b = uniform over 1e6, c = Zipf 1.2 over 1e7. CPU seconds, medians of interleaved repeats. The peer's bulk
call iterates over what it is given: the same array, and a list made of it beforehand, which is quicker to iterate. It
knows non-inclusive LRU levels alone: there its counts must equal ours, and elsewhere it stands for the work of levels
that answer to nobody.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hotrow.analysis.hierarchy import Level, simulate, simulate_trace
from hotrow.analysis.memory.layout import Layout
from hotrow.tracegen.trace import Trace

ACCESSES = 10_000_000
FEWER = 2_000_000  # of all but the plain levels
REPEATS = 5
AIM, NESTED_AIM = 10, 3  # times the peer
LEVELS = (
    Level.of_size("L1", 32 * 2**10, 8),
    Level.of_size("L2", 2**20, 16),
    Level.of_size("L3", 32 * 2**20, 16),
)
STREAMS = {"a": (0.9, 10**6), "b": (0.0, 10**6), "c": (1.2, 10**7)}
NESTED: dict[str, dict[str, Any]] = {
    "inclusive": {"inclusion": "inclusive"},
    "exclusive": {"inclusion": "exclusive"},
    "exclusive L3": {"inclusion": ["non-inclusive", "exclusive"]},
    "tree-PLRU": {"replacement": "tree-PLRU"},
}
AVX2 = {"NUMBA_CPU_NAME": "znver2", "NUMBA_CPU_FEATURES": ""}  # the features of that processor, none of this one
WITH_AVX2 = """
import json, sys
sys.path.insert(0, {folder!r})
import bench_hierarchy as bench
from hotrow.analysis.memory.set_associative import filter_requests
addresses = bench.stream({name!r}) * 64
bench.simulate(addresses[:1000], bench.LEVELS)
rate = bench.rates({{"avx2": lambda: bench.simulate(addresses, bench.LEVELS)}}, len(addresses))["avx2"]
texts = filter_requests.inspect_asm().values()
print(json.dumps([rate, any("zmm" in text for text in texts)]))
"""


def stream(name: str, accesses: int = ACCESSES) -> NDArray[np.int64]:
    """Independent draws by a Zipf law, the ranks spread over the rows at random."""
    skew, rows = STREAMS[name]
    rng = np.random.default_rng(0)
    cumulative = np.cumsum(np.arange(1, rows + 1) ** -skew)
    ranks = np.searchsorted(cumulative, rng.random(accesses) * cumulative[-1])
    return rng.permutation(rows)[np.minimum(ranks, rows - 1)]


def seconds(work: Callable[[], Any]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def rates(works: dict[str, Callable[[], Any]], accesses: int) -> dict[str, float]:
    """Millions of accesses per CPU second of each work, done in turns."""
    turns = [[seconds(work) for work in works.values()] for _ in range(REPEATS)]
    return {name: accesses / median(column) / 1e6 for name, column in zip(works, zip(*turns, strict=True), strict=True)}


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


def of_peer(addresses: NDArray[np.int64]) -> dict[str, Callable[[], Any]]:
    """The peer's bulk call on an array and on a list, each on a new simulator."""
    listed = addresses.tolist()
    return {"pycachesim, array": lambda: peer().load(addresses), "pycachesim, list": lambda: peer().load(listed)}


def note(benchmark: Any, found: dict[str, float], ours: str, aim: float) -> None:
    """Put a rate of ours and its ratios to the peer into the report."""
    ratios = {form: found[ours] / found[f"pycachesim, {form}"] for form in ("array", "list")}
    benchmark.extra_info[ours] = {
        "M/s": found[ours],
        "to array": ratios["array"],
        "to list": ratios["list"],
        "aim": aim,
    }


@pytest.mark.parametrize("name", STREAMS)
def test_three_levels(benchmark: Any, name: str) -> None:
    addresses = stream(name) * 64
    expected = [level.misses for level in simulate(addresses, LEVELS)]
    simulator = peer()
    simulator.load(addresses)
    assert peer_misses(simulator) == expected
    found = rates({"hotrow": lambda: simulate(addresses, LEVELS)} | of_peer(addresses), ACCESSES)
    benchmark.extra_info.update({f"{form}, M/s": rate for form, rate in found.items()})
    note(benchmark, found, "hotrow", AIM)
    benchmark.pedantic(simulate, args=(addresses, LEVELS), rounds=1)


@pytest.mark.parametrize("name", STREAMS)
def test_three_levels_with_avx2(benchmark: Any, name: str, tmp_path: Path) -> None:
    """The same in a process whose code is compiled for a processor without AVX-512."""
    program = WITH_AVX2.format(folder=str(Path(__file__).parent), name=name)
    environment = os.environ | AVX2 | {"NUMBA_CACHE_DIR": str(tmp_path)}

    def printed() -> str:
        command = [sys.executable, "-c", program]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    rate, wide = json.loads(benchmark.pedantic(printed, rounds=1))
    assert not wide, "there are 512-bit registers in the code"
    benchmark.extra_info["hotrow, M/s"] = rate


@pytest.mark.parametrize("name", STREAMS)
def test_levels_that_answer_to_each_other(benchmark: Any, name: str) -> None:
    addresses = stream(name, FEWER) * 64
    works: dict[str, Callable[[], Any]] = {}
    for label, options in NESTED.items():
        simulate(addresses[:1000], LEVELS, **options)
        works[label] = lambda options=options: simulate(addresses, LEVELS, **options)
    found = rates(works | of_peer(addresses), FEWER)
    benchmark.extra_info.update({form: rate for form, rate in found.items() if form not in NESTED})
    for label in NESTED:
        note(benchmark, found, label, NESTED_AIM)
    benchmark.pedantic(simulate, args=(addresses, LEVELS), kwargs=NESTED["inclusive"], rounds=1)


@pytest.mark.parametrize("name", STREAMS)
def test_a_trace(benchmark: Any, name: str) -> None:
    trace = Trace.from_ids(stream(name))
    part, layout = trace.samples_between(0, FEWER), Layout.of_rows(trace, 64)
    simulate_trace(part.samples_between(0, 1000), layout, LEVELS, update_every=100)
    reads = rates({"reads": lambda: simulate_trace(trace, layout, LEVELS)}, ACCESSES)
    both = rates({"updates": lambda: simulate_trace(part, layout, LEVELS, update_every=1024)}, 2 * FEWER)
    benchmark.extra_info.update({f"{label}, M lines/s": rate for label, rate in (reads | both).items()})
    benchmark.pedantic(simulate_trace, args=(part, layout, LEVELS), rounds=1)
