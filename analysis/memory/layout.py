"""Layout: where in memory the rows of a trace's tables lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ... import HotrowError
from ...tracegen.trace import Trace
from .checks import checked_whole

ADDRESSES = 2**63  # addresses are int64


@dataclass(frozen=True)
class Placed:
    """One table in memory: row r lies at base + r × row_bytes."""

    name: str
    rows: int
    row_bytes: int
    base: int

    def __post_init__(self) -> None:
        for key in ("rows", "row_bytes", "base"):
            whole = checked_whole(getattr(self, key), f"table {self.name!r}: {key.replace('_', ' ')}")
            object.__setattr__(self, key, whole)
        if self.row_bytes < 1:
            raise HotrowError(f"table {self.name!r}: rows of {self.row_bytes} bytes; a row has at least 1")
        if self.base < 0 or self.end > ADDRESSES:
            raise HotrowError(
                f"table {self.name!r}: {self.rows} rows of {self.row_bytes} bytes from address {self.base} "
                "leave the address space; it ends at 2^63 bytes"
            )

    @property
    def end(self) -> int:
        """The first address behind the table."""
        return self.base + self.rows * self.row_bytes


@dataclass(frozen=True)
class Layout:
    """Tables in memory, in a trace's order. Raises HotrowError where a name stands twice."""

    tables: tuple[Placed, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "tables", tuple(self.tables))
        names = [table.name for table in self.tables]
        if len(set(names)) < len(names):
            raise HotrowError(f"the layout places a table twice: {', '.join(sorted(names))}")

    @classmethod
    def of_rows(
        cls,
        trace: Trace,
        row_bytes: int | Sequence[int] | Mapping[str, int],
        *,
        start: int = 0,
        page_bytes: int = 4096,
    ) -> Layout:
        """The tables of `trace` one after the other from `start`, each from a page of its own.

        row_bytes: of every table, of each in order, or by name. start is rounded up to a page.
        """
        page, end = checked_whole(page_bytes, "bytes of a page"), checked_whole(start, "start")
        if page < 1:
            raise HotrowError(f"pages of {page} bytes; a page has at least 1")
        placed = []
        for table, each in zip(trace.tables, _of_each(trace, row_bytes, "row bytes"), strict=True):
            base = -(-end // page) * page
            placed.append(Placed(table.name, table.rows, each, base))
            end = placed[-1].end
        return cls(tuple(placed))

    @classmethod
    def of_dims(
        cls,
        trace: Trace,
        dim: int | Sequence[int] | Mapping[str, int],
        *,
        element_bytes: int = 4,
        start: int = 0,
        page_bytes: int = 4096,
    ) -> Layout:
        """As of_rows, for embedding rows of `dim` elements of `element_bytes` bytes (4: float32)."""
        of_element = checked_whole(element_bytes, "bytes of an element")
        row_bytes = [each * of_element for each in _of_each(trace, dim, "dimensions")]
        return cls.of_rows(trace, row_bytes, start=start, page_bytes=page_bytes)

    @property
    def end(self) -> int:
        """The first address behind the last table."""
        return max((table.end for table in self.tables), default=0)

    def table(self, name: str) -> Placed:
        """The table called `name`; HotrowError where the layout does not place it."""
        for table in self.tables:
            if table.name == name:
                return table
        raise HotrowError(f"the layout has no table {name!r}; it places {', '.join(t.name for t in self.tables)}")

    def addresses(self, name: str, rows: ArrayLike) -> NDArray[np.int64]:
        """Addresses of the first bytes of these rows of a table, int64 [rows]."""
        table = self.table(name)
        chosen = np.asarray(rows, np.int64)
        outside = chosen[(chosen < 0) | (chosen >= table.rows)]
        if len(outside):
            raise HotrowError(f"table {name!r}: rows 0 to {table.rows - 1} have a place, asked for {outside[0]}")
        return table.base + chosen * table.row_bytes


def _of_each(trace: Trace, values: int | Sequence[int] | Mapping[str, int], what: str) -> list[int]:
    """One whole number for each table, from one for all, one each in order, or a mapping by name."""
    names = [table.name for table in trace.tables]
    if isinstance(values, Mapping):
        missing = [name for name in names if name not in values]
        if missing:
            raise HotrowError(f"no {what} given for table {missing[0]!r}")
        unknown = [name for name in values if name not in names]
        if unknown:
            raise HotrowError(f"{what} given for {unknown[0]!r}; the trace's tables are {', '.join(names)}")
        given = [values[name] for name in names]
    elif isinstance(values, Sequence | np.ndarray):
        given = list(values)
        if len(given) != len(names):
            raise HotrowError(f"{len(given)} {what} given for {len(names)} tables; give one for each")
    else:
        given = [values] * len(names)
    return [checked_whole(value, f"table {name!r}: {what}") for name, value in zip(names, given, strict=True)]
