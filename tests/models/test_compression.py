"""Configurations with smaller tables."""

import json
from pathlib import Path

import pytest

from hotrow import HotrowError
from hotrow.models.compression import hashed, mixed_dimension, mixed_dimensions, quotient_remainder
from hotrow.models.config import ModelConfig, TableConfig
from hotrow.models.tables import Hashed, Plain, QuotientRemainder

CONFIG = ModelConfig(
    "m", 3, (16,), (1,), "dot", tuple(TableConfig(f"f{k}", n, 16) for k, n in enumerate((1000, 20, 301, 5000)))
)


def test_mixed_dimensions_as_the_paper_has_them() -> None:
    assert mixed_dimensions([1000, 20, 301, 5000], 16, 0.3) == (5, 16, 7, 3)
    assert mixed_dimensions([1000, 20, 301, 5000], 16, 0.3, powers_of_two=True) == (4, 16, 8, 4)
    assert mixed_dimensions([10, 10**12], 16, 1.0) == mixed_dimensions([10, 10**12], 16, 1.0, True) == (16, 1)
    assert mixed_dimensions([7, 90], 8, 0.0) == (8, 8)
    with pytest.raises(HotrowError, match="temperature -1"):
        mixed_dimensions([1], 2, -1)


def test_mixed_dimensions_as_the_benchmark_has_them(shared: Path) -> None:
    for case in json.loads((shared / "golden" / "dlrm" / "md_solver.json").read_text()):
        rows, dim, temperature = case["n"], case["d0"], case["alpha"]
        assert list(mixed_dimensions(rows, dim, temperature)) == case["dims"]
        assert list(mixed_dimensions(rows, dim, temperature, powers_of_two=True)) == case["dims_pow2"]


def test_only_large_tables_change() -> None:
    mixed = mixed_dimension(CONFIG, threshold=500)
    assert [table.dim for table in mixed.tables] == [5, 16, 16, 3]
    assert mixed.dense_parameters == CONFIG.dense_parameters + 16 * (5 + 3)
    assert mixed.parameters < CONFIG.parameters

    factored = quotient_remainder(CONFIG, threshold=301, collisions=10)
    assert [type(table.storage) for table in factored.tables] == [QuotientRemainder, Plain, Plain, QuotientRemainder]
    assert factored.tables[0].stored_rows == (100, 10)

    small = hashed(CONFIG, 301)
    assert [table.stored_rows for table in small.tables] == [(301,), (20,), (301,), (301,)]
    assert small.scaled(0.5).tables[0].storage == Hashed(150)


def test_concatenated_halves_need_an_even_dimension() -> None:
    halves = quotient_remainder(CONFIG, combine="concat")
    assert (halves.tables[0].dim, halves.tables[0].width) == (8, 16)
    odd = ModelConfig("odd", 3, (5,), (1,), "cat", (TableConfig("t", 1000, 5),))
    with pytest.raises(HotrowError, match=r"even dimension, the bottom MLP ends in 5"):
        quotient_remainder(odd, combine="concat")
