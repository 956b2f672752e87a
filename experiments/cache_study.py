"""Everything that `hotrow cache` answers, put together: LRU sizes, policies, processor caches, samples."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from .. import HotrowError
from ..analysis.miss_ratio import checked_capacities
from ..analysis.policies.registry import NAMES
from ..progress import Advance, ignore
from ..tracegen.trace import Trace
from . import cache_sizing, memory_levels, policies_compared, sample_study
from .cache_sizing import CacheSizing
from .grid import Grid
from .lru_curves import LruCurves, lru_curves
from .memory_levels import MemoryLevels
from .policies_compared import PolicyComparison
from .sample_study import SampleStudy
from .traffic import log_spaced

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Request:
    """What to study. capacities: in rows, none for eight of its own; policies: names with commas, fast or all;
    levels, replacement, inclusion, tlbs: as memory_levels.parse_processor reads them; update_every: as line_words says.
    """

    row_bytes: int
    capacities: tuple[int, ...] = ()
    policies: str = "fast"
    levels: str = memory_levels.SERVER
    replacement: str = "LRU"
    inclusion: str | None = None
    tlbs: tuple[str, ...] = ()
    update_every: int | None = None

    @property
    def policy_names(self) -> tuple[str, ...]:
        """The policies asked for, one by one."""
        named = {"fast": policies_compared.FAST, "all": NAMES, "none": ()}
        group = named.get(self.policies.strip().lower())
        if group is not None:
            return group
        names = tuple(name.strip() for name in self.policies.split(","))
        if not all(names):
            raise HotrowError(f"policies {self.policies!r}; give names with commas between, or fast, all or none")
        return names


@dataclass(frozen=True, eq=False)
class CacheStudy:
    """The answers."""

    request: Request
    curves: LruCurves
    sizing: tuple[CacheSizing, ...]
    policies: PolicyComparison
    levels: MemoryLevels
    samples: SampleStudy


def steps(request: Request) -> int:
    """How often cache_study advances."""
    return len(request.policy_names) + 3


def cache_study(trace: Trace, request: Request, advance: Advance = ignore) -> CacheStudy:
    """Answer `request` on a trace; HotrowError where a capacity, policy or level is no good."""
    processor = memory_levels.parse_processor(request.levels, request.replacement, request.inclusion, request.tlbs)
    checked_capacities(request.capacities)
    sizes = request.capacities or None
    curves = lru_curves(trace)
    advance(1)
    policies = policies_compared.compare_policies(trace, request.policy_names, sizes, advance)
    simulated = memory_levels.memory_levels(trace, request.row_bytes, processor, request.update_every)
    advance(1)
    samples = sample_study.sample_study(trace, curves, request.row_bytes, sizes)
    advance(1)
    sizing = cache_sizing.cache_sizing(curves, request.row_bytes, request.capacities)
    return CacheStudy(request, curves, sizing, policies, simulated, samples)


def grids(study: CacheStudy) -> tuple[Grid, ...]:
    """The answers as tables, in order of the questions."""
    policies = (study.policies.grid(),) if study.policies.hit_ratio else ()
    return (cache_sizing.grid(study.sizing), *policies, *study.levels.grids(), *study.samples.grids())


def figures(study: CacheStudy) -> dict[str, Figure]:
    """The answers as figures, by name."""
    made = cache_sizing.figures(study.curves, memory_levels.known_capacities(study.request.row_bytes))
    if study.policies.hit_ratio:
        made["policies"] = policies_compared.figure(study.policies)
    if study.samples.drifts:
        made["drift"] = sample_study.figure(study.samples)
    if study.levels.stats:
        made["levels"] = memory_levels.figure(study.levels)
    return made


def plain(study: CacheStudy) -> dict[str, Any]:
    """The answers as plain values, for JSON; LRU curves as points evenly spaced on a logarithmic axis."""
    curves = dict(zip(study.curves.names, study.curves.tables, strict=True))
    knee = study.curves.shared_knee
    samples = asdict(study.samples)
    for made, reuse in zip(samples["batches"], study.samples.batches, strict=True):
        made["distinct_ratio"] = reuse.distinct_ratio
    for made, drift in zip(samples["drifts"], study.samples.drifts, strict=True):
        made["loss"] = drift.loss
    return {
        "how": "simulated; batches and drifts measured",
        "request": asdict(study.request),
        "lru": {name: _points(curve) for name, curve in curves.items()},
        "lru_shared": _points(study.curves.shared) | {"knee": None if knee is None else asdict(knee)},
        "sizing": [asdict(size) for size in study.sizing],
        "policies": asdict(study.policies),
        "levels": asdict(study.levels),
        "samples": samples,
    }


def _points(curve: Any) -> dict[str, Any]:
    capacities = log_spaced(curve.distinct)
    return {"capacity_rows": capacities.tolist(), "miss_ratio": curve.miss_ratio(capacities).tolist()}
