"""A table of text has rows as long as its head; a number stands with the right form of its noun."""

import pytest

from hotrow.experiments.grid import Grid, number_of


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    grid = Grid("caption", ("table", "rows"), (("a", "1,000"), ("longest", "2")), "measured")
    assert list(grid.lines()) == ["table     rows", "a        1,000", "longest      2"]


def test_rows_are_as_long_as_the_head() -> None:
    with pytest.raises(ValueError, match="has 1 cells, the head 2"):
        Grid("caption", ("table", "rows"), (("a",),), "measured")


@pytest.mark.parametrize(
    ("count", "nouns", "words"),
    [
        (0, ("table",), "0 tables"),
        (1, ("table",), "1 table"),
        (20_000, ("sample",), "20,000 samples"),
        (1, ("process", "processes"), "1 process"),
        (2, ("process", "processes"), "2 processes"),
    ],
)
def test_a_number_stands_with_its_noun(count: int, nouns: tuple[str, ...], words: str) -> None:
    assert number_of(count, *nouns) == words
