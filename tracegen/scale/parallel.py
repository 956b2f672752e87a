"""Generate in parallel: blocks of samples are independent tasks of an executor, and arrive in order.

Which worker makes a block changes nothing: every table and block has a seed of its own. Memory holds as many blocks as
are under way, whatever the length of the trace.
"""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import TypeVar

import numpy as np

from ... import HotrowError
from ...progress import Advance, ignore
from .. import files
from ..generate import block_samples, first_ids, generate_block
from ..profile import TraceProfile, load
from ..trace import Trace

Result = TypeVar("Result")

PROFILE = "profile.json"


def generate_in_parallel(
    profile: TraceProfile, samples: int | None, seed: int, executor: Executor, ahead: int, dense: int | None = None
) -> Iterator[Trace]:
    """The parts that generate_chunks yields, made by the executor; at most `ahead` are under way."""
    counts = block_samples(profile, samples)
    ids = first_ids(profile, seed)
    tasks = (
        executor.submit(generate_block, profile, seed, block, count, ids, dense) for block, count in enumerate(counts)
    )
    yield from _in_order(tasks, ahead)


def write_folder(
    profile: TraceProfile,
    folder: Path,
    samples: int | None = None,
    seed: int = 0,
    executor: Executor | None = None,
    ahead: int = 2,
    advance: Advance = ignore,
    dense: int | None = None,
) -> int:
    """A folder of Parquet files, one per block, each written by the worker that makes it; returns the lookups.

    Read in the order of their names they are the trace; the same bytes whatever the executor. What a broken run leaves
    is removed. Raises HotrowError where `folder` is there already.
    """
    if folder.exists():
        raise HotrowError(f"{folder}: is there already; name a new folder")
    counts = block_samples(profile, samples)
    beside = folder.with_name(f".partial-{folder.name}")
    try:
        beside.mkdir(parents=True)
    except FileExistsError:
        raise HotrowError(f"{beside}: a run is under way there, or one was killed; then remove it") from None
    shared = beside / "shared"
    shared.mkdir()
    try:
        profile.save(shared / PROFILE)
        for table, ids in enumerate(first_ids(profile, seed)):  # where rows lie by their use, as much work as a block
            np.save(shared / f"{table}.npy", ids)
        digits = max(5, len(str(len(counts))))
        places = [beside / f"part-{block:0{digits}}.parquet" for block in range(len(counts))]
        arguments = [
            (shared, seed, block, n, place, dense) for block, (n, place) in enumerate(zip(counts, places, strict=True))
        ]
        lookups = 0
        made = map(_task, arguments) if executor is None else _in_order(_submitted(executor, arguments), ahead)
        for number, count in zip(made, counts, strict=True):
            lookups += number
            advance(count)
        shutil.rmtree(shared)
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return lookups


Arguments = tuple[Path, int, int, int, Path, int | None]


def _submitted(executor: Executor, arguments: list[Arguments]) -> Iterator[Future[int]]:
    return (executor.submit(_task, each) for each in arguments)


def _task(arguments: Arguments) -> int:
    """Make one block and write it; its lookups."""
    shared, seed, block, samples, target, dense = arguments
    profile = load(shared / PROFILE)
    ids = [np.load(shared / f"{table}.npy") for table in range(len(profile.tables))]
    part = generate_block(profile, seed, block, samples, ids, dense)
    files.write(part, target)
    return part.accesses


def _in_order(tasks: Iterator[Future[Result]], ahead: int) -> Iterator[Result]:
    """Results in the order of their tasks, of which at most `ahead` are submitted and not yet taken."""
    waiting: deque[Future[Result]] = deque()
    try:
        for task in tasks:
            waiting.append(task)
            if len(waiting) >= max(1, ahead):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for task in waiting:
            task.cancel()
