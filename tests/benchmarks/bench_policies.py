"""Cache policies: accesses per second against libCacheSim, one cache of 100,000 rows, 10 million accesses.

Traces: a = Zipf 0.9 over 1e6 rows, b = uniform over 1e6, c = Zipf 1.2 over 1e7. CPU seconds of the whole call to
`simulate`, numbering of the rows included, against CPU seconds of the peer's loop over its own binary format, mapped
from disk. Seconds of both are medians of interleaved repeats.
"""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hotrow.analysis.cache import compare, simulate

ACCESSES = 10_000_000
CAPACITY = 100_000
REPEATS = 3
PEERS = {  # our name: its class, whether its count must equal ours, the ratio to reach
    "LRU": ("LRU", True, 10),
    "FIFO": ("FIFO", True, 10),
    "CLOCK": ("Clock", True, 10),
    "SIEVE": ("Sieve", True, 10),
    "S3-FIFO": ("S3FIFO", True, 10),
    "LFU": ("LFU", True, 5),
    "ARC": ("ARC", True, 5),
    "2Q": ("TwoQ", False, 2),
    "SLRU": ("SLRU", False, 2),
    "LIRS": ("LIRS", False, 2),
    "W-TinyLFU": ("WTinyLFU", False, 2),
    "Belady": ("Belady", True, 2),
}
WITHOUT_PEER = ("static", "static-prefix", "FBGEMM-LRU", "FBGEMM-LFU")
FAST = ("LRU", "FIFO", "LFU", "CLOCK", "SIEVE", "S3-FIFO")


def zipf(rng: np.random.Generator, rows: int, exponent: float) -> NDArray[np.int64]:
    """Independent accesses to rows of Zipf popularity, in shuffled order of ids."""
    weights = np.cumsum(np.arange(1, rows + 1, dtype=np.float64) ** -exponent)
    ranks = np.searchsorted(weights, rng.random(ACCESSES) * weights[-1])
    return rng.permutation(rows)[ranks]


def write_requests(path: Path, ids: NDArray[np.int64]) -> None:
    """The peer's oracleGeneral format: time, id, size and the next access to the same id (Belady needs it)."""
    requests = np.zeros(len(ids), np.dtype([("time", "<u4"), ("id", "<u8"), ("size", "<u4"), ("next", "<i8")]))
    order = np.argsort(ids, kind="stable")
    same = np.flatnonzero(ids[order[1:]] == ids[order[:-1]])
    requests["time"], requests["id"], requests["size"] = np.arange(len(ids)), ids, 1
    requests["next"] = 2**62
    requests["next"][order[same]] = order[same + 1] + 1
    requests.tofile(path)


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[NDArray[np.int64], Path]]:
    rng = np.random.default_rng(20261124)
    made = {"a": zipf(rng, 10**6, 0.9), "b": rng.integers(0, 10**6, ACCESSES), "c": zipf(rng, 10**7, 1.2)}
    folder = tmp_path_factory.mktemp("requests")
    for name, ids in made.items():
        write_requests(folder / name, ids)
    return {name: (ids, folder / name) for name, ids in made.items()}


def with_peer(kind: str, path: Path) -> int:
    """Misses by libCacheSim, which reads one request after another in C."""
    libcachesim = pytest.importorskip("libcachesim", reason="libcachesim is a peer; pip install hotrow[peers]")
    reader = libcachesim.TraceReader(str(path), libcachesim.TraceType.ORACLE_GENERAL_TRACE)
    cache = getattr(libcachesim, kind)(cache_size=CAPACITY, consider_obj_metadata=False)
    return round(cache.process_trace(reader)[0] * ACCESSES)


def timed(call: Callable[..., Any], *arguments: Any, **more: Any) -> tuple[float, Any]:
    """CPU seconds of a call, and what it returned."""
    start = time.process_time()
    result = call(*arguments, **more)
    return time.process_time() - start, result


@pytest.mark.parametrize("policy", PEERS)
def test_against_libcachesim(benchmark: Any, traces: Any, policy: str) -> None:
    kind, equal, goal = PEERS[policy]
    ratios = []
    for name, (ids, path) in traces.items():
        simulate(ids[:1000], policy, CAPACITY)  # compiles
        ours, theirs = [], []
        for _ in range(REPEATS):
            ours.append(timed(simulate, ids, policy, CAPACITY, threads=1))
            theirs.append(timed(with_peer, kind, path))
        assert not equal or ours[0][1].misses == theirs[0][1]
        mine, its = (median(seconds for seconds, _ in runs) for runs in (ours, theirs))
        ratios.append(its / mine)
        benchmark.extra_info[f"{name}: M accesses per CPU second, hotrow"] = round(ACCESSES / mine / 1e6, 1)
        benchmark.extra_info[f"{name}: M accesses per CPU second, libcachesim"] = round(ACCESSES / its / 1e6, 2)
    benchmark.extra_info["libcachesim seconds / hotrow seconds"] = round(geometric_mean(ratios), 1)
    benchmark.extra_info["to reach"] = goal
    benchmark.pedantic(simulate, (traces["a"][0], policy, CAPACITY), rounds=1)


@pytest.mark.parametrize("policy", WITHOUT_PEER)
def test_alone(benchmark: Any, traces: Any, policy: str) -> None:
    capacity = CAPACITY // 32 * 32
    for name, (ids, _) in traces.items():
        simulate(ids[:1000], policy, capacity)
        mine = median(timed(simulate, ids, policy, capacity, threads=1)[0] for _ in range(REPEATS))
        benchmark.extra_info[f"{name}: M accesses per CPU second, hotrow"] = round(ACCESSES / mine / 1e6, 1)
    benchmark.pedantic(simulate, (traces["a"][0], policy, capacity), rounds=1)


def test_six_policies_at_eight_sizes(benchmark: Any, shared: Path) -> None:
    """5 million accesses of a shop's cache: six policies at eight sizes, as `hotrow cache` shows them."""
    ids = np.load(shared / "data" / "c2k_orm_busy.npz")["f0"]
    sizes = np.unique(np.geomspace(100, 60_000, 8).astype(int)).tolist()
    compare(ids, FAST, sizes)  # compiles
    seconds = [timed(compare, ids, FAST, sizes)[0] for _ in range(REPEATS)]
    benchmark.extra_info["CPU seconds"] = round(median(seconds), 2)
    benchmark.pedantic(compare, (ids, FAST, sizes), rounds=REPEATS)
