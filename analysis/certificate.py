"""Certificate: which way of generating fits the released statistics best, and how good it can be known to be.

The age matrix of a profile implies an LRU curve (tracegen/synthesis/depths.py). Every candidate is generated and its
exact curve compared with the implied one: the mean difference is the claim. After the designs come variants of the best
of them, and bands that are asked for what their last trace lacked. Nothing here has seen the real trace, so the choice
costs no privacy. The implied curve is itself not exact; that part is the floor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..progress import Advance, ignore
from ..tracegen import locality as measured
from ..tracegen.generate import calibrated, synthesize, table_rng
from ..tracegen.profile import Certificate, Design, TableLocality, TableProfile, TraceProfile, Trust, Variant
from ..tracegen.synthesis.depthband import Demand, lacking
from ..tracegen.synthesis.depths import depth_edges, implied_depths
from .fidelity import cache_sizes
from .miss_ratio import lru_curve
from .recommendation.distances import clocked, drift_distance, pairs_distance, spans_distance

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

DESIGNS = (Variant("renewal"), Variant("depthband"), Variant("independent"))  # tried first
CORRECTIONS = 2  # of what bands are asked for, at most; more make a trace worse
RIVAL = 2.0  # times the best score, up to which a design's variants, or corrected bands, may still win
JUDGED = 1 << 31  # of the streams of random numbers that candidates get: no block of a trace has so high a number
DRIFT_WEIGHT, PAIRS_WEIGHT, SPANS_WEIGHT, FALLBACK_WEIGHT = 0.02, 0.05, 0.02, 0.05  # of other distances
PLAIN_FLOOR = 0.002  # error of an implied curve on traces without phases
PHASE_FLOOR = 0.25  # of how far the implied curve is from one that knows no phases
VOUCHED = 0.009  # an estimate above this was off by more than .005 on tuning traces, in either direction
FIRM = 0.006  # so is a floor above this: the estimate could not be right to .005
DRIFTING = 0.15  # so is a drift distance above this
FEW_WINDOWS = 4  # so short is the trace for its noise where a release dares no more windows of ages
FEW_ROWS = 20  # fewer rows obey no law of large numbers


@dataclass(frozen=True, eq=False)
class Candidate:
    """A table with its variant (and calibration), and the generated trace's distances from the released statistics.

    depths: the trace's lookups per stack-distance bin, float64 [bins].
    """

    table: TableProfile
    claim: float
    drift: float
    pairs: float
    spans: float
    fallback: float
    depths: Floats

    def __str__(self) -> str:
        label = f"{self.table.variant.label()}{', corrected' if self.table.demand else ''}"
        return f"{label}: LRU {self.claim:.4f}, drift {self.drift:.3f}, pairs {self.pairs:.3f}, spans {self.spans:.3f}"


def score(candidate: Candidate) -> float:
    """What selection minimizes."""
    others = (
        DRIFT_WEIGHT * candidate.drift
        + PAIRS_WEIGHT * candidate.pairs
        + SPANS_WEIGHT * candidate.spans
        + FALLBACK_WEIGHT * candidate.fallback
    )
    return candidate.claim + others


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
    judge = Judge.of(table, locality, seed, number)
    tried = [judge.variant(variant) for variant in DESIGNS]
    rivals = [c.table.variant.design for c in tried if score(c) < RIVAL * min(map(score, tried))]
    tried += [judge.variant(variant) for design in rivals for variant in _others(design, locality)]
    bands = min((candidate for candidate in tried if candidate.table.variant.design == "depthband"), key=score)
    if score(bands) < RIVAL * min(map(score, tried)):
        tried += judge.corrected(bands)
    best, certificate = judge.verdict(tried)
    return msgspec.structs.replace(best.table, certificate=certificate)


def _others(design: Design, locality: TableLocality) -> list[Variant]:
    """Further variants of a design that is among the best: without hot rows' windows, and with other spans."""
    if design == "independent":
        return []
    found = [Variant(design, windows=False)] if len(locality.windows.array()) else []
    if locality.noise["spans"] > 0:
        trusted: tuple[Trust, ...] = ("raw", "prior") if design == "renewal" else ("raw",)
        found += [Variant(design, spans=spans) for spans in trusted]
    return found


def best_of(
    table: TableProfile, locality: TableLocality, variants: Sequence[Variant], seed: int, number: int
) -> tuple[Candidate, Certificate]:
    """The candidate of lowest score among these variants of table number `number`, and what it promises."""
    judge = Judge.of(table, locality, seed, number)
    return judge.verdict([judge.variant(variant) for variant in variants])


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


class Judge(NamedTuple):
    """What candidates of a table are judged by: LRU miss ratios implied at `sizes`, and how far they are from those of
    a trace without phases. None of its random numbers is one that a generated trace gets."""

    table: TableProfile
    locality: TableLocality
    asked: Demand
    sizes: Ints
    implied: Floats
    phases: float
    seed: int
    number: int

    @classmethod
    def of(cls, table: TableProfile, locality: TableLocality, seed: int, number: int) -> Judge:
        """Of table number `number` of a profile."""
        asked, sizes = Demand.of(table, locality), cache_sizes(table.distinct)
        implied, steady = implied_curves(table, locality, sizes, asked)
        return cls(table, locality, asked, sizes, implied, float(np.abs(implied - steady).mean()), seed, number)

    def variant(self, variant: Variant) -> Candidate:
        """The table by this variant."""
        bare = msgspec.structs.replace(self.table, variant=variant, calibration=None, demand=None)
        return self._judged(calibrated(bare, table_rng(self.seed, self.number, JUDGED + 1)))

    def corrected(self, candidate: Candidate) -> list[Candidate]:
        """Candidates whose bands are asked for what the trace before lacked, while that helps and is needed."""
        found: list[Candidate] = []
        asked = self.asked.depths[:, :-1].sum(0)
        for _ in range(CORRECTIONS):
            demand = lacking(asked, candidate.depths, candidate.table.demand)
            better = self._judged(msgspec.structs.replace(candidate.table, demand=demand))
            if score(better) >= score(candidate):
                break
            found.append(better)
            candidate = better
            if candidate.claim < PLAIN_FLOOR:
                break
        return found

    def verdict(self, tried: list[Candidate]) -> tuple[Candidate, Certificate]:
        """The candidate of lowest score, and what it promises."""
        best = min(tried, key=score)
        drowned = self.locality.noise["spans"] > 0 and len(self.asked.depths) <= FEW_WINDOWS
        return best, _certificate(best, tried, self.phases, self.table.distinct, drowned)

    def _judged(self, ready: TableProfile) -> Candidate:
        """Generate and measure the result's distances from the released statistics."""
        made = synthesize(ready, table_rng(self.seed, self.number, JUDGED), self.asked)
        seen = measured.history(clocked(self.locality, made, ready.rows), 1)
        curve = lru_curve(made.order, threads=1)
        hits = (1 - curve.miss_ratio(depth_edges(ready.distinct)[1:])) * len(made.order)
        return Candidate(
            ready,
            float(np.abs(curve.miss_ratio(self.sizes) - self.implied).mean()),
            drift_distance(self.locality, made),
            pairs_distance(self.locality, seen),
            spans_distance(self.locality, seen),
            made.fallback,
            np.diff(hits, prepend=0.0),
        )


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
        candidates=tuple(map(str, tried)),
    )
