"""Co-location: what models that run beside each other do to each other's caches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from .. import HotrowError
from ..tracegen.trace import Trace
from .hierarchy import Cores, Hierarchy, Level, LevelStats
from .layout import Layout, line_words

_PAGE = 2**21  # models begin at large pages


@dataclass(frozen=True)
class SharedCaches:
    """A socket's caches: private levels of each core, then the levels that all share.

    inclusion: of each shared level, of those above it, in hierarchy's words; private levels are non-inclusive.
    """

    name: str
    private: tuple[Level, ...]
    shared: tuple[Level, ...]
    inclusion: str
    replacement: str = "LRU"

    def __post_init__(self) -> None:
        if not self.private or not self.shared:
            raise HotrowError(
                f"{self.name}: {len(self.private)} private and {len(self.shared)} shared levels; give both"
            )


@dataclass(frozen=True)
class Colocation:
    """Models beside each other on one socket, one per core.

    lookups: of all models. levels: private levels summed over the cores, then the shared ones.
    """

    models: int
    samples: int
    lookups: int
    levels: tuple[LevelStats, ...]

    def misses_per_lookup(self, level: int) -> float:
        """Misses of a level over lookups, of all models; NaN without lookups."""
        return self.levels[level].misses / self.lookups if self.lookups else float("nan")


def simulate_colocation(
    traces: Sequence[Trace],
    layouts: Sequence[Layout],
    caches: SharedCaches,
    *,
    warm_up: int = 0,
    update_every: int | None = None,
) -> Colocation:
    """Run models beside each other: a sample of the first, a sample of the second, … then the next sample of each.

    traces, layouts: one per model; models share no row: each layout is moved to addresses of its own; the
    sets of the shared levels see them as if one stood behind the other. The shortest trace ends the run.
    warm_up: so many samples of each model run first and are not counted. update_every: as layout.line_words says.
    Raises HotrowError where traces and layouts do not fit each other.
    """
    if not traces or len(traces) != len(layouts):
        raise HotrowError(
            f"{len(traces)} traces and {len(layouts)} layouts; give at least one trace, a layout for each"
        )
    samples = min(trace.samples for trace in traces)
    if not 0 <= warm_up <= samples:
        raise HotrowError(f"a warm-up of {warm_up} samples; the shortest trace has {samples}")
    layout, span = _side_by_side(layouts)
    together = _interleaved([trace.samples_between(0, samples) for trace in traces])
    hierarchy = Hierarchy(
        (*caches.private, *caches.shared),
        replacement=caches.replacement,
        inclusion=["non-inclusive"] * (len(caches.private) - 1) + [caches.inclusion] * len(caches.shared),
        cores=Cores(len(traces), len(caches.private), span),
    )
    counted = together.samples_between(warm_up, samples)
    before = _served(hierarchy, together.samples_between(0, warm_up), layout, update_every)
    after = _served(hierarchy, counted, layout, update_every)
    levels = tuple(_since(now, then) for now, then in zip(after, before, strict=True))
    return Colocation(len(traces), counted.samples, counted.accesses, levels)


def _side_by_side(layouts: Sequence[Layout]) -> tuple[Layout, int]:
    """Every model's tables, by model and name, in a span of its own; the bytes of a span, a power of two."""
    ends = [0]
    for layout in layouts:
        ends.append(-(-(ends[-1] + layout.end) // _PAGE) * _PAGE)
    span = 1 << max(ends[-1], _PAGE).bit_length()
    return Layout(
        tuple(
            replace(table, name=_named(model, table.name), base=model * span + ends[model] + table.base)
            for model, layout in enumerate(layouts)
            for table in layout.tables
        )
    ), span


def _interleaved(traces: Sequence[Trace]) -> Trace:
    """One trace whose sample s is sample s of every model in turn."""
    return Trace(
        tuple(
            replace(table, name=_named(model, table.name))
            for model, trace in enumerate(traces)
            for table in trace.tables
        )
    )


def _named(model: int, table: str) -> str:
    return f"{model}/{table}"


def _served(hierarchy: Hierarchy, trace: Trace, layout: Layout, update_every: int | None) -> tuple[LevelStats, ...]:
    for words in line_words(trace, layout, hierarchy.line_bytes, update_every):
        hierarchy.serve(words)
    return hierarchy.stats()


def _since(now: LevelStats, then: LevelStats) -> LevelStats:
    """What a level counted between two moments."""
    counted = {
        each.name: getattr(now, each.name) - getattr(then, each.name) for each in fields(now) if each.type == "int"
    }
    return replace(now, **counted)
