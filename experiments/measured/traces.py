"""Traces for the processes of a study: files that hold as much of a trace as a model's steps go through."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path

from ... import HotrowError
from ...models.config import ModelConfig
from ...profiling.processes.child import file_name
from ...tracegen import files
from ...tracegen.generate import generate
from ...tracegen.profile import built_in, characterize
from ...tracegen.published import load_profile
from ...tracegen.trace import Trace

LINE = 64  # bytes
CYCLE_BYTES = 128 * 2**20  # of embedding rows that batches touch before they repeat: above every last-level cache
MOST_BATCHES = 2048  # of one size, as each is made of tensors of its own
FEWEST_BATCHES = 4


def samples_for(config: ModelConfig, batches: Sequence[int]) -> int:
    """Samples after which batches of these sizes may repeat: their rows no longer fit into a cache, or there are many.

    A step that goes over few batches finds their rows in cache, however large the tables are.
    """
    return max(batch * batches_for(config, batch) for batch in batches)


def batches_for(config: ModelConfig, batch: int) -> int:
    """How many batches of this size a step goes through before it begins again."""
    lines = sum(table.pooling * ceil(4 * table.dim / LINE) for table in config.tables)
    return max(FEWEST_BATCHES, min(MOST_BATCHES, ceil(CYCLE_BYTES / (batch * max(1, lines) * LINE))))


def written(trace: Trace, config: ModelConfig, batches: Sequence[int], path: Path) -> str:
    """The part of a trace that steps of these batches go through, in the file `path`."""
    largest = max(batches)
    if trace.samples < largest:
        raise HotrowError(
            f"a batch of {largest} samples; the trace has {trace.samples}, so choose --batch 1 to {trace.samples}"
        )
    files.write(trace.samples_between(0, min(trace.samples, samples_for(config, batches))), path)
    return str(path)


def trace_files(
    names: Sequence[str], profiled: Trace | None, config: ModelConfig, batches: Sequence[int], folder: Path
) -> dict[str, str]:
    """A file for every trace named: a built-in profile, a file, or "synthetic", drawn after the one profiled.

    "uniform" needs none, as the workload draws it. Raises HotrowError where a trace does not fit the model.
    """
    made = {}
    for k, name in enumerate(name for name in names if name != "uniform"):
        trace = _trace(name, profiled, config)
        if len(trace.tables) != len(config.tables):
            raise HotrowError(
                f"axis trace: {name} has {len(trace.tables)} tables, model {config.name!r} {len(config.tables)}"
            )
        made[name] = written(trace, config, batches, folder / f"{k}-{file_name(name)[-40:]}.npz")
    return made


def _trace(name: str, profiled: Trace | None, config: ModelConfig) -> Trace:
    if name == "synthetic":
        if profiled is None:
            raise HotrowError('axis trace: "synthetic" is drawn after the trace profiled; give one with --trace')
        return generate(characterize(profiled), profiled.samples)
    if name in built_in():
        return generate(load_profile(name, len(config.tables)))
    return files.read(name)
