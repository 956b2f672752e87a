"""TLB: how often the pages of a trace's rows need a page walk; a hierarchy whose lines are pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ... import HotrowError
from ...tracegen.trace import Trace
from ..hierarchy import Level, LevelStats, simulate_trace
from .layout import Layout

SMALL_PAGE = 4096
LARGE_PAGE = 2**21


@dataclass(frozen=True)
class Tlb:
    """Two levels of translation buffers for data; each is (entries, ways).

    first: by page bytes, an array of its own for each size of page. second: one array, shared by all sizes of pages.
    """

    name: str
    first: Mapping[int, tuple[int, int]]
    second: tuple[int, int]

    def levels(self, page_bytes: int) -> tuple[Level, Level]:
        """Both levels when all pages have `page_bytes`; HotrowError for pages it does not translate."""
        if page_bytes not in self.first:
            known = ", ".join(str(size) for size in self.first)
            raise HotrowError(f"{self.name} TLB: no entries for pages of {page_bytes} bytes; it translates {known}")
        return (
            entries(f"{self.name} first-level TLB", *self.first[page_bytes], page_bytes),
            entries(f"{self.name} second-level TLB", *self.second, page_bytes),
        )


# Intel 64 and IA-32 Architectures Optimization Reference Manual, 248966-045 (2022), table 2-15; servers are alike.
SKYLAKE = Tlb("Skylake", {SMALL_PAGE: (64, 4), LARGE_PAGE: (32, 4)}, (1536, 12))


def simulate_tlb(
    trace: Trace | Iterable[Trace],
    layout: Layout,
    page_bytes: int = SMALL_PAGE,
    tlb: Tlb = SKYLAKE,
    *,
    replacement: str = "LRU",
    update_every: int | None = None,
) -> tuple[LevelStats, ...]:
    """What both levels of a TLB count on a trace's lookups; misses of the second are page walks.

    A lookup accesses each page that its row lies on once, and so does an update (update_every: as line_words says).
    Pages are counted from address 0: lay the tables out with page_bytes of this size, so that none shares a page.
    Raises HotrowError as simulate_trace does.
    """
    return simulate_trace(trace, layout, tlb.levels(page_bytes), replacement=replacement, update_every=update_every)


def entries(name: str, count: int, ways: int, page_bytes: int) -> Level:
    """A level of `count` entries for pages of `page_bytes`; HotrowError where they are no whole number of sets."""
    return Level.of_size(name, count * page_bytes, ways, page_bytes)
