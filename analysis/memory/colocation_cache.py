"""Co-location: what models that run beside each other do to each other's caches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from ... import HotrowError
from ...jit import kernel
from ...tracegen.trace import Trace
from ..hierarchy import Cores, Hierarchy, Level, LevelStats
from .layout import Layout
from .line_words import line_words

_PAGE = 4096  # bytes


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
    scatter: int | None = 0,
) -> Colocation:
    """Run models beside each other: a sample of the first, a sample of the second, … then the next sample of each.

    traces, layouts: one per model; no two models share a row. The shortest trace ends the run. warm_up: so many samples
    of each model run first and are not counted. update_every: as line_words says. scatter: seed that gives every
    4 KiB page of a model (or line, if that is longer) a random place in its own memory, as an operating system does, so
    that tables of equal size do not meet in the same sets; None leaves each table in one piece.
    Raises HotrowError where traces and layouts do not fit each other.
    """
    if not traces or len(traces) != len(layouts):
        raise HotrowError(
            f"{len(traces)} traces and {len(layouts)} layouts; give at least one trace, a layout for each"
        )
    samples = min(trace.samples for trace in traces)
    if not 0 <= warm_up <= samples:
        raise HotrowError(f"a warm-up of {warm_up} samples; the shortest trace has {samples}")
    page = max(_PAGE, caches.private[0].line_bytes)
    layout, span = _side_by_side(layouts, page)
    together = _interleaved([trace.samples_between(0, samples) for trace in traces])
    hierarchy = Hierarchy(
        (*caches.private, *caches.shared),
        replacement=caches.replacement,
        inclusion=["non-inclusive"] * (len(caches.private) - 1) + [caches.inclusion] * len(caches.shared),
        cores=Cores(len(traces), len(caches.private), span),
    )
    placing = None if scatter is None else _Scatter(scatter, hierarchy.line_bytes, page, span)
    counted = together.samples_between(warm_up, samples)
    before = _served(hierarchy, together.samples_between(0, warm_up), layout, update_every, placing)
    after = _served(hierarchy, counted, layout, update_every, placing)
    levels = tuple(_since(now, then) for now, then in zip(after, before, strict=True))
    return Colocation(len(traces), counted.samples, counted.accesses, levels)


def _side_by_side(layouts: Sequence[Layout], page: int) -> tuple[Layout, int]:
    """Every model's tables, by model and name, in a span of its own; the bytes of a span, a power of two of pages."""
    span = 1 << max(page, *(layout.end for layout in layouts)).bit_length()
    tables = (
        replace(table, name=_named(model, table.name), base=model * span + table.base)
        for model, layout in enumerate(layouts)
        for table in layout.tables
    )
    return Layout(tuple(tables)), span


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


def _served(
    hierarchy: Hierarchy, trace: Trace, layout: Layout, update_every: int | None, placing: _Scatter | None
) -> tuple[LevelStats, ...]:
    for words in line_words(trace, layout, hierarchy.line_bytes, update_every):
        if placing:
            placing.move(words)
        hierarchy.serve(words)
    return hierarchy.stats()


class _Scatter:
    """A pseudo-random permutation of the pages of every model's span: rounds of xor-shift, multiply and add.

    line_bytes, page, span: powers of two, none smaller than the one before.
    """

    def __init__(self, seed: int, line_bytes: int, page: int, span: int) -> None:
        self._in_page = (page // line_bytes).bit_length()  # bits of a word below its page: line and write
        self._pages = (span // page).bit_length() - 1
        small = 2 ** min(40, 61 - self._pages)  # so that no product leaves int64
        self._factors, self._terms = np.random.default_rng(seed).integers(0, small, (2, 3), np.int64) | 1

    def move(self, words: NDArray[np.int64]) -> None:
        """Give the lines of `words` their places, in place."""
        _move_pages(words, self._in_page, self._pages, self._factors, self._terms)


@kernel
def _move_pages(
    words: NDArray[np.int64], in_page: int, pages: int, factors: NDArray[np.int64], terms: NDArray[np.int64]
) -> None:
    mask = (np.int64(1) << pages) - 1
    for i in range(len(words)):
        page, model = (words[i] >> in_page) & mask, 1 + (words[i] >> (in_page + pages))
        for k in range(len(factors)):
            page = ((page ^ (page >> ((pages + 1) // 2))) * factors[k] + terms[k] * model) & mask
        words[i] = (words[i] & ~(mask << in_page)) | (page << in_page)


def _since(now: LevelStats, then: LevelStats) -> LevelStats:
    """What a level counted between two moments."""
    values = {each.name: getattr(now, each.name) for each in fields(now)}
    counted = {key: value - getattr(then, key) for key, value in values.items() if isinstance(value, int)}
    return replace(now, **counted)
