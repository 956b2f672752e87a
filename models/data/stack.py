"""Lookups from a stack-distance distribution: an LRU stack that goes on over bags and batches.

The distribution is the DLRM benchmark's (dist_emb_j.log): three lines, the distinct ids in order of first touch, the
distinct stack distances in rising order, and their cumulated probabilities. Distance 0 is a first access, 1 an
immediate repeat. Source: facebookresearch/dlrm, whose own generator starts anew with every bag and so loses the
locality.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import HotrowError
from ...jit import kernel
from ...tracegen.trace import TableLookups, Trace
from ..config import ModelConfig
from .distributions import Pooling, bag_sizes, stream_key

NUMPY_NAME = re.compile(rb"np\.u?int64\((\d+)\)")  # as the benchmark writes ids under numpy 2
ROWS, SIZES = 6, 7  # streams of random numbers


@dataclass(frozen=True, eq=False)
class StackDistances:
    """ids int64 [n] in order of first touch; distances int64 [m], rising; cumulated float64 [m], ending in 1."""

    ids: NDArray[np.int64]
    distances: NDArray[np.int64]
    cumulated: NDArray[np.float64]


def read_stack_distances(path: Path) -> StackDistances:
    """A dist_emb_j.log file, also one that numpy 2 wrote. Raises HotrowError with the line and the rule."""
    try:
        lines = NUMPY_NAME.sub(rb"\1", path.read_bytes()).split(b"\n")
    except OSError as error:
        raise HotrowError(
            f"{path}: cannot be read ({error.strerror}); name the files with --data-trace-file"
        ) from error
    if len(lines) < 3:
        raise HotrowError(f"{path}: {len(lines)} lines; ids, stack distances and cumulated probabilities are needed")
    ids, distances = (_numbers(path, k + 1, lines[k], int) for k in (0, 1))
    cumulated = _numbers(path, 3, lines[2], float)
    if len(cumulated) != len(distances):
        raise HotrowError(f"{path}, line 3: {len(cumulated)} probabilities; line 2 has {len(distances)} distances")
    if distances[0] < 0 or (np.diff(distances) <= 0).any() or distances[-1] > len(ids):
        raise HotrowError(f"{path}, line 2: distances must rise from 0 or more up to at most {len(ids)}, the ids")
    if cumulated[0] < 0 or (np.diff(cumulated) < 0).any() or abs(cumulated[-1] - 1) > 1e-6:
        raise HotrowError(f"{path}, line 3: cumulated probabilities must rise from 0 or more to 1")
    return StackDistances(ids, distances, cumulated)


def stack_trace(
    config: ModelConfig, tables: Sequence[StackDistances], samples: int, pooling: Pooling, seed: int
) -> Trace:
    """`samples` samples whose lookups follow the tables' stack distances; ids are taken modulo the table's rows."""
    lookups = []
    for k, (own, source) in enumerate(zip(config.tables, tables, strict=True)):
        sizes = bag_sizes(stream_key(seed, SIZES, k), 0, samples, pooling)
        drawn = np.random.default_rng([seed, ROWS, k]).random(int(sizes.sum()))
        chosen = np.minimum(np.searchsorted(source.cumulated, drawn, "right"), len(source.distances) - 1)
        ids = np.empty(len(drawn), np.int64)
        _follow(ids, source.distances[chosen], source.ids[::-1].copy())
        offsets = np.concatenate(([0], np.cumsum(sizes)))
        lookups.append(TableLookups(own.name, own.rows, ids % own.rows, offsets))
    return Trace(tuple(lookups))


def _numbers(path: Path, line: int, text: bytes, kind: type) -> NDArray[Any]:
    try:
        values = np.array([kind(word) for word in text.split(b",")])
    except ValueError as error:
        raise HotrowError(f"{path}, line {line}: {error}; numbers parted by commas are needed") from error
    return values.astype(np.int64 if kind is int else np.float64)


@kernel
def _follow(out: Any, distances: Any, stack: Any) -> None:
    """The stack's end is its top. Distance 0 takes the bottom, which is the row least recently used, if ever."""
    n = len(stack)
    for k in range(len(out)):
        place = n - distances[k] if distances[k] > 0 else 0
        row = stack[place]
        for above in range(place, n - 1):
            stack[above] = stack[above + 1]
        stack[n - 1] = row
        out[k] = row
