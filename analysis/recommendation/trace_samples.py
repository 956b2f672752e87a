"""TraceSamples: sampled LRU curves of a trace that comes in parts, of every table and of one cache for all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ...tracegen.trace import Trace, check_same_form
from ..sampling import ShardsStream
from .interleave import positions

PIECE = 1 << 20  # lookups put in the model's order at a time


class TraceSamples:
    """SHARDS samples of each table of a trace, and of all its lookups in the model's order.

    Memory grows with the samples and with the largest part, not with the trace. rate, rows, samples, seed: as those of
    ShardsStream, whose HotrowError this raises.
    """

    def __init__(self, rate: float | None = None, rows: int | None = None, samples: int = 8, seed: int = 0) -> None:
        self._settings = (rate, rows, samples, seed)
        self._form: Trace | None = None  # the first part without its samples
        self._masks = np.zeros(0, np.int64)
        self.tables: tuple[ShardsStream, ...] = ()
        self.shared = ShardsStream(*self._settings)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the tables; none before the first part."""
        return () if self._form is None else tuple(table.name for table in self._form.tables)

    def feed(self, part: Trace) -> None:
        """Take the next part; HotrowError where its tables are not those of the first."""
        if self._form is None:
            self._begin(part)
        else:
            check_same_form(self._form, part)
        for stream, table in zip(self.tables, part.tables, strict=True):
            stream.feed(table.indices)
        if len(self.tables) > 1:
            for piece in _pieces(part):
                self.shared.feed(self._shared_ids(piece))

    def _begin(self, part: Trace) -> None:
        self._form = part.samples_between(0, 0)
        self.tables = tuple(ShardsStream(*self._settings) for _ in part.tables)
        if len(self.tables) == 1:
            self.shared = self.tables[0]
        random = np.random.SeedSequence(self._settings[-1]).generate_state(len(self.tables), np.uint64)
        self._masks = (random >> np.uint64(1)).astype(np.int64)

    def _shared_ids(self, piece: Trace) -> NDArray[np.int64]:
        """Ids of all lookups in the model's order, each table's scattered by a mask of its own.

        How many rows a table will have is not known, so tables cannot be numbered through. Of a rows in one table and
        b in another, any two get the same id with a chance of a · b / 2^63.
        """
        ids = np.empty(piece.accesses, np.int64)
        for table, where, mask in zip(piece.tables, positions(piece), self._masks, strict=True):
            ids[where] = table.indices ^ mask
        return ids


def _pieces(part: Trace) -> Iterator[Trace]:
    """The part in pieces of about PIECE bags and lookups."""
    work = part.accesses + part.samples * len(part.tables)
    step = max(1, part.samples * PIECE // max(work, 1))
    for start in range(0, part.samples, step):
        yield part.samples_between(start, start + step)
