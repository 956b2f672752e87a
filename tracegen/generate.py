"""generate: profile, samples, seed → Trace.

Every table is generated on its own, over the profile's own number of samples, by its variant's design: independent
draws, renewal, or depth band. Then lookups move a little within their tables, so that samples miss as one. Fewer
samples are the beginning of such a trace; more are such traces, one after another, with the same rows but for as many
new ones as the profile's last quarter saw. The same profile, samples and seed give the same trace.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from .. import HotrowError
from .clock import feature_of
from .locality import reuse_edges
from .popularity import expand
from .profile import TableProfile, TraceProfile
from .samples.bags import FRACTION, composed, in_succession
from .samples.chains import drawn_chains, linked_shares
from .samples.coupling import Column, column_of, couple
from .samples.layout import numbered
from .samples.levels import above, thresholds
from .samples.repeating import repeats_asked, with_repeats
from .samples.teacher import with_targets
from .sharing.dividing import divided, feature_sizes, feature_slots, with_lifts
from .synthesis.depthband import Demand, depthband
from .synthesis.renewal import calibrate, renewal
from .synthesis.rows import draw_rows
from .trace import MAX_ROWS, TableLookups, Trace, concatenate

Ints = NDArray[np.int64]


class Synthesis(NamedTuple):
    """A table's row numbers (0 the most popular) in time order, bag sizes, slots, and its share of fallbacks.

    features: bag sizes of every feature that shares the table, int64 [features, samples].
    """

    order: Ints
    sizes: Ints
    slots: Ints
    fallback: float
    features: Ints | None = None


def generate(profile: TraceProfile, samples: int | None = None, seed: int = 0, dense: int | None = None) -> Trace:
    """A synthetic trace; `samples` defaults to the profile's. The same seed gives the same trace.

    dense: so many dense features, and labels, of a planted teacher (see teacher.py); None: neither.
    """
    return concatenate(list(generate_chunks(profile, samples, seed, dense)))


def generate_chunks(
    profile: TraceProfile, samples: int | None = None, seed: int = 0, dense: int | None = None
) -> Iterator[Trace]:
    """The same trace in parts of at most the profile's number of samples. Raises HotrowError for samples < 1."""
    counts = block_samples(profile, samples)
    asked = [_asked(table) if len(counts) > 1 else None for table in profile.tables]
    ids = first_ids(profile, seed)
    for block, count in enumerate(counts):
        yield generate_block(profile, seed, block, count, ids, dense, asked)


def block_samples(profile: TraceProfile, samples: int | None) -> list[int]:
    """How many samples every block has; all but the last as many as the profile. HotrowError for samples < 1."""
    samples = profile.samples if samples is None else samples
    if samples < 1:
        raise HotrowError(f"{samples} samples; at least 1 is needed")
    if profile.samples < 1:
        raise HotrowError(f"profile {profile.name!r} has no samples to learn from")
    return [min(profile.samples, samples - start) for start in range(0, samples, profile.samples)]


def first_ids(profile: TraceProfile, seed: int) -> list[Ints]:
    """The row numbers of every table's rows in the first block, most popular first."""
    found = []
    for k, table in enumerate(profile.tables):
        order = np.zeros(0, np.int64)
        if table.layout in ("arrival", "last use", "families"):
            order = in_bags(table, table_rng(seed, k, 1)).order
        declared = min(table.rows, MAX_ROWS - 1)
        found.append(numbered(table.layout, order, table.distinct, declared, table_rng(seed, k, 0)))
    return found


def generate_block(
    profile: TraceProfile,
    seed: int,
    block: int,
    samples: int,
    ids: Sequence[Ints],
    dense: int | None = None,
    asked: Sequence[Demand | None] | None = None,
) -> Trace:
    """Block number `block` (from 0), its first `samples` samples; it does not need the blocks before.

    ids: of first_ids; dense: as of generate; asked: of every table, what its statistics ask for, where the caller has
    it already.
    """
    made = block_columns(profile, seed, block + 1, asked or [None] * len(profile.tables))
    tables: list[TableLookups] = []
    shared: list[tuple[int, TableLookups]] = []
    for k, table in enumerate(profile.tables):
        numbers = _renewed(table, ids[k], table_rng(seed, k, 0), block)
        if table.features:
            shared += _of_features(table, numbers, made[k], samples)
        else:
            tables.append(_lookups(table, numbers, made[k], samples))
    for column, feature in sorted(shared, key=lambda found: found[0]):
        tables.insert(column, feature)
    trace = Trace(tuple(tables))
    return trace if dense is None else with_targets(trace, dense, seed, block)


def _renewed(table: TableProfile, ids: Ints, rng: np.random.Generator, block: int) -> Ints:
    """The row numbers of a block: as many rows as the last quarter of the profile's clock would bring are new ones.

    The least popular ones are. A new number is drawn from all declared rows, so that it may be one that was used.
    """
    fresh = min(new_rows(table), len(ids))
    if block == 0 or fresh == 0:
        return ids
    numbers = np.random.default_rng(rng.bit_generator.seed_seq.spawn(block)[-1])  # type: ignore[attr-defined]
    return np.concatenate((ids[: len(ids) - fresh], numbers.integers(0, min(table.rows, MAX_ROWS - 1), fresh)))


def new_rows(table: TableProfile) -> int:
    """Rows that a further block would see for the first time, at the rate of the clock's last quarter."""
    if table.locality is None:
        return 0
    births = table.locality.ages.array()[:, -1]
    last = births[-max(1, len(births) // 4) :]
    noise = table.locality.noise["ages"] * len(last) ** 0.5
    found = float(last.sum()) - 2 * noise  # what noise could make is no news
    return min(max(0, int(found * len(births) / len(last))), table.rows - table.distinct)


def block_columns(profile: TraceProfile, seed: int, block: int, asked: Sequence[Demand | None]) -> list[Column]:
    """Block number `block` (from 1) of every table, coupled where the profile says how; asked: as of synthesize."""
    made = []
    for k, table in enumerate(profile.tables):
        synthesis = in_bags(table, table_rng(seed, k, block), asked[k])
        if synthesis.features is not None:
            per_sample = [feature.per_sample for feature in table.features]
            slots = feature_slots(synthesis.features, per_sample, np.arange(table.samples))
            made.append(Column(synthesis.order, slots, table.distinct, table.samples, sum(per_sample)))
            continue
        most = table.locality.per_sample if table.locality is not None else int(synthesis.sizes.max(initial=1))
        made.append(column_of(synthesis.order, synthesis.sizes, table.distinct, max(most, 1)))
    if profile.coupling is not None and profile.coupling.used:
        couple(made, profile.coupling, table_rng(seed, len(profile.tables), block))
    return made


def table_rng(seed: int, table: int, block: int) -> np.random.Generator:
    """The generator of table number `table` and block of samples `block` (0: the choice of row ids)."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(table, block)))


def synthesize(table: TableProfile, rng: np.random.Generator, asked: Demand | None = None) -> Synthesis:
    """One block of the table by its variant's design; asked: Demand.of the table, where the caller has it already."""
    if not table.features:
        sizes = _bag_sizes(table, rng)
        return _synthesized(table, sizes, _filled_slots(table, sizes[None], rng), rng, asked)
    made = _undivided(table, rng, asked)
    return made._replace(order=divided(table, made.order, made.slots, rng))


def ready_to_divide(table: TableProfile, rng: np.random.Generator) -> TableProfile:
    """The table with its lifts, where several features share it."""
    if not table.features:
        return table
    made = _undivided(table, rng, None)
    return with_lifts(table, made.order, made.slots, rng)


def _undivided(table: TableProfile, rng: np.random.Generator, asked: Demand | None) -> Synthesis:
    """A shared table's lookups in time, whoever makes them."""
    features = feature_sizes(table, rng)
    made = _synthesized(table, features.sum(0), _filled_slots(table, features, rng), rng, asked)
    return made._replace(features=features)


def _bag_sizes(table: TableProfile, rng: np.random.Generator) -> Ints:
    """The table's bags in succession."""
    sizes = np.ones(table.samples, np.int64) if table.bags is None else expand(table.bags)
    locality = table.locality
    if table.bags is not None and locality is not None and locality.steps is not None:
        steps = locality.steps.array()
        sizes = in_succession(sizes, steps, locality.noise["steps"], locality.per_sample, rng)
    elif table.bags is not None:
        rng.shuffle(sizes)
    return sizes


def _synthesized(
    table: TableProfile, sizes: Ints, slots: Ints, rng: np.random.Generator, asked: Demand | None
) -> Synthesis:
    """The table's lookups at these slots, in which samples have these sizes."""
    locality = table.locality
    if locality is None:
        return Synthesis(_independent(table, rng), sizes, slots, 0.0)
    if table.variant.design == "independent":
        return Synthesis(_independent(table, rng), sizes, slots, 0.0)
    rows = draw_rows(table, locality, table.variant, rng)
    if table.variant.design == "renewal":
        calibration = table.calibration or calibrate(rows, locality, rng)
        chains = None
        if table.variant.chains and locality.kin is not None:
            chains = drawn_chains(rows.counts, linked_shares(locality.kin.array(), locality.noise["kin"]), rng)
        return Synthesis(renewal(rows, locality, calibration, rng, chains), sizes, slots, 0.0)
    bands = depthband(rows, locality, (asked or Demand.of(table, locality)).corrected(table.demand), slots, rng)
    return Synthesis(bands.order, sizes, slots, bands.fallback)


def _asked(table: TableProfile) -> Demand | None:
    """What the depth band asks of every block; None for other designs."""
    if table.locality is None or table.variant.design != "depthband":
        return None
    return Demand.of(table, table.locality)


def in_bags(table: TableProfile, rng: np.random.Generator, asked: Demand | None = None) -> Synthesis:
    """One block as of synthesize, its lookups in an order in which bags hold cold ones and repeats as released."""
    made = synthesize(table, rng, asked)
    known = table.locality
    if known is None or known.contents is None or not len(made.order):
        return made
    limit = int(thresholds(known.reuse.array(), table.distinct, reuse_edges(known.length), (FRACTION,))[0])
    noise = known.noise["contents"]
    contents = known.contents.array()
    order = composed(made.order, made.sizes, table.distinct, known.per_sample, limit, contents, noise, rng)
    repeated = None
    if known.repeats is not None:
        repeated = repeats_asked(known.repeats.array(), known.noise["repeats"], len(made.sizes), known.per_sample)
    if repeated is not None:
        column = column_of(order, made.sizes, table.distinct, known.per_sample)
        passed = above(column.numbers, column.slots, table.distinct, np.array([limit]))
        order = with_repeats(order, made.sizes, table.distinct, passed, repeated, rng)
    return made._replace(order=order)


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


def _filled_slots(table: TableProfile, sizes: Ints, rng: np.random.Generator) -> Ints:
    """Slots of the clock that bags of these sizes, features × samples, fill; where some samples were emptied, the rest
    lie at random."""
    if table.locality is None and not table.features:
        return np.arange(table.accesses)
    samples = sizes.shape[1] if table.locality is None else table.locality.samples
    sample = np.arange(samples)
    if sizes.shape[1] < samples:
        sample = np.sort(rng.choice(samples, sizes.shape[1], replace=False))
    slots = [feature.per_sample for feature in table.features]
    return feature_slots(sizes, slots or [1 if table.locality is None else table.locality.per_sample], sample)


def _lookups(table: TableProfile, ids: Ints, made: Column, samples: int) -> TableLookups:
    if table.bags is None:
        return TableLookups(table.name, table.rows, ids[made.numbers[:samples]])
    offsets = np.concatenate(([0], np.cumsum(made.sizes()[:samples])))
    return TableLookups(table.name, table.rows, ids[made.numbers[: offsets[-1]]], offsets)


def _of_features(table: TableProfile, ids: Ints, made: Column, samples: int) -> list[tuple[int, TableLookups]]:
    """The lookups of every feature that shares the table, with its place among the log's columns."""
    owner, sample = feature_of(made.slots, [f.per_sample for f in table.features]), made.slots // made.most
    found = []
    for k, feature in enumerate(table.features):
        mine = (owner == k) & (sample < samples)
        offsets = None
        if not feature.one_hot:
            offsets = np.concatenate(([0], np.cumsum(np.bincount(sample[mine], minlength=samples))))
        found.append((feature.column, TableLookups(feature.name, table.rows, ids[made.numbers[mine]], offsets)))
    return found
