"""Grid: a table of text that a terminal prints and a report shows; numbers with their nouns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

How = Literal["measured", "simulated", "predicted", "published", "assumed"]


@dataclass(frozen=True)
class Grid:
    """Heads and rows of equal length, numbers already written, units in the head or beside the number.

    how: how the numbers came about. Raises ValueError where a row's length differs from the head's.
    """

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    how: How

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.heads):
                raise ValueError(f"row {row} has {len(row)} cells, the head {len(self.heads)}")

    def lines(self) -> Iterable[str]:
        """Columns aligned by their widest cell: the first to the left, the others to the right."""
        widths = [max(map(len, column)) for column in zip(self.heads, *self.rows, strict=True)]
        for row in (self.heads, *self.rows):
            cells = [
                cell.rjust(width) if k else cell.ljust(width)
                for k, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            yield "  ".join(cells).rstrip()


def number_of(count: int, noun: str, nouns: str | None = None) -> str:
    """A number with what it counts: 1 table, 20,000 samples; `nouns` is the plural where it is not noun + s."""
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"
