"""Question: what does a profile look like as a trace? Written by one process or many, always the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from ...progress import Advance, ignore
from ...tracegen import files
from ...tracegen.generate import generate_chunks
from ...tracegen.profile import TraceProfile
from ...tracegen.scale.parallel import generate_in_parallel, write_folder
from ...tracegen.trace import Trace
from ..parallel.executor import AHEAD, maker
from .room import require_room


def write(
    profile: TraceProfile,
    target: Path,
    samples: int | None = None,
    seed: int = 0,
    to: str | None = None,
    workers: int = 1,
    scheduler: str | None = None,
    advance: Advance = ignore,
    dense: int | None = None,
) -> tuple[int, int]:
    """Write a synthetic trace; its samples and lookups.

    A target without a suffix (and no format `to`) becomes a folder of Parquet files, written by the workers; any other
    is written here, from blocks that they make. dense: as of generate.
    """
    if scheduler is None:  # whose workers have memory of their own
        block = sum(table.accesses for table in profile.tables)
        require_room(block * workers, "the profile's blocks are as long as its log; fit it with --first")
    with ExitStack() as stack:
        pool = None
        if workers > 1 or scheduler is not None:
            pool = stack.enter_context(maker(scheduler, workers)())
        if not target.suffix and to is None:
            lookups = write_folder(profile, target, samples, seed, pool, AHEAD * workers, advance, dense)
            return profile.samples if samples is None else samples, lookups
        if pool is None:
            parts = generate_chunks(profile, samples, seed, dense)
        else:
            parts = generate_in_parallel(profile, samples, seed, pool, AHEAD * workers, dense)
        counts = [0, 0]
        files.write(_counted(parts, counts, advance), target, to)
    return counts[0], counts[1]


def _counted(parts: Iterator[Trace], counts: list[int], advance: Advance) -> Iterator[Trace]:
    """The parts, their samples and lookups added to `counts` on the way."""
    for part in parts:
        yield part
        counts[0] += part.samples
        counts[1] += part.accesses
        advance(part.samples)
