"""Costs: the published derived values to the digit, and small sums by hand."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow import HotrowError
from hotrow.models.compression import hashed, mixed_dimension, quotient_remainder
from hotrow.models.config import ModelConfig, TableConfig, load_preset
from hotrow.models.cost import (
    BagStatistics,
    bag_statistics,
    by_role,
    forward_cost,
    total,
    training_cost,
    uniform_bags,
)
from hotrow.models.dlrm import DLRM
from hotrow.models.tables import QuotientRemainder
from hotrow.tracegen.trace import TableLookups, Trace


@pytest.mark.parametrize(
    ("preset", "lookups", "row_bytes", "multiply_adds"),
    [
        ("rm1", 640, 81_920, 100_416),
        ("rm2", 3_840, 983_040, 319_552),
        ("rm3", 200, 25_600, 3_203_328),
        ("mlperf-dcnv2", 214, 109_568, 16_030_464),
        ("dlrm-benchmark", 400, 102_400, 2_495_488),
    ],
)
def test_derived_values_as_published(preset: str, lookups: int, row_bytes: int, multiply_adds: int) -> None:
    config = load_preset(preset)
    costs = forward_cost(config, uniform_bags(config, 1))
    assert sum(cost.lookups for cost in costs) == lookups
    assert sum(cost.row_bytes for cost in costs) == row_bytes
    assert sum(cost.multiply_adds for cost in costs if cost.kind == "linear") == multiply_adds
    assert total(costs).parameters == config.parameters


def test_the_largest_preset_as_published() -> None:
    config = load_preset("mlperf-dcnv2")
    assert sum(table.rows for table in config.tables) == 204_184_588
    assert sum(table.parameters for table in config.tables) * 4 == pytest.approx(104.5e9, rel=1e-3)
    costs = forward_cost(config, uniform_bags(config, 1))
    assert 2 * sum(cost.multiply_adds for cost in costs) == pytest.approx(32.06e6, rel=1e-4)


@pytest.mark.parametrize("interaction", ["dot", "cat", "dcnv2"])
@pytest.mark.parametrize("compress", [quotient_remainder, mixed_dimension, lambda config: hashed(config, 100)])
def test_costs_of_compressed_models_count_every_parameter(interaction: Any, compress: Any) -> None:
    cross = {"cross_layers": 2, "cross_rank": 3} if interaction == "dcnv2" else {}
    tables = (TableConfig("a", 1000, 8, 2.0, weights="learned"), TableConfig("b", 40, 8))
    config = compress(ModelConfig("m", 3, (8,), (4, 1), interaction, tables, **cross))
    bags = uniform_bags(config, 6)
    assert total(forward_cost(config, bags)).parameters == config.parameters
    assert sum(p.numel() for p in DLRM(config).parameters()) == config.parameters
    roles = by_role(training_cost(config, bags))
    assert roles["optimizer"].lookups == roles["embedding"].lookups == 18
    forward, backward = (sum(roles[f"{r}{b}"].multiply_adds for r in ("interaction", "top")) for b in ("", " backward"))
    assert backward == 2 * forward


def test_a_factored_table_by_hand() -> None:
    table = TableConfig("t", 1000, 4, storage=QuotientRemainder(10, "mult"), weights="learned")
    config = ModelConfig("m", 1, (4,), (1,), "cat", (table,))
    roles = by_role(training_cost(config, BagStatistics(2, (6,), (6,))))
    assert roles["embedding"].row_bytes == 6 * 2 * 4 * 4
    assert roles["embedding"].read == 6 * (2 * 4 + 1) * 4 + 6 * 4 + 3 * 4
    assert roles["embedding"].elementwise == 6 * 2 * 4 * 2 + 2 * 4
    assert roles["embedding"].parameters == (100 + 10) * 4 + 1000
    assert roles["embedding backward"].written == 6 * 2 * 4 * 4 + 6 * 3 * 8 + 6 * 4


def test_a_tiny_model_by_hand() -> None:
    config = ModelConfig("tiny", 3, (2,), (4, 1), "dot", (TableConfig("a", 10, 2), TableConfig("b", 7, 2, 2.0)))
    bags = BagStatistics(5, (5, 10), (4, 6))
    roles = by_role(forward_cost(config, bags))
    assert list(roles) == ["bottom", "embedding", "interaction", "top"]
    assert roles["bottom"].multiply_adds == 5 * 3 * 2
    assert roles["bottom"].flops == 2 * 5 * 3 * 2 + 2 * 5 * 2
    assert roles["bottom"].read == 4 * (5 * 3 + 3 * 2 + 2)
    assert roles["embedding"].elementwise == 15 * 2
    assert roles["embedding"].read == 15 * (8 + 4) + 2 * 6 * 4
    assert roles["embedding"].distinct_bytes == 10 * 8
    assert roles["interaction"].multiply_adds == 5 * 3 * 3 * 2
    assert roles["top"].parameters == (5 + 1) * 4 + (4 + 1) * 1
    assert roles["top"].intensity == roles["top"].flops / roles["top"].bytes

    training = by_role(training_cost(config, bags))
    assert training["bottom backward"].multiply_adds == 5 * 3 * 2  # the dense features need no gradient
    assert training["top backward"].multiply_adds == 2 * roles["top"].multiply_adds
    assert training["interaction backward"].multiply_adds == 2 * roles["interaction"].multiply_adds
    assert training["embedding backward"].written == 15 * (8 + 8)
    assert training["optimizer"].elementwise == 2 * (8 + 29) + 2 * 15 * 2
    assert {"loss", "loss backward"} <= set(training)


@given(st.integers(1, 50), st.floats(0, 20), st.integers(1, 100))
@settings(max_examples=50, deadline=None)
def test_uniform_bags_never_ask_for_more_rows_than_there_are(samples: int, pooling: float, rows: int) -> None:
    config = ModelConfig("m", 1, (2,), (1,), "cat", (TableConfig("t", rows, 2, pooling),))
    bags = uniform_bags(config, samples)
    assert 0 <= bags.distinct[0] <= min(rows, max(bags.lookups[0], 1)) + 1e-9


def test_bags_of_a_trace_are_counted_over_whole_batches() -> None:
    trace = Trace((TableLookups("t", 9, np.array([1, 1, 2, 3, 8]), np.array([0, 2, 3, 3, 4, 5])),))
    bags = bag_statistics(trace, 2)  # batches {1, 1, 2} and {3}; the fifth sample is left over
    assert bags == BagStatistics(2, (2.0,), (1.5,))
    for batch in (0, 6):
        with pytest.raises(HotrowError, match="choose 1 to 5"):
            bag_statistics(trace, batch)


def test_bags_of_another_model_are_refused() -> None:
    with pytest.raises(HotrowError, match="1 tables for model 'rm3' with 10"):
        forward_cost(load_preset("rm3"), BagStatistics(1, (1,), (1,)))
    with pytest.raises(HotrowError, match="0 samples"):
        BagStatistics(0, (), ())
    with pytest.raises(HotrowError, match="2 tables but distinct rows of 1"):
        BagStatistics(1, (1, 2), (1,))
