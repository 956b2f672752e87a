"""generate: profile, samples, seed → Trace.

Every table is generated on its own, over the profile's own number of samples, by its variant's design: independent
draws, renewal, or depth band. Then lookups move a little within their tables, so that samples miss as one. Fewer
samples are the beginning of such a trace; more are traces that follow one another with the same rows. The same
profile, samples and seed give the same trace.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from .. import HotrowError
from .popularity import expand
from .profile import TableProfile, TraceProfile
from .samples.coupling import Column, column_of, couple
from .synthesis.depthband import Demand, depthband
from .synthesis.renewal import calibrate, renewal
from .synthesis.rows import draw_rows
from .trace import MAX_ROWS, TableLookups, Trace, concatenate

Ints = NDArray[np.int64]


class Synthesis(NamedTuple):
    """A table's row numbers (0 the most popular) in time order, bag sizes, slots, and its share of fallbacks."""

    order: Ints
    sizes: Ints
    slots: Ints
    fallback: float


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
    ids = [row_ids(table, table_rng(seed, k, 0)) for k, table in enumerate(profile.tables)]
    asked = [_asked(table) if samples > profile.samples else None for table in profile.tables]
    for block, start in enumerate(range(0, samples, profile.samples)):
        count = min(profile.samples, samples - start)
        made = block_columns(profile, seed, block + 1, asked)
        yield Trace(tuple(_lookups(t, ids[k], made[k], count) for k, t in enumerate(profile.tables)))


def block_columns(profile: TraceProfile, seed: int, block: int, asked: Sequence[Demand | None]) -> list[Column]:
    """Block number `block` (from 1) of every table, coupled where the profile says how; asked: as of synthesize."""
    made = []
    for k, table in enumerate(profile.tables):
        synthesis = synthesize(table, table_rng(seed, k, block), asked[k])
        most = table.locality.per_sample if table.locality is not None else int(synthesis.sizes.max(initial=1))
        made.append(column_of(synthesis.order, synthesis.sizes, table.distinct, max(most, 1)))
    if profile.coupling is None or not profile.coupling.used:
        return made
    return couple(made, profile.coupling, table_rng(seed, len(profile.tables), block))


def table_rng(seed: int, table: int, block: int) -> np.random.Generator:
    """The generator of table number `table` and block of samples `block` (0: the choice of row ids)."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(table, block)))


def row_ids(table: TableProfile, rng: np.random.Generator) -> Ints:
    """Which row numbers the rows of the profile get, most popular first: hashed, so at random."""
    return rng.choice(min(table.rows, MAX_ROWS - 1), table.distinct, replace=False).astype(np.int64)


def synthesize(table: TableProfile, rng: np.random.Generator, asked: Demand | None = None) -> Synthesis:
    """One block of the table by its variant's design; asked: Demand.of the table, where the caller has it already."""
    sizes = np.ones(table.samples, np.int64) if table.bags is None else expand(table.bags)
    if table.bags is not None:
        rng.shuffle(sizes)
    locality = table.locality
    if locality is None:
        return Synthesis(_independent(table, rng), sizes, np.arange(table.accesses), 0.0)
    slots = _filled_slots(sizes, locality.samples, locality.per_sample, rng)
    if table.variant.design == "independent":
        return Synthesis(_independent(table, rng), sizes, slots, 0.0)
    rows = draw_rows(table, locality, table.variant, rng)
    if table.variant.design == "renewal":
        calibration = table.calibration or calibrate(rows, locality, rng)
        return Synthesis(renewal(rows, locality, calibration, rng), sizes, slots, 0.0)
    bands = depthband(rows, locality, asked or Demand.of(table, locality), slots, rng)
    return Synthesis(bands.order, sizes, slots, bands.fallback)


def _asked(table: TableProfile) -> Demand | None:
    """What the depth band asks of every block; None for other designs."""
    if table.locality is None or table.variant.design != "depthband":
        return None
    return Demand.of(table, table.locality)


def calibrated(table: TableProfile, rng: np.random.Generator) -> TableProfile:
    """The table with its calibration, where its variant has one."""
    if table.locality is None or table.variant.design != "renewal":
        return table
    rows = draw_rows(table, table.locality, table.variant, rng)
    return msgspec.structs.replace(table, calibration=calibrate(rows, table.locality, rng))


def _independent(table: TableProfile, rng: np.random.Generator) -> Ints:
    order = np.repeat(np.arange(table.distinct), expand(table.counts))
    rng.shuffle(order)
    return order


def _filled_slots(sizes: Ints, samples: int, per_sample: int, rng: np.random.Generator) -> Ints:
    """Slots of the clock that bags of these sizes fill; where some samples were emptied, the rest lie at random."""
    sample = np.arange(samples)
    if len(sizes) < samples:
        sample = np.sort(rng.choice(samples, len(sizes), replace=False))
    starts = np.cumsum(sizes) - sizes
    return np.repeat(sample * per_sample - starts, sizes) + np.arange(int(sizes.sum()))


def _lookups(table: TableProfile, ids: Ints, made: Column, samples: int) -> TableLookups:
    if table.bags is None:
        return TableLookups(table.name, table.rows, ids[made.numbers[:samples]])
    offsets = np.concatenate(([0], np.cumsum(made.sizes()[:samples])))
    return TableLookups(table.name, table.rows, ids[made.numbers[: offsets[-1]]], offsets)
