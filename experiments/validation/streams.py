"""Streams of ids for validation: uniform, by Zipf's law, or a trace's own order, on a table of any number of rows."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...analysis.recommendation.interleave import interleaved
from ...atomic import replacing
from ...models.config import ModelConfig
from ...models.tables import TableConfig
from ...profiling.operators import draw_rows
from ...tracegen import files
from ...tracegen.generate import generate
from ...tracegen.profile import built_in
from ...tracegen.published import load_profile
from ...tracegen.trace import TableLookups, Trace
from .frozen import Bag, Whole

Ids = NDArray[np.int32]
STREAM = 1 << 18  # lookups after which a configuration's calls repeat, at least
MOST_CALLS = 1024  # different ones, at most
FEWEST_CALLS = 4
MOST_IDS = 1 << 22  # kept of one trace
SCATTER = 2654435761  # Knuth's multiplicative hash, so that a trace's first ids do not lie side by side


def write_traces(names: Iterable[str], path: Path, folder: Path | None = None) -> Path:
    """Keep the ids of these traces, in the order a model makes them, in one file; those there already are not redone.

    folder: where the real traces lie (NAME.npz); without it, or where one is missing, it is drawn from the built-in
    profile of its name.
    """
    wanted = sorted(set(names) & set(built_in()))
    if path.exists() and set(wanted) <= set(np.load(path).files):
        return path
    kept: dict[str, Any] = {name: interleaved(_trace(name, folder))[:MOST_IDS].astype(np.int64) for name in wanted}
    with replacing(path) as beside, beside.open("wb") as file:
        np.savez(file, **kept)
    return path


def _trace(name: str, folder: Path | None) -> Trace:
    real = None if folder is None else folder / f"{name}.npz"
    return files.read(real) if real is not None and real.exists() else generate(load_profile(name))


def bag_calls(bag: Bag, traces: Mapping[str, NDArray[np.int64]]) -> Ids:
    """Ids of the calls of one configuration, which are gone through in turn: int32 [calls, lookups]."""
    calls = min(MOST_CALLS, max(FEWEST_CALLS, STREAM // bag.lookups))
    return ids(bag.ids, bag.rows, calls * bag.lookups, bag.name, traces).reshape(calls, bag.lookups)


def model_trace(whole: Whole, samples: int, traces: Mapping[str, NDArray[np.int64]]) -> Trace:
    """The trace of a whole model: every table draws its own ids, by the same law."""
    offsets = np.arange(samples + 1, dtype=np.int64) * whole.pooling
    return Trace(
        tuple(
            TableLookups(
                f"t{k}",
                rows,
                ids(whole.ids, rows, samples * whole.pooling, f"{whole.name} {k}", traces),
                None if whole.pooling == 1 else offsets,
            )
            for k, rows in enumerate(whole.rows)
        )
    )


def model_config(whole: Whole) -> ModelConfig:
    """The model of a configuration."""
    tables = tuple(
        TableConfig(f"t{k}", rows, whole.bottom[-1], float(whole.pooling)) for k, rows in enumerate(whole.rows)
    )
    return ModelConfig(whole.name, whole.dense, whole.bottom, whole.top, whole.interaction, tables)


def ids(law: str, rows: int, count: int, seed: str, traces: Mapping[str, NDArray[np.int64]]) -> Ids:
    """`count` ids below `rows` by a law; the same for the same `seed`."""
    rng = np.random.default_rng(zlib.crc32(seed.encode()))
    if law == "uniform":
        return draw_rows(rows, count, 0.0, rng)
    if law.startswith("zipf "):
        return draw_rows(rows, count, float(law.split()[1]), rng)
    own = traces[law]
    start = int(rng.integers(len(own)))
    taken = np.take(own, np.arange(start, start + count), mode="wrap")
    return (taken * SCATTER % rows).astype(np.int32)
