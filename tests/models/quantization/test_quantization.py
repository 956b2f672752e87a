"""Quantized rows: sizes, error bounds, pooling equal to the dequantized rows; quantized models near the full ones."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow import HotrowError
from hotrow.models.config import ModelConfig, TableConfig, load_preset
from hotrow.models.dlrm import DLRM
from hotrow.models.fast.inference import FastInference
from hotrow.models.fast.lookups import Lookups, PlainTables
from hotrow.models.quantization.inference import quantized, quantized_bytes
from hotrow.models.quantization.rows import dequantize_rows, quantize_rows, row_bytes, unit_of
from hotrow.models.quantization.tables import QuantizedTables
from hotrow.models.tables import Hashed, QuotientRemainder

CONFIG = ModelConfig("m", 3, (9, 8), (10, 1), "dot", (TableConfig("a", 60, 8), TableConfig("b", 40, 8)))


def batch(config: ModelConfig, samples: int, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    ends = [np.concatenate(([0], np.cumsum(rng.integers(0, 4, samples)))) for _ in config.tables]
    ids = [rng.integers(0, t.rows, int(e[-1]), dtype=np.int32) for t, e in zip(config.tables, ends, strict=True)]
    dense = torch.from_numpy(rng.standard_normal((samples, config.dense), np.float32))
    return dense, [torch.from_numpy(i) for i in ids], [torch.from_numpy(e.astype(np.int32)) for e in ends]


@given(st.integers(1, 9), st.integers(1, 40), st.sampled_from([8, 4]), st.floats(-20, 10), st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_a_number_is_off_by_half_a_step_at_most(rows: int, dim: int, bits: int, size: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weight = (rng.standard_normal((rows, dim)) * 2.0**size).astype(np.float32)
    unit = unit_of(torch.from_numpy(weight))
    packed = quantize_rows(weight, bits, unit)
    assert packed.shape == (rows, row_bytes(dim, bits))
    spread = weight.max(1) - weight.min(1)
    step = spread / (2**bits - 1)
    rounding = np.abs(weight).max(1) * 2.0**-10 + unit * 2.0**-24  # of scale and least value to float16
    error = np.abs(dequantize_rows(packed, dim, bits, unit) - weight).max(1)
    assert bool((error <= step / 2 + 2 * rounding).all())


def test_bytes_of_a_row_as_published() -> None:
    assert row_bytes(64, 4) / (4 * 64) == pytest.approx(0.1406, abs=1e-4)
    assert (row_bytes(16, 8), row_bytes(16, 4), row_bytes(5, 4)) == (20, 12, 7)


@pytest.mark.parametrize("weight", [np.zeros((2, 5)), np.full((2, 5), 3.0), np.array([[0.0, 0, 0, 0, 1e-30]])])
@pytest.mark.parametrize("bits", [8, 4])
def test_rows_of_one_value_stay(weight: Any, bits: int) -> None:
    weight = weight.astype(np.float32)
    unit = unit_of(torch.from_numpy(weight))
    np.testing.assert_allclose(dequantize_rows(quantize_rows(weight, bits, unit), 5, bits, unit), weight, atol=1e-31)


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("dim", [1, 7, 8, 16])
def test_pooling_sums_the_dequantized_rows(bits: int, dim: int) -> None:
    config = ModelConfig("m", 1, (dim,), (1,), "cat", (TableConfig("a", 60, dim), TableConfig("b", 40, dim)))
    plain = PlainTables.of(DLRM(config))
    tables = QuantizedTables.of(plain, bits)
    _, ids, ends = batch(config, 20, dim)
    out = np.full((20, 3, dim), np.nan, np.float32)
    tables.pool(Lookups.of(ids, ends), 20, 0, 20, out)
    for k in range(2):
        assert tables.packed[k].shape == (config.tables[k].rows, row_bytes(dim, bits))
        rows = dequantize_rows(tables.packed[k].numpy(), dim, bits, float(tables.units[k]))
        bags = np.split(ids[k].numpy(), ends[k].numpy()[1:-1])
        sums = [rows[bag].sum(0) for bag in bags]
        np.testing.assert_allclose(out[:, k + 1], sums, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("samples", [1, 5, 150])
@pytest.mark.parametrize(
    ("table_bits", "mlp_bits", "near"), [(8, 32, 2e-3), (4, 32, 3e-2), (32, 16, 2e-2), (32, 8, 2e-2)]
)
def test_probabilities_stay_near(samples: int, table_bits: int, mlp_bits: int, near: float) -> None:
    model = DLRM(CONFIG, 3)
    inputs = batch(CONFIG, samples, 1)
    full, fewer = FastInference(model)(*inputs), quantized(model, table_bits, mlp_bits)(*inputs)
    assert 0 < float((full - fewer).abs().max()) < near


def test_other_tables_are_rounded_and_the_model_is_left_alone() -> None:
    tables = (
        TableConfig("a", 60, 8, storage=Hashed(7)),
        TableConfig("b", 40, 4),
        TableConfig("c", 30, 8, storage=QuotientRemainder(3)),
        TableConfig("d", 30, 8, weights="learned"),
        TableConfig("e", 30, 8),
    )
    model = DLRM(ModelConfig("m", 3, (9, 8), (10, 1), "dot", tables), 2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    inputs = batch(model.config, 30, 5)
    fewer = quantized(model, 4, 8)(*inputs)
    assert 0 < float((FastInference(model)(*inputs) - fewer).abs().max()) < 0.1
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


def test_an_index_out_of_range_is_named() -> None:
    dense, ids, ends = batch(CONFIG, 4, 2)
    wrong = torch.full_like(ids[1], 40)
    with pytest.raises(HotrowError, match=r"table 'b', sample \d: index 40; the table has 40 rows"):
        quantized(DLRM(CONFIG), 4)(dense, [ids[0], wrong], ends)


def test_bytes_of_a_model() -> None:
    config = load_preset("criteo-kaggle")
    rows = sum(table.rows for table in config.tables)
    assert quantized_bytes(config) == config.bytes
    assert quantized_bytes(config) - quantized_bytes(config, 8) == rows * (64 - 20)
    assert quantized_bytes(config) - quantized_bytes(config, 4) == rows * (64 - 12)
    weights = sum(n * m for n, m in (*config.bottom_layers, *config.top_layers))
    outputs = sum(m for _, m in (*config.bottom_layers, *config.top_layers))
    assert quantized_bytes(config) - quantized_bytes(config, 32, 16) == 2 * (weights + outputs)
    assert quantized_bytes(config) - quantized_bytes(config, 32, 8) == 3 * weights - 4 * outputs


def test_other_bits_are_refused() -> None:
    with pytest.raises(HotrowError, match="tables at 2 bits; known are 32, 8, 4"):
        quantized(DLRM(CONFIG), 2)
    with pytest.raises(HotrowError, match="MLPs at 4 bits; known are 32, 16, 8"):
        quantized_bytes(CONFIG, 4, 4)
