"""Criteo TSV: lines per second against pandas, and memory on five million lines."""

import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest

from hotrow.tracegen import files
from hotrow.tracegen.formats import criteo_lines

ROWS = (1460, 583, 10131227, 2202608, 305, 24, 12517, 633, 3, 93145, 5683, 8351593, 3194, 27, 14992, 5461306, 10, 5652)
ROWS += (2173, 4, 7046547, 18, 15, 286181, 105, 142572)  # the Criteo Kaggle tables
LINES = 1_000_000
BLOCK = 50_000
MIB = 2**20

# The peak resident set of this process image alone: ru_maxrss also counts the parent's, from before exec.
SCAN = """
import re, sys
from hotrow.tracegen import files
samples = 0
for part in files.scan(sys.argv[1], max_ind_range=int(sys.argv[2])):
    samples += part.samples
peak = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024
print(samples, sum(table.rows for table in part.tables), peak)
"""


def write_log(path: Path, lines: int, seed: int = 0) -> None:
    """A log like Criteo's: skewed ids out of as many rows as its tables have, hashed; a tenth of the ids empty."""
    rng = np.random.default_rng(seed)
    out = np.empty(BLOCK * criteo_lines.LINE_ROOM, np.uint8)
    with path.open("wb") as file:
        for start in range(0, lines, BLOCK):
            n = min(BLOCK, lines - start)
            counts = np.minimum(rng.lognormal(2, 2, (n, 13)), 1e6).astype(np.int64) - 1
            ids = (np.array(ROWS)[:, None] * rng.random((26, n)) ** 3).astype(np.int64)
            hashed = (ids * 2654435761 + np.arange(26)[:, None]) % 2**32
            hashed[rng.random((26, n)) < 0.1] = -1
            file.write(out[: criteo_lines.encode(out, rng.integers(0, 2, n), counts, hashed)].data)


def with_pandas(path: Path) -> int:
    """What one writes without hotrow: read_csv, logarithms, then a factorize per categorical column."""
    import pandas as pd

    frame = pd.read_csv(path, sep="\t", header=None)
    np.log1p(frame[list(range(1, 14))].fillna(0).clip(lower=0).to_numpy(np.float32))
    return sum(len(pd.factorize(frame[column])[1]) for column in range(14, 40))


def with_hotrow(path: Path) -> int:
    for part in files.scan(path):
        rows = sum(table.rows for table in part.tables)
    return rows


@pytest.mark.benchmark(group="criteo")
def test_speed_against_pandas(benchmark: Any, tmp_path: Path) -> None:
    path = tmp_path / "log.tsv"
    write_log(path, LINES)
    with_hotrow(path)  # compiles
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(3):
        for way, seconds in ((with_hotrow, ours), (with_pandas, theirs)):
            start = time.process_time()
            way(path)
            seconds.append(time.process_time() - start)
    benchmark.extra_info["pandas seconds / hotrow seconds"] = round(median(theirs) / median(ours), 2)
    benchmark.extra_info["lines per CPU second"] = round(LINES / median(ours))
    benchmark.pedantic(with_hotrow, (path,), rounds=3)
    assert median(theirs) >= 3 * median(ours)


@pytest.mark.benchmark(group="criteo")
def test_memory_on_five_million_lines(benchmark: Any, tmp_path: Path) -> None:
    path = tmp_path / "log.tsv"
    write_log(path, 5_000_000)
    for limit in (0, 1_000_000):
        run = [sys.executable, "-c", SCAN, str(path), str(limit)]
        answer = subprocess.run(run, capture_output=True, check=True, text=True).stdout
        samples, distinct, peak = map(int, answer.split())
        assert samples == 5_000_000
        kind = "folded" if limit else f"{distinct} distinct ids"
        benchmark.extra_info[f"MiB, {kind}"] = round(peak / MIB)
        assert peak <= 256 * MIB + (0 if limit else 32 * distinct)
    benchmark.pedantic(with_hotrow, (path,), rounds=1)
