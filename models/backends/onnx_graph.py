"""A model as an ONNX graph: the MLPs, every kind of table and interaction, from ONNX's own operators alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ... import HotrowError
from ..dlrm import DLRM
from ..embedding import HashedTable, PlainTable, QuotientRemainderTable, Table
from ..interaction import Cross, Dot

OPSET = 17
BESIDE = 2**30  # bytes of weights from which they go to a file beside the graph; a graph itself must stay below 2 GiB


def save_onnx(model: DLRM, path: str | Path, one_hot: bool = False) -> None:
    """Write the model as an ONNX file; weights above 1 GiB go to a file beside it, with .data behind its name.

    Inputs: dense float32 [samples, D], then per table `indices_k` int64 and, but for `one_hot` (one id per sample),
    closed `offsets_k` int64 [samples + 1]. Output: `probability` [samples]. Raises HotrowError without the package
    onnx, or where the model is not float32.
    """
    onnx = _onnx()
    made = onnx_model(model, one_hot)
    path = Path(path)
    if sum(weight.numel() for weight in model.parameters()) * 4 < BESIDE:
        onnx.save_model(made, str(path))
    else:
        onnx.save_model(made, str(path), save_as_external_data=True, location=f"{path.name}.data")


def onnx_model(model: DLRM, one_hot: bool = False) -> Any:
    """The graph of save_onnx, an onnx.ModelProto."""
    if model.dtype != torch.float32:
        raise HotrowError(f"model {model.config.name!r} is {model.dtype}; only float32 is written to ONNX")
    onnx = _onnx()
    graph = _Graph()
    bottom = graph.mlp("bottom", list(model.bottom), "dense")
    pooled = graph.one_hot(model) if one_hot and _all_plain(model) else graph.tables(model, one_hot)
    mixed = graph.interaction(model, bottom, pooled)
    logits = graph.mlp("top", list(model.top), mixed)
    last = graph.node("Sigmoid" if model.sigmoid_last else "Relu", logits)
    graph.node("Squeeze", last, graph.ints([1]), out="probability")
    helper, number = onnx.helper, onnx.TensorProto
    inputs = [helper.make_tensor_value_info("dense", number.FLOAT, ["samples", model.config.dense])]
    for k in range(len(model.tables)):
        inputs.append(
            helper.make_tensor_value_info(f"indices_{k}", number.INT64, ["samples" if one_hot else f"ids_{k}"])
        )
        if not one_hot:
            inputs.append(helper.make_tensor_value_info(f"offsets_{k}", number.INT64, ["samples_and_one"]))
    output = helper.make_tensor_value_info("probability", number.FLOAT, ["samples"])
    made = helper.make_graph(graph.nodes, model.config.name, inputs, [output], graph.weights)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8, producer_name="hotrow")


def feeds(one_hot: bool, dense: torch.Tensor, indices: Any, offsets: Any) -> dict[str, NDArray[Any]]:
    """The inputs of such a graph from a batch."""
    inputs: dict[str, NDArray[Any]] = {"dense": dense.float().numpy()}
    for k, (rows, starts) in enumerate(zip(indices, offsets, strict=True)):
        inputs[f"indices_{k}"] = rows.long().numpy()
        if not one_hot:
            closed = starts.long().numpy()
            inputs[f"offsets_{k}"] = closed if len(closed) > len(dense) else np.append(closed, len(rows))
    return inputs


def _all_plain(model: DLRM) -> bool:
    return all(isinstance(t, PlainTable) and not t.projected and t.weights != "learned" for t in model.tables)


def _onnx() -> Any:
    try:
        import onnx  # type: ignore[import-untyped, import-not-found, unused-ignore]
    except ImportError as error:
        raise HotrowError("writing ONNX needs the package onnx: pip install 'hotrow[export]'") from error
    return onnx


class _Graph:
    """Nodes and weights under construction; every method adds what it says and returns its result's name."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self._onnx = _onnx()

    def node(self, kind: str, *inputs: str, out: str = "", **attributes: Any) -> str:
        """One operator."""
        name = out or f"n{len(self.nodes)}"
        self.nodes.append(self._onnx.helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, values: Any, name: str = "") -> str:
        """A weight or constant."""
        numbers = values.detach().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)
        name = name or f"c{len(self.weights)}"
        self.weights.append(self._onnx.numpy_helper.from_array(np.ascontiguousarray(numbers), name))
        return name

    def ints(self, values: list[int]) -> str:
        """Constant int64 numbers."""
        return self.constant(np.array(values, np.int64))

    def mlp(self, name: str, layers: list[nn.Module], x: str) -> str:
        """Layers with what follows them."""
        for k, layer in enumerate(layers):
            if isinstance(layer, nn.Linear):
                weight = self.constant(layer.weight, f"{name}.{k}.weight")
                x = self.node("Gemm", x, weight, self.constant(layer.bias, f"{name}.{k}.bias"), transB=1)
            else:
                x = self.node("Relu" if isinstance(layer, nn.ReLU) else "Sigmoid", x)
        return x

    def one_hot(self, model: DLRM) -> str:
        """All tables by one Gather from one matrix: [samples, tables, dim]."""
        matrices = [table.weight.detach() for table in model.tables if isinstance(table, PlainTable)]
        rows = [len(matrix) for matrix in matrices]
        weights = self.constant(torch.cat(matrices), "tables")
        ids = [self.node("Unsqueeze", f"indices_{k}", self.ints([1])) for k in range(len(rows))]
        starts = self.ints([sum(rows[:k]) for k in range(len(rows))])
        places = self.node("Add", self.node("Concat", *ids, axis=1), starts)
        return self.node("Gather", weights, places)

    def tables(self, model: DLRM, one_hot: bool) -> str:
        """All tables, one after the other: [samples, tables, dim]."""
        vectors = []
        for k, table in enumerate(model.tables):
            assert isinstance(table, Table)
            pooled = self._table(table, k, one_hot)
            if table.projected:
                pooled = self.node("MatMul", pooled, self.constant(table.projection.detach().t()))
            vectors.append(self.node("Unsqueeze", pooled, self.ints([1])))
        return self.node("Concat", *vectors, axis=1)

    def _table(self, table: Table, k: int, one_hot: bool) -> str:
        ids = f"indices_{k}"
        factors = ""
        if table.weights == "learned":
            factors = self.node("Gather", self.constant(table.pooling_weight, f"tables.{k}.pooling_weight"), ids)
        if isinstance(table, HashedTable):
            ids = self.node("Mod", ids, self.ints([len(table.weight)]))
        if isinstance(table, PlainTable | HashedTable):
            return self._sum(table.weight, f"tables.{k}.weight", ids, factors, k, one_hot)
        assert isinstance(table, QuotientRemainderTable)
        collisions = self.ints([table.storage.collisions])
        name = f"tables.{k}"
        one = self._sum(table.quotient, f"{name}.quotient", self.node("Div", ids, collisions), factors, k, one_hot)
        other = self._sum(table.remainder, f"{name}.remainder", self.node("Mod", ids, collisions), factors, k, one_hot)
        if table.storage.combine == "concat":
            return self.node("Concat", one, other, axis=1)
        return self.node("Mul" if table.storage.combine == "mult" else "Add", one, other)

    def _sum(self, weight: torch.Tensor, name: str, ids: str, factors: str, k: int, one_hot: bool) -> str:
        """Bags' sums [samples, dim]: every bag is padded to the longest, and what is too many counts zero."""
        rows = self.node("Gather", self.constant(weight, name), ids)
        rows = self.node("Mul", rows, factors) if factors else rows
        if one_hot:
            return rows
        zero, one = self.ints([0]), self.ints([1])
        far = self.ints([np.iinfo(np.int64).max])
        starts = self.node("Slice", f"offsets_{k}", zero, self.ints([-1]))
        sizes = self.node("Sub", self.node("Slice", f"offsets_{k}", one, far), starts)
        longest = self.node("ReduceMax", sizes, keepdims=0)
        none, step = self.constant(np.int64(0)), self.constant(np.int64(1))
        places = self.node("Unsqueeze", self.node("Range", none, longest, step), zero)
        inside = self.node("Less", places, self.node("Unsqueeze", sizes, one))
        ids_of = self.node("Add", places, self.node("Unsqueeze", starts, one))
        count = self.node("Shape", ids)
        padded = self.node("Where", inside, ids_of, count)  # the row behind the last is zero
        blank = self.constant(np.zeros((1, weight.shape[1]), np.float32))
        bags = self.node("Gather", self.node("Concat", rows, blank, axis=0), padded)
        return self.node("ReduceSum", bags, one, keepdims=0)

    def interaction(self, model: DLRM, bottom: str, pooled: str) -> str:
        """The top MLP's input."""
        config = model.config
        vectors = self.node("Concat", self.node("Unsqueeze", bottom, self.ints([1])), pooled, axis=1)
        if isinstance(model.interaction, Dot):
            products = self.node("MatMul", vectors, self.node("Transpose", vectors, perm=[0, 2, 1]))
            flat = self.node("Reshape", products, self.ints([-1, config.vectors**2]))
            pairs = self.node("Gather", flat, self.constant(model.interaction.pairs), axis=1)
            return self.node("Concat", bottom, pairs, axis=1)
        x = first = self.node("Reshape", vectors, self.ints([-1, config.vectors * config.dim]))
        if isinstance(model.interaction, Cross):
            for down, up, bias in zip(
                model.interaction.down, model.interaction.up, model.interaction.bias, strict=True
            ):
                narrow = self.node("Gemm", x, self.constant(down), transB=1)
                crossed = self.node("Gemm", narrow, self.constant(up), self.constant(bias), transB=1)
                x = self.node("Add", self.node("Mul", first, crossed), x)
        return x
