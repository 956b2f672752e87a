"""generate: profile, samples, seed → Trace.

Draws are independent: every table's lookups are a random order of its rows, each as often as the profile counts it,
so popularity is exact over the profile's own number of samples. Fewer samples are the beginning of such an order;
more are orders that follow one another, so a row's share of the lookups stays and its count grows.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .. import HotrowError
from .popularity import expand
from .profile import TableProfile, TraceProfile
from .trace import MAX_ROWS, TableLookups, Trace, concatenate


def generate(profile: TraceProfile, samples: int | None = None, seed: int = 0) -> Trace:
    """A synthetic trace; `samples` defaults to the profile's. The same seed gives the same trace."""
    return concatenate(list(generate_chunks(profile, samples, seed)))


def generate_chunks(profile: TraceProfile, samples: int | None = None, seed: int = 0) -> Iterator[Trace]:
    """The same trace in parts of at most the profile's number of samples. Raises HotrowError for samples < 1."""
    samples = profile.samples if samples is None else samples
    if samples < 1:
        raise HotrowError(f"{samples} samples; at least 1 is needed")
    if profile.samples < 1:
        raise HotrowError(f"profile {profile.name!r} has no samples to learn from")
    ids = [_row_ids(table, _rng(seed, k, 0)) for k, table in enumerate(profile.tables)]
    for block, start in enumerate(range(0, samples, profile.samples)):
        count = min(profile.samples, samples - start)
        yield Trace(
            tuple(_table(table, ids[k], count, _rng(seed, k, block + 1)) for k, table in enumerate(profile.tables))
        )


def _rng(seed: int, table: int, block: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(table, block)))


def _row_ids(table: TableProfile, rng: np.random.Generator) -> NDArray[np.int64]:
    """Which row numbers the rows of the profile get, most popular first: hashed, so at random."""
    return rng.choice(min(table.rows, MAX_ROWS - 1), table.distinct, replace=False).astype(np.int64)


def _table(table: TableProfile, ids: NDArray[np.int64], samples: int, rng: np.random.Generator) -> TableLookups:
    indices = np.repeat(ids, expand(table.counts))
    rng.shuffle(indices)
    if table.bags is None:
        return TableLookups(table.name, table.rows, indices[:samples])
    sizes = expand(table.bags)
    rng.shuffle(sizes)
    offsets = np.concatenate(([0], np.cumsum(sizes[:samples])))
    return TableLookups(table.name, table.rows, indices[: offsets[-1]], offsets)
