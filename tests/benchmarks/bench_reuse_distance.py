"""Exact LRU curves: accesses per CPU second against a plain Fenwick tree and libCacheSim, on threads; and memory.

Traces of 10 million accesses: a = Zipf 0.9 over 1e6 rows, b = uniform over 1e6, c = Zipf 1.2 over 1e7; int32 ids in
memory. All of `lru_curve` counts: checks, tables, curve. The Fenwick tree is as large as the rows that are looked up,
which it is told, and numbers ids first where they are fewer than the ids; so its rate stands with the numbering and
without. libCacheSim has no exact curve in its Python package; its time is that of one LRU cache of 100,000 rows, one
point of a curve, over its own binary format mapped from disk. Rates are in million accesses per CPU second.
HOTROW_BENCH_ROWS (default 100,000,000) sets the rows of the largest case, which takes about 3 GB at that.
"""

import importlib.util
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

from hotrow.analysis.miss_ratio import LruCurveStream, lru_curve
from hotrow.analysis.reuse_time import ReuseTimes
from hotrow.analysis.sampling import sampled_curve
from hotrow.analysis.stack import lru_stack
from hotrow.analysis.stack.dense_ids import dense_ids
from hotrow.analysis.stack.lru_stack import DistanceCounts, LruStack, count_part

_spec = importlib.util.spec_from_file_location("peer_fenwick", Path(__file__).with_name("peer_fenwick.py"))
assert _spec is not None
assert _spec.loader is not None
peers: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(peers)

ACCESSES = 10_000_000
LONG = 100_000_000
ROWS = int(os.environ.get("HOTROW_BENCH_ROWS", 100_000_000))
FOLDER = str(Path(__file__).parent)
CAPACITY = 100_000
REPEATS = 7
AVX2 = {"NUMBA_CPU_NAME": "znver2", "NUMBA_CPU_FEATURES": ""}  # the features of that processor, none of this one


def zipf(rng: np.random.Generator, rows: int, exponent: float, accesses: int = ACCESSES) -> NDArray[np.int32]:
    """Independent accesses to rows of Zipf popularity, in shuffled order of ids."""
    weights = np.cumsum(np.arange(1, rows + 1, dtype=np.float64) ** -exponent)
    order = rng.permutation(rows).astype(np.int32)
    parts = [order[np.searchsorted(weights, rng.random(10**6) * weights[-1])] for _ in range(accesses // 10**6)]
    return np.concatenate(parts)


def make(name: str, accesses: int = ACCESSES) -> NDArray[np.int32]:
    rng = np.random.default_rng(20261124)
    if name == "b":
        return rng.integers(0, 10**6, accesses, np.int32)
    return zipf(rng, 10**6, 0.9, accesses) if name == "a" else zipf(rng, 10**7, 1.2, accesses)


def printed(program: str, environment: dict[str, str] | None = None) -> str:
    """What a process of its own prints."""
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def seconds(call: Callable[..., Any], *arguments: Any, clock: Callable[[], float] = time.process_time) -> float:
    start = clock()
    call(*arguments)
    return clock() - start


def one_thread(ids: NDArray[Any]) -> Any:
    return lru_curve(ids, threads=1)


def alone(ids: NDArray[Any]) -> dict[str, float]:
    """Rates of the whole call, and of the kernel within it."""
    inner, whole, within = lru_stack.access_rows, [], []
    spent = 0.0

    def timed(*arguments: Any) -> int:
        nonlocal spent
        start = time.process_time()
        found = int(inner(*arguments))
        spent += time.process_time() - start
        return found

    one_thread(ids[:1000])  # compiles
    lru_stack.access_rows = timed
    try:
        for _ in range(REPEATS):
            spent = 0.0
            whole.append(seconds(one_thread, ids))
            within.append(spent)
    finally:
        lru_stack.access_rows = inner
    taken = {"median": median(whole), "best": min(whole), "kernel, median": median(within), "kernel, best": min(within)}
    return {name: len(ids) / each / 1e6 for name, each in taken.items()}


@pytest.mark.parametrize("name", "abc")
def test_alone(benchmark: Any, name: str) -> None:
    ids = make(name)
    note(benchmark, aim=100, **alone(ids))
    benchmark.pedantic(one_thread, (ids,), rounds=REPEATS)


WITH_AVX2 = """
import json, sys
sys.path.insert(0, {folder!r})
import bench_reuse_distance as bench
rates = bench.alone(bench.make({name!r}))
wide = any("zmm" in text for text in bench.lru_stack.access_rows.inspect_asm().values())
print(json.dumps(rates | {{"wide": wide}}))
"""


@pytest.mark.parametrize("name", "abc")
def test_alone_with_avx2(benchmark: Any, name: str, tmp_path: Path) -> None:
    """The same in a process whose code is compiled for a processor without AVX-512."""
    program = WITH_AVX2.format(folder=FOLDER, name=name)
    environment = os.environ | AVX2 | {"NUMBA_CACHE_DIR": str(tmp_path)}
    rates = json.loads(benchmark.pedantic(printed, (program, environment), rounds=1))
    assert not rates.pop("wide"), "there are 512-bit registers in the code"
    note(benchmark, aim=75, **rates)


@pytest.mark.parametrize("name", "abc")
def test_against_fenwick(benchmark: Any, name: str) -> None:
    ids = make(name)
    dense, rows = dense_ids(ids)
    curve, peer = one_thread(ids), peers.fenwick_histogram(dense, rows)  # compiles
    np.testing.assert_array_equal(curve.histogram, np.trim_zeros(peer, "b"))
    calls = ((one_thread, ids), (peers.fenwick_histogram, dense, rows), (dense_ids, ids))
    turns = [[seconds(*call) for call in calls] for _ in range(REPEATS)]
    ours, theirs, numbering = (median(column) for column in zip(*turns, strict=True))
    note(
        benchmark,
        touched_rows=rows,
        hotrow=ACCESSES / ours / 1e6,
        fenwick_of_numbered_rows=ACCESSES / theirs / 1e6,
        ratio_numbering_left_out=theirs / ours,
        ratio_with_numbering=(theirs + numbering) / ours,
        aim=12,
    )
    benchmark.pedantic(one_thread, (ids,), rounds=REPEATS)


@pytest.mark.parametrize("name", "abc")
def test_against_one_cache_of_libcachesim(benchmark: Any, name: str, tmp_path: Path) -> None:
    libcachesim = pytest.importorskip("libcachesim", reason="libcachesim is a peer; pip install hotrow[peers]")
    ids = make(name)
    requests = np.zeros(len(ids), np.dtype([("time", "<u4"), ("id", "<u8"), ("size", "<u4"), ("next", "<i8")]))
    requests["id"], requests["size"] = ids, 1
    requests.tofile(tmp_path / "requests")

    def peer() -> float:
        reader = libcachesim.TraceReader(str(tmp_path / "requests"), libcachesim.TraceType.ORACLE_GENERAL_TRACE)
        cache = libcachesim.LRU(cache_size=CAPACITY, consider_obj_metadata=False)
        return float(cache.process_trace(reader)[0])

    assert peer() == pytest.approx(one_thread(ids).miss_ratio(CAPACITY), abs=1e-9)
    pairs = [(seconds(one_thread, ids), seconds(peer)) for _ in range(REPEATS)]
    ours, theirs = (median(column) for column in zip(*pairs, strict=True))
    note(benchmark, hotrow=ACCESSES / ours / 1e6, one_libcachesim_cache=ACCESSES / theirs / 1e6, ratio=theirs / ours)
    benchmark.pedantic(one_thread, (ids,), rounds=1)


@pytest.mark.parametrize("name", "abc")
def test_two_threads(benchmark: Any, name: str) -> None:
    """Two parts, each timed alone by CPU time: the longer one and the joining are the critical path of two threads."""
    ids = make(name, LONG)
    first, second = np.array_split(ids, 2)
    serial, critical, wall_one, wall_two = [], [], [], []
    for _ in range(3):
        wall_one.append(seconds(one_thread, ids, clock=time.perf_counter))
        serial.append(seconds(one_thread, ids))
        wall_two.append(seconds(lru_curve, ids, 2, clock=time.perf_counter))
        stack, counts = LruStack(), DistanceCounts()
        ahead = seconds(stack.count, first, counts)
        start = time.process_time()
        histogram, firsts, recency = count_part(second)
        beside = time.process_time() - start
        start = time.process_time()
        counts.add(histogram)
        stack.count(second[firsts], counts)
        stack.reorder(recency)
        critical.append(max(ahead, beside) + time.process_time() - start)
    note(
        benchmark,
        one_thread=LONG / median(serial) / 1e6,
        two_threads_critical_path=LONG / median(critical) / 1e6,
        ratio=median(serial) / median(critical),
        aim=1.6,
        ratio_of_wall_times=median(wall_one) / median(wall_two),
    )
    benchmark.pedantic(lru_curve, (ids,), rounds=1)


def held(what: str) -> float:
    """MiB of this process: VmRSS, resident now, or VmHWM, at most so far; Linux."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(what)).split()[1]) / 1024


MEMORY = """
import sys, numpy as np
sys.path.insert(0, {folder!r})
from bench_reuse_distance import held, make, one_thread
one_thread(np.arange(10, dtype=np.int32))
ids = make({name!r})
filler = np.ones(max(0, int((held("VmHWM") - held("VmRSS")) * 2**20)), np.uint8)  # hold what making ids took at most
before = held("VmHWM")
one_thread(ids)
print(held("VmHWM") - before)
"""
MANY_ROWS = """
import sys, numpy as np
sys.path.insert(0, {folder!r})
from bench_reuse_distance import LruCurveStream, held
stream, step = LruCurveStream(threads=1), 10**6
stream.feed(np.arange(step, dtype=np.int32))
stream, before = LruCurveStream(threads=1), held("VmRSS")
for start in range(0, {rows}, step):
    stream.feed(np.arange(start, min(start + step, {rows}), dtype=np.int32))
print(held("VmRSS") - before)
"""


@pytest.mark.parametrize("name", "abc")
def test_memory_beyond_the_trace(benchmark: Any, name: str) -> None:
    """Growth of the peak resident set over lru_curve, MiB."""
    program = MEMORY.format(folder=FOLDER, name=name)
    note(benchmark, mebibytes=float(benchmark.pedantic(printed, (program,), rounds=1)), aim=40)


def test_memory_of_many_rows(benchmark: Any) -> None:
    """Resident memory that a stream holds after so many rows, MiB."""
    program = MANY_ROWS.format(folder=FOLDER, rows=ROWS)
    note(benchmark, million_rows=ROWS / 1e6, mebibytes=float(benchmark.pedantic(printed, (program,), rounds=1)))


def test_many_rows(benchmark: Any) -> None:
    """Against plain updates of 4 bytes per row at random: a distance needs three such, to slot, bit and count."""
    stream = LruCurveStream(threads=1)
    stream.feed(np.arange(ROWS, dtype=np.int32))
    ids = np.random.default_rng(0).integers(0, ROWS, ROWS // 2, np.int32)
    counts = np.ones(ROWS, np.uint32)
    peers.update(counts, ids[:1])  # compiles
    taken = benchmark.pedantic(seconds, (stream.feed, ids), rounds=1)
    peer = seconds(peers.update, counts, ids)
    note(
        benchmark,
        million_rows=ROWS / 1e6,
        hotrow=len(ids) / taken / 1e6,
        aim=40,
        random_updates=len(ids) / peer / 1e6,
        ratio=peer / taken,
    )


@pytest.mark.parametrize("name", "abc")
def test_samples(benchmark: Any, name: str) -> None:
    """Eight samples in one pass, and AET: rates, errors against the exact curve at 60 capacities from 1e3 to 1e6."""
    ids = make(name)
    capacities = np.geomspace(1e3, 1e6, 60).astype(np.int64)
    exact = one_thread(ids).miss_ratio(capacities)
    for label, settings in (
        ("rate 0.01", {"rate": 0.01}),
        ("rate 0.001", {"rate": 0.001}),
        ("8192 rows", {"rows": 8192}),
    ):
        band = sampled_curve(ids, capacities, **settings)  # type: ignore[arg-type]
        taken = median(seconds(lambda s=settings: sampled_curve(ids, capacities, **s)) for _ in range(3))
        benchmark.extra_info[label] = {
            "M/s": round(ACCESSES / taken / 1e6, 1),
            "mean error": round(float(np.abs(band.middle - exact).mean()), 5),
            "mean width": round(float((band.high - band.low).mean()), 5),
            "inside": round(float(((band.low <= exact) & (exact <= band.high)).mean()), 3),
        }
    stream = ReuseTimes()
    taken = seconds(stream.feed, ids)
    error = np.abs(stream.miss_ratio(capacities) - exact)
    benchmark.extra_info["AET"] = {"M/s": round(ACCESSES / taken / 1e6, 1), "mean error": round(float(error.mean()), 5)}
    benchmark.pedantic(sampled_curve, (ids, capacities), {"rows": 8192}, rounds=1)


SAMPLED = """
import json, sys, time, numpy as np
sys.path.insert(0, {folder!r})
from bench_reuse_distance import held
from hotrow.analysis.recommendation.trace_samples import TraceSamples
from hotrow.tracegen.trace import TableLookups, Trace
rng, samples, spent = np.random.default_rng(0), TraceSamples(rows=8192), 0.0
for number in range({parts}):
    ids = [(2e6 * rng.random(2**16) ** 3).astype(np.int32) for _ in range(26)]
    part = Trace(tuple(TableLookups(str(k), 2 * 10**6, table) for k, table in enumerate(ids)))
    start = time.process_time()
    samples.feed(part)
    spent += time.process_time() - start
print(json.dumps(dict(held=held("VmRSS"), rate=samples.shared.accesses / spent / 1e6)))
"""


def test_samples_of_a_long_trace(benchmark: Any) -> None:
    """26 tables and one cache for all, 8 samples of 8192 rows each; memory of the process at a fourth and the end."""
    early, late = (json.loads(printed(SAMPLED.format(folder=FOLDER, parts=parts))) for parts in (16, 64))
    note(benchmark, million_lookups=64 * 26 * 2**16 / 1e6, rate=late["rate"], mebibytes=late["held"])
    note(benchmark, mebibytes_at_a_fourth=early["held"])
    benchmark.pedantic(printed, (SAMPLED.format(folder=FOLDER, parts=1),), rounds=1)


def test_numbering_scattered_ids(benchmark: Any) -> None:
    ids = make("a").astype(np.int64) * 2654435761
    pairs = [
        (seconds(dense_ids, ids), seconds(one_thread, ids), seconds(lambda: np.unique(ids, return_inverse=True)))
        for _ in range(3)
    ]
    numbering, curve, unique = (median(column) for column in zip(*pairs, strict=True))
    note(
        benchmark,
        numbering=ACCESSES / numbering / 1e6,
        curve_of_scattered_ids=ACCESSES / curve / 1e6,
        ratio_to_numpy_unique=unique / numbering,
    )
    benchmark.pedantic(dense_ids, (ids,), rounds=3)


def note(benchmark: Any, **numbers: float) -> None:
    benchmark.extra_info.update({name: round(value, 2) for name, value in numbers.items()})
