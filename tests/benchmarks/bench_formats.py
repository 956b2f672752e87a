"""Every trace format, written and read: lookups per second; Parquet to oracleGeneral and back, beside pyarrow alone."""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest

from hotrow.tracegen import files
from hotrow.tracegen.trace import TableLookups, Trace

SAMPLES = 200_000
ROWS = 1_000_000
ENDINGS = {
    "parquet": ".parquet",
    "npz": ".npz",
    "criteo": ".tsv",
    "benchmark_trace": ".log",
    "meta_pt": ".pt",
    "mlperf_multi_hot": "_sparse_multi_hot.npz",
    "mlperf_binary": ".bin",
    "criteo_npz": "_processed.npz",
    "oracle_general": ".oracleGeneral",
    "csv": ".csv",
}


def criteo_like(samples: int) -> Trace:
    """26 one-hot tables, 13 dense features and labels: what most formats hold."""
    rng = np.random.default_rng(0)
    tables = tuple(
        TableLookups(f"C{k + 1}", ROWS, (ROWS * rng.random(samples) ** 3).astype(np.int32)) for k in range(26)
    )
    dense = np.log1p(rng.integers(0, 1000, (samples, 13))).astype(np.float32)
    return Trace(tables, dense=dense, label=rng.integers(0, 2, samples))


def bagged(samples: int) -> Trace:
    """One table with bags of 0 to 40 lookups."""
    rng = np.random.default_rng(0)
    offsets = np.concatenate(([0], np.cumsum(rng.integers(0, 41, samples))))
    return Trace.from_ids((ROWS * rng.random(int(offsets[-1])) ** 3).astype(np.int32), ROWS, offsets=offsets)


def flat(lookups: int) -> Trace:
    return Trace.from_ids((ROWS * np.random.default_rng(0).random(lookups) ** 3).astype(np.int32), ROWS)


def cpu_seconds(run: Callable[[], Any], rounds: int = 3) -> float:
    seconds = []
    for _ in range(rounds):
        start = time.process_time()
        run()
        seconds.append(time.process_time() - start)
    return median(seconds)


def consume(path: Path, **options: Any) -> int:
    return sum(part.accesses for part in files.scan(path, **options))


@pytest.mark.benchmark(group="formats")
@pytest.mark.parametrize("name", files.FORMATS)
def test_write_and_read(benchmark: Any, tmp_path: Path, name: str) -> None:
    holds = files.formats()[name].holds
    trace = criteo_like(SAMPLES) if holds.tables else flat(26 * SAMPLES)
    path = tmp_path / f"trace{ENDINGS[name]}"
    writing = cpu_seconds(lambda: files.write(trace, path, format=name, lossy=True))
    reading = cpu_seconds(lambda: consume(path, format=name))
    info = benchmark.extra_info
    info["written, million lookups per CPU second"] = round(trace.accesses / writing / 1e6, 1)
    info["read, million lookups per CPU second"] = round(trace.accesses / reading / 1e6, 1)
    info["bytes per lookup"] = round(path.stat().st_size / trace.accesses, 2)
    benchmark.pedantic(consume, (path,), {"format": name}, rounds=1)


@pytest.mark.benchmark(group="formats")
def test_parquet_to_oracle_general_and_back(benchmark: Any, tmp_path: Path) -> None:
    """The limit is what pyarrow alone needs to decode the same column; lists of integers cost it more than integers."""
    import pyarrow.parquet as pq

    info = benchmark.extra_info
    for kind, trace in (("one-hot", flat(5_000_000)), ("bags", bagged(250_000))):
        source, target, back = tmp_path / f"{kind}.parquet", tmp_path / "t.oracleGeneral", tmp_path / "back.parquet"
        files.write(trace, source)

        def there(source: Path = source, target: Path = target) -> None:
            files.write(files.scan(source), target, lossy=True)

        def again(target: Path = target, back: Path = back) -> None:
            files.write(files.scan(target), back)

        def decoded(source: Path = source) -> int:
            return sum(batch.num_rows for batch in pq.ParquetFile(source).iter_batches(use_threads=False))

        there()
        seconds = {"to oracleGeneral": cpu_seconds(there), "back": cpu_seconds(again), "pyarrow": cpu_seconds(decoded)}
        for name, taken in seconds.items():
            info[f"{kind}, {name}, million lookups per CPU second"] = round(trace.accesses / taken / 1e6, 1)
    benchmark.pedantic(there, rounds=1)
