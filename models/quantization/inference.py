"""quantized: a model's inference with tables at 8 or 4 bits and MLPs at 16 or 8, and what its parameters then weigh."""

from __future__ import annotations

import copy
from collections.abc import Callable

from torch import nn

from ... import HotrowError
from ..config import ModelConfig
from ..dlrm import DLRM
from ..fast.dense import PackedMLP
from ..fast.inference import MLP, FastInference
from ..fast.lookups import PlainTables
from ..tables import TableConfig
from .layers import BFloat16MLP, Int8MLP
from .rows import dequantize_rows, quantize_rows, row_bytes, unit_of
from .tables import QuantizedTables

TABLE_BITS, MLP_BITS = (32, 8, 4), (32, 16, 8)
MLPS: dict[int, Callable[[list[nn.Module], int], MLP]] = {32: PackedMLP, 16: BFloat16MLP, 8: Int8MLP}


def quantized(model: DLRM, table_bits: int = 32, mlp_bits: int = 32) -> FastInference:
    """The model's inference at these bits; once made, it needs the model's plain tables no more.

    Tables of other kinds (hashed, quotient-remainder, narrower ones) keep float32 rows, rounded to the values that
    quantized rows stand for. Raises HotrowError for bits that there are not, or a model that is not float32 on the CPU.
    """
    _check(table_bits, mlp_bits)
    if table_bits == 32:
        return FastInference(model, make_mlp=MLPS[mlp_bits])
    tables = QuantizedTables.of(PlainTables.of(model), table_bits)
    return FastInference(_without(model, tables, table_bits), tables, MLPS[mlp_bits])


def quantized_bytes(config: ModelConfig, table_bits: int = 32, mlp_bits: int = 32) -> int:
    """Bytes of a model's parameters at these bits: d · bits / 8 + 4 per row, a scale per output of an 8-bit layer.

    Learned pooling weights, projections and cross layers stay in float32, 8-bit layers' biases too.
    """
    _check(table_bits, mlp_bits)
    layers = (*config.bottom_layers, *config.top_layers)
    weights, outputs = sum(n * m for n, m in layers), sum(m for _, m in layers)
    beside = {32: 4, 16: 2, 8: 8}[mlp_bits]  # an output's bias and, at 8 bits, its scale
    rest = config.dense_parameters - weights - outputs
    tables = sum(_table_bytes(table, table_bits) for table in config.tables)
    return tables + weights * mlp_bits // 8 + outputs * beside + 4 * rest


def _table_bytes(table: TableConfig, bits: int) -> int:
    row = 4 * table.dim if bits == 32 else row_bytes(table.dim, bits)
    return sum(table.stored_rows) * row + (4 * table.rows if table.weights == "learned" else 0)


def _check(table_bits: int, mlp_bits: int) -> None:
    for name, bits, known in (("tables", table_bits, TABLE_BITS), ("MLPs", mlp_bits, MLP_BITS)):
        if bits not in known:
            raise HotrowError(f"{name} at {bits} bits; known are {', '.join(map(str, known))}")


def _without(model: DLRM, tables: QuantizedTables, bits: int) -> DLRM:
    """The model, all shared but its tables: the quantized ones are gone, the others rounded."""
    shell = copy.copy(model)
    shell._modules = dict(model._modules)
    kept = [nn.Identity() if k in tables.numbers else _rounded(table, bits) for k, table in enumerate(model.tables)]
    shell.tables = nn.ModuleList(kept)
    return shell


def _rounded(table: nn.Module, bits: int) -> nn.Module:
    """A copy of a table with its rows at the values that quantized ones stand for."""
    result = copy.deepcopy(table).requires_grad_(False)
    for name, weight in result.named_parameters():
        if name not in ("projection", "pooling_weight"):
            values, unit = weight.numpy(), unit_of(weight)
            values[:] = dequantize_rows(quantize_rows(values, bits, unit), values.shape[1], bits, unit)
    return result
