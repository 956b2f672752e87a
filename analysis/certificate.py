"""Certificate: which way of generating fits the released statistics best, and how good it can be known to be.

The age matrix of a profile implies an LRU curve (tracegen/synthesis/depths.py). Every candidate is generated and its
exact curve compared with the implied one: the mean difference is the claim. Nothing here has seen the real trace, so
the choice costs no privacy. The implied curve is itself not exact; that part is the floor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..progress import Advance, ignore
from ..tracegen import locality as measured
from ..tracegen.clock import ClockedTable
from ..tracegen.generate import Synthesis, calibrated, synthesize, table_rng
from ..tracegen.profile import Certificate, TableLocality, TableProfile, TraceProfile, Variant
from ..tracegen.synthesis.depthband import Demand
from ..tracegen.synthesis.depths import depth_edges, implied_depths
from .fidelity import by_lag, cache_sizes
from .miss_ratio import lru_curve

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

CANDIDATES = (
    Variant("renewal"),
    Variant("renewal", windows=False),
    Variant("depthband"),
    Variant("depthband", windows=False),
    Variant("independent"),
)
NOISY = (  # beside CANDIDATES, where noise is
    Variant("renewal", spans="prior"),
    Variant("renewal", spans="raw"),
    Variant("depthband", spans="raw"),
)
DRIFT_WEIGHT, PAIRS_WEIGHT, SPANS_WEIGHT, FALLBACK_WEIGHT = 0.02, 0.05, 0.02, 0.05  # of other distances
PLAIN_FLOOR = 0.002  # error of an implied curve on traces without phases
PHASE_FLOOR = 0.25  # of how far the implied curve is from one that knows no phases
VOUCHED = 0.009  # an estimate above this was off by more than .005 on tuning traces, in either direction
FIRM = 0.006  # so is a floor above this: the estimate could not be right to .005
DRIFTING = 0.15  # so is a drift distance above this
FEW_WINDOWS = 4  # so short is the trace for its noise where a release dares no more windows of ages
FEW_ROWS = 20  # fewer rows obey no law of large numbers


@dataclass(frozen=True)
class Candidate:
    """A table with its variant (and calibration), and the generated trace's distances from the released statistics."""

    table: TableProfile
    claim: float
    drift: float
    pairs: float
    spans: float
    fallback: float

    @property
    def score(self) -> float:
        """What selection minimizes."""
        others = DRIFT_WEIGHT * self.drift + PAIRS_WEIGHT * self.pairs + SPANS_WEIGHT * self.spans
        return self.claim + others + FALLBACK_WEIGHT * self.fallback


def select(profile: TraceProfile, seed: int = 0, advance: Advance = ignore) -> TraceProfile:
    """The profile with every table's best variant and certificate; advance is told the lookups of each that is done."""
    tables = []
    for number, table in enumerate(profile.tables):
        tables.append(select_table(table, seed, number))
        advance(table.accesses)
    return msgspec.structs.replace(profile, tables=tuple(tables))


def select_table(table: TableProfile, seed: int = 0, number: int = 0) -> TableProfile:
    """The table with its best variant and certificate; as it is where it has no locality to compare with."""
    locality = table.locality
    if locality is None:
        return table
    noisy = locality.noise["spans"] > 0
    best, certificate = best_of(table, locality, (*CANDIDATES, *(NOISY if noisy else ())), seed, number)
    return msgspec.structs.replace(best.table, certificate=certificate)


def best_of(
    table: TableProfile, locality: TableLocality, variants: Sequence[Variant], seed: int, number: int
) -> tuple[Candidate, Certificate]:
    """The candidate of lowest score among these variants of table number `number`, and what it promises."""
    sizes = cache_sizes(table.distinct)
    asked = Demand.of(table, locality)
    implied, steady = implied_curves(table, locality, sizes, asked)
    tried = [judge(table, locality, variant, implied, sizes, asked, table_rng(seed, number, 1)) for variant in variants]
    best = min(tried, key=lambda candidate: candidate.score)
    drowned = locality.noise["spans"] > 0 and len(asked.depths) <= FEW_WINDOWS
    return best, _certificate(best, tried, float(np.abs(implied - steady).mean()), table.distinct, drowned)


def implied_curves(
    table: TableProfile, locality: TableLocality, sizes: Ints, asked: Demand | None = None
) -> tuple[Floats, Floats]:
    """LRU miss ratios at `sizes` implied by the age matrix, and by its sum over windows (no phases).

    asked: Demand.of the table, where the caller has it already.
    """
    asked = asked or Demand.of(table, locality)
    ages = asked.ages.demand
    width = measured.window_length(locality.length, len(ages))
    even = np.tile(ages.mean(0), (len(ages), 1))
    return (
        _curve(asked.depths, table.distinct, sizes),
        _curve(implied_depths(even, locality.length, width, table.distinct), table.distinct, sizes),
    )


def _curve(depths: Floats, rows: int, sizes: Ints) -> Floats:
    hits = np.concatenate(([0], np.cumsum(depths[:, :-1].sum(0))))
    return np.asarray(1 - np.interp(sizes, depth_edges(rows), hits) / max(depths.sum(), 1e-9))


def judge(
    table: TableProfile,
    locality: TableLocality,
    variant: Variant,
    implied: Floats,
    sizes: Ints,
    asked: Demand,
    rng: np.random.Generator,
) -> Candidate:
    """Generate by `variant` and measure the result's distances from the released statistics."""
    ready = calibrated(msgspec.structs.replace(table, variant=variant, calibration=None), rng)
    made = synthesize(ready, rng, asked)
    seen = measured.history(_clocked(locality, made, table.rows), 1)
    generated = lru_curve(made.order, threads=1).miss_ratio(sizes)
    return Candidate(
        ready,
        float(np.abs(generated - implied).mean()),
        drift_distance(locality, made),
        pairs_distance(locality, seen),
        spans_distance(locality, seen),
        made.fallback,
    )


def drift_distance(locality: TableLocality, made: Synthesis) -> float:
    """Mean difference, by lag, of the hot rows' cosine similarity between windows: released against generated."""
    released = locality.windows.array().astype(np.float64)
    if not len(released):
        return 0.0
    hot = made.order < len(released)
    window = made.slots[hot] * measured.SHAPE_WINDOWS // locality.length
    flat = np.bincount(
        made.order[hot] * measured.SHAPE_WINDOWS + window, minlength=len(released) * measured.SHAPE_WINDOWS
    )
    ours = flat.reshape(len(released), measured.SHAPE_WINDOWS).astype(np.float64)
    theirs = _lags(released, locality.noise["windows"])
    return float(np.abs(theirs - _lags(ours, 0.0)).mean())


def _lags(windows: Floats, noise: float) -> Floats:
    """Cosine similarity by lag of the columns; noise, which makes columns longer but not alike, is taken off."""
    lengths = np.maximum((windows**2).sum(0) - len(windows) * noise**2, 0.25 * (windows**2).sum(0) + 1e-9)
    return by_lag((windows / np.sqrt(lengths)).T)


def pairs_distance(locality: TableLocality, seen: measured.History) -> float:
    """Total variation between released and generated consecutive reuse times, less what noise alone would give."""
    released = locality.pairs.array().astype(np.float64)
    total = np.maximum(released, 0).sum()
    if total <= 0:
        return 0.0
    ours = seen.pairs.astype(np.float64)
    noise = released.size * locality.noise["pairs"] / 2 / total
    distance = float(np.abs(released / total - ours / max(ours.sum(), 1)).sum() / 2)
    return max(0.0, float(distance - noise))


def spans_distance(locality: TableLocality, seen: measured.History) -> float:
    """Mean distance of cumulated spans, released against generated, over count classes by their lookups.

    The square of the noise's own part is taken off the squared distance, so that noise favours nobody.
    """
    ours = measured.span_table(seen, locality.length).astype(np.float64)
    rows = np.maximum(ours.sum(1), 1)
    apart = np.cumsum(locality.spans.array() - ours, axis=1)[:, :-1] / rows[:, None]
    cells = np.arange(1, apart.shape[1] + 1)
    noise = cells.mean() * (locality.noise["spans"] / rows) ** 2
    distance = np.sqrt(np.clip((apart**2).mean(1) - noise, 0, 1))
    lookups = np.bincount(measured.count_class(seen.counts), seen.counts, minlength=len(ours)) * (ours.sum(1) > 0)
    return float(distance @ lookups / max(lookups.sum(), 1))


def _clocked(locality: TableLocality, made: Synthesis, declared: int) -> ClockedTable:
    """A generated table on the profile's clock."""
    ids = np.arange(int(made.order.max()) + 1)
    return ClockedTable("", declared, locality.samples, locality.per_sample, False, ids, made.order, made.slots)


def _certificate(best: Candidate, tried: list[Candidate], phases: float, rows: int, drowned: bool) -> Certificate:
    floor = PLAIN_FLOOR + PHASE_FLOOR * phases + best.fallback / 10
    reasons = []
    if best.claim + floor > VOUCHED:
        reasons.append(
            f"the error may be anything up to {best.claim + floor:.3f}, of which {best.claim:.3f} is the distance "
            "of the best candidate from the implied LRU curve"
        )
    if best.drift > DRIFTING:
        reasons.append(f"hot rows drift differently ({best.drift:.2f})")
    if floor > FIRM:
        reasons.append(f"the implied LRU curve is itself uncertain by {floor:.3f} (phases, or bands without rows)")
    if drowned:
        reasons.append("the trace is short for so much noise: what is implied may itself be noise")
    if rows < FEW_ROWS:
        reasons.append(f"{rows} rows are too few for a law of large numbers")
    note = (
        f"does not vouch: {'; '.join(reasons)}"
        if reasons
        else f"mean LRU error expected to be at most {best.claim + floor:.4f}; says nothing about other policies, "
        "nor about what bounds cut off"
    )
    return Certificate(
        claim=best.claim,
        floor=floor,
        drift=best.drift,
        pairs=best.pairs,
        vouches=not reasons,
        note=note,
        candidates=tuple(
            f"{c.table.variant.label()}: LRU {c.claim:.4f}, drift {c.drift:.3f}, pairs {c.pairs:.3f}, "
            f"spans {c.spans:.3f}"
            for c in tried
        ),
    )
