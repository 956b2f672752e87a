"""How L2 misses grow with co-located models: prints the tables of docs/hierarchy.md.

Run from the checkout as `.venv/bin/python tests/benchmarks/colocation_growth.py`; minutes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hotrow.analysis.memory.colocation_cache import SharedCaches, simulate_colocation
from hotrow.analysis.memory.layout import Layout
from hotrow.analysis.memory.levels import levels_of
from hotrow.profiling.machine_files import load_machine
from hotrow.tracegen.trace import TableLookups, Trace

MODELS = (1, 2, 4, 8, 12, 16, 20, 24, 28, 32, 40)
TABLES, ROWS, POOLING, ROW_BYTES = 8, 4_000_000, 80, 128  # the model rm1: 32 float32 values a row
WEIGHTS = 100_416  # rm1's multiply-adds, each with a weight of its own, all read for every sample
CASES = {"embeddings alone": 0, "and int8 weights": 1, "and float32 weights": 4}  # bytes of a weight
ZIPF = 0.9
SAMPLES = 1200  # of all models together, at least 60 of each; the first half warms up

SOCKETS = ("broadwell", "skylake")  # machine files; of both kinds of L3 each, so that geometry and inclusion come apart


def model(number: int, samples: int, cumulative: NDArray[np.float64], weight_lines: int) -> Trace:
    """Samples of one model; its rows and its draws are its own."""
    rng = np.random.default_rng([20, number])
    bags = np.arange(0, samples * POOLING + 1, POOLING)
    tables = []
    for table in range(TABLES):
        ranks = np.minimum(np.searchsorted(cumulative, rng.random(samples * POOLING)), ROWS - 1)
        step = int(rng.integers(1, ROWS)) * 2 + 1  # spreads the ranks over the table, one to one where coprime
        while np.gcd(step, ROWS) > 1:
            step += 2
        tables.append(TableLookups(f"t{table}", ROWS, (ranks * step + table) % ROWS, bags))
    if weight_lines:
        lines = np.tile(np.arange(weight_lines), samples)
        tables.append(TableLookups("weights", weight_lines, lines, np.arange(samples + 1) * weight_lines))
    return Trace(tuple(tables))


def main() -> None:
    """Print the misses of L2 and L3 per sample and model in each case."""
    cumulative = np.cumsum(np.arange(1, ROWS + 1) ** -ZIPF)
    cumulative /= cumulative[-1]
    for case, weight_bytes in CASES.items():
        print(f"\n| {case}: L2 / L3 |" + "".join(f" {count} |" for count in MODELS), flush=True)
        rows: dict[tuple[str, str], list[str]] = {}
        for count in MODELS:
            samples = max(60, SAMPLES // count)
            traces = [model(n, samples, cumulative, WEIGHTS * weight_bytes // 64) for n in range(count)]
            row_bytes = [ROW_BYTES] * TABLES + [64] * (weight_bytes > 0)
            layouts = [Layout.of_rows(trace, row_bytes) for trace in traces]
            for socket in SOCKETS:
                *private, shared = levels_of(load_machine(socket))[0]
                for inclusion in ("inclusive", "exclusive"):
                    caches = SharedCaches(socket.capitalize(), tuple(private), (shared,), inclusion)
                    run = simulate_colocation(traces, layouts, caches, warm_up=samples // 2)
                    each = run.models * run.samples
                    l2, l3 = run.levels[1].misses / each, run.levels[2].misses / each
                    rows.setdefault((caches.name, inclusion), []).append(f" {l2:.0f} / {l3:.0f} |")
        for (socket, inclusion), cells in rows.items():
            print(f"| {socket}, {inclusion} L3 |" + "".join(cells), flush=True)


if __name__ == "__main__":
    main()
