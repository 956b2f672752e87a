"""FLOPs, bytes, lookups and parameters of every operator, from the model and its bags alone.

Every operand counts once per operator, in float32: weights and inputs read, outputs written, a bias and an
activation fused with their layer. What a cache saves is for the analysis to say; nothing here is measured.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np

from .. import HotrowError
from ..tracegen.trace import TableLookups, Trace
from .config import WEIGHT_BYTES, ModelConfig
from .tables import TableConfig

INDEX_BYTES = 4  # int32 indices and offsets
GRADIENT_INDEX_BYTES = 8  # a sparse gradient names its rows in int64

Kind = Literal["linear", "product", "gather", "elementwise"]


@dataclass(frozen=True)
class BagStatistics:
    """What a batch of `samples` looks up: per table, mean lookups and mean distinct rows per batch."""

    samples: int
    lookups: tuple[float, ...]
    distinct: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise HotrowError(f"a batch of {self.samples} samples; at least 1 is needed")
        if len(self.lookups) != len(self.distinct):
            raise HotrowError(f"lookups of {len(self.lookups)} tables but distinct rows of {len(self.distinct)}")


@dataclass(frozen=True)
class OperatorCost:
    """One operator's work per batch.

    multiply_adds: of matrix products (as published derived values count them). elementwise: additions of pooling
    and bias, activations, updates. read, written: bytes, rows and indices included. lookups: rows asked for.
    row_bytes: their bytes; distinct_bytes: those of distinct rows alone, at most (which ids share a row of a
    compressed table is not known here). parameters: weights and biases.
    """

    name: str
    role: str
    kind: Kind
    multiply_adds: float = 0
    elementwise: float = 0
    read: float = 0
    written: float = 0
    lookups: float = 0
    row_bytes: float = 0
    distinct_bytes: float = 0
    parameters: int = 0

    @property
    def flops(self) -> float:
        """Floating-point operations: two per multiply-add and the elementwise ones."""
        return 2 * self.multiply_adds + self.elementwise

    @property
    def bytes(self) -> float:
        """Bytes read and written."""
        return self.read + self.written

    @property
    def intensity(self) -> float:
        """FLOPs per byte."""
        return self.flops / self.bytes if self.bytes else 0.0


def uniform_bags(config: ModelConfig, samples: int) -> BagStatistics:
    """Bags as the configuration says, rows drawn uniformly: n (1 − (1 − 1/n)^k) distinct of k lookups in n rows."""
    lookups = tuple(samples * table.pooling for table in config.tables)
    distinct = tuple(
        -table.rows * float(np.expm1(k * np.log1p(-1 / table.rows))) if table.rows > 1 else float(min(k, 1))
        for table, k in zip(config.tables, lookups, strict=True)
    )
    return BagStatistics(samples, lookups, distinct)


def bag_statistics(trace: Trace, samples: int) -> BagStatistics:
    """Mean lookups and mean distinct rows per whole batch of `samples` consecutive samples of `trace`."""
    batches = trace.samples // samples if samples > 0 else 0
    if not batches:
        raise HotrowError(
            f"the trace has {trace.samples} samples, too few for a batch of {samples}; choose 1 to {trace.samples}"
        )
    lookups, distinct = [], []
    for table in trace.tables:
        parts = [_batch(table, k * samples, (k + 1) * samples) for k in range(batches)]
        lookups.append(float(np.mean([len(part) for part in parts])))
        distinct.append(float(np.mean([len(np.unique(part)) for part in parts])))
    return BagStatistics(samples, tuple(lookups), tuple(distinct))


def forward_cost(config: ModelConfig, bags: BagStatistics) -> tuple[OperatorCost, ...]:
    """Cost of the forward pass, operator by operator, roles bottom, embedding, interaction and top."""
    _check(config, bags)
    b = bags.samples
    return (
        *_linear("bottom", config.bottom_layers, b),
        *_tables(config, bags),
        *_interaction(config, b),
        *_linear("top", config.top_layers, b),
    )


def training_cost(config: ModelConfig, bags: BagStatistics) -> tuple[OperatorCost, ...]:
    """Cost of a training step with SGD: forward, loss, backward of every role and the update.

    Table gradients stay sparse, one row per lookup. The dense features need no gradient.
    """
    b = bags.samples
    return (
        *forward_cost(config, bags),
        *_loss(b),
        *_linear_backward("top", config.top_layers, b, first_input=True),
        *_interaction_backward(config, b),
        *_tables_backward(config, bags),
        *_linear_backward("bottom", config.bottom_layers, b, first_input=False),
        *_update(config, bags),
    )


def total(costs: Iterable[OperatorCost], name: str = "total") -> OperatorCost:
    """The sum of all costs, role and kind set aside."""
    costs = tuple(costs)
    numbers = [field.name for field in fields(OperatorCost) if field.name not in ("name", "role", "kind")]
    return OperatorCost(name, name, "elementwise", **{n: sum(getattr(cost, n) for cost in costs) for n in numbers})


def by_role(costs: Iterable[OperatorCost]) -> dict[str, OperatorCost]:
    """Costs summed by role, in order of first appearance."""
    groups: dict[str, list[OperatorCost]] = {}
    for cost in costs:
        groups.setdefault(cost.role, []).append(cost)
    return {role: total(group, role) for role, group in groups.items()}


def _check(config: ModelConfig, bags: BagStatistics) -> None:
    if len(bags.lookups) != len(config.tables):
        raise HotrowError(
            f"bag statistics of {len(bags.lookups)} tables for model {config.name!r} with {len(config.tables)}"
        )


def _batch(table: TableLookups, start: int, stop: int) -> np.ndarray:
    part: np.ndarray = table.samples_between(start, stop).indices
    return part


def _loss(b: int) -> Iterable[OperatorCost]:
    """Binary cross-entropy −(t log p + (1 − t) log(1 − p)), its mean, and its gradient (p − t) / (p (1 − p)) / b."""
    pairs, value = 2 * b * WEIGHT_BYTES, WEIGHT_BYTES
    yield OperatorCost("loss", "loss", "elementwise", elementwise=8 * b, read=pairs, written=value)
    yield OperatorCost("loss", "loss backward", "elementwise", elementwise=5 * b, read=pairs, written=b * WEIGHT_BYTES)


def _linear(role: str, layers: Iterable[tuple[int, int]], b: int) -> Iterable[OperatorCost]:
    for k, (n, m) in enumerate(layers):
        yield OperatorCost(
            name=f"{role}.{k}",
            role=role,
            kind="linear",
            multiply_adds=b * n * m,
            elementwise=2 * b * m,  # bias and activation
            read=(b * n + n * m + m) * WEIGHT_BYTES,
            written=b * m * WEIGHT_BYTES,
            parameters=(n + 1) * m,
        )


def _linear_backward(role: str, layers: Iterable[tuple[int, int]], b: int, first_input: bool) -> Iterable[OperatorCost]:
    for k, (n, m) in enumerate(layers):
        to_input = k > 0 or first_input
        yield OperatorCost(
            name=f"{role}.{k}",
            role=f"{role} backward",
            kind="linear",
            multiply_adds=b * n * m * (1 + to_input),
            elementwise=2 * b * m,  # bias gradient and activation
            read=(2 * b * m + b * n + to_input * n * m) * WEIGHT_BYTES,
            written=(n * m + m + to_input * b * n) * WEIGHT_BYTES,
        )


def _tables(config: ModelConfig, bags: BagStatistics) -> Iterable[OperatorCost]:
    b = bags.samples
    for table, lookups, distinct in zip(config.tables, bags.lookups, bags.distinct, strict=True):
        row = table.dim * len(table.stored_rows)  # numbers that a lookup reads
        weighted = table.weights != "none"
        combined = b * table.dim if row > table.dim and table.width == table.dim else 0
        yield OperatorCost(
            name=table.name,
            role="embedding",
            kind="gather",
            elementwise=lookups * row * (1 + weighted) + combined,
            read=lookups * ((row + weighted) * WEIGHT_BYTES + INDEX_BYTES) + (b + 1) * INDEX_BYTES,
            written=b * table.width * WEIGHT_BYTES,
            lookups=lookups,
            row_bytes=lookups * row * WEIGHT_BYTES,
            distinct_bytes=_distinct_bytes(table, distinct),
            parameters=table.parameters,
        )
        if config.projects(table):
            yield _product(f"{table.name} projection", "embedding", table.width, config.dim, b)


def _distinct_bytes(table: TableConfig, distinct: float) -> float:
    return sum(min(distinct, rows) for rows in table.stored_rows) * table.dim * WEIGHT_BYTES


def _product(name: str, role: str, n: int, m: int, b: int, elementwise: int = 0, bias: int = 0) -> OperatorCost:
    """A linear map of b vectors from n to m numbers."""
    return OperatorCost(
        name=name,
        role=role,
        kind="linear",
        multiply_adds=b * n * m,
        elementwise=elementwise,
        read=(b * n + n * m + bias) * WEIGHT_BYTES,
        written=b * m * WEIGHT_BYTES,
        parameters=n * m + bias,
    )


def _product_backward(name: str, role: str, n: int, m: int, b: int, elementwise: int = 0) -> OperatorCost:
    """Gradients by its input and its weights."""
    return OperatorCost(
        name=name,
        role=role,
        kind="linear",
        multiply_adds=2 * b * n * m,
        elementwise=elementwise,
        read=(b * m + b * n + n * m) * WEIGHT_BYTES,
        written=(n * m + b * n) * WEIGHT_BYTES,
    )


def _interaction(config: ModelConfig, b: int) -> Iterable[OperatorCost]:
    v, d, width = config.vectors, config.dim, config.interaction_width
    read = b * v * d * WEIGHT_BYTES
    if config.interaction == "dot":
        yield OperatorCost(
            "dot", "interaction", "product", multiply_adds=b * v * v * d, read=read, written=b * width * WEIGHT_BYTES
        )
        return
    yield OperatorCost("cat", "interaction", "elementwise", read=read, written=read)
    for k in range(config.cross_layers):
        yield _product(f"cross.{k}.down", "interaction", width, config.cross_rank, b)
        yield _product(
            f"cross.{k}.up", "interaction", config.cross_rank, width, b, elementwise=3 * b * width, bias=width
        )


def _interaction_backward(config: ModelConfig, b: int) -> Iterable[OperatorCost]:
    v, d, width = config.vectors, config.dim, config.interaction_width
    gradient, vectors = b * width * WEIGHT_BYTES, b * v * d * WEIGHT_BYTES
    role = "interaction backward"
    if config.interaction == "dot":
        yield OperatorCost(
            name="dot",
            role=role,
            kind="product",
            multiply_adds=2 * b * v * v * d,  # one for each side of X Xᵀ
            elementwise=b * v * d,
            read=gradient + vectors,
            written=vectors,
        )
        return
    for k in reversed(range(config.cross_layers)):
        yield _product_backward(f"cross.{k}.up", role, config.cross_rank, width, b, elementwise=5 * b * width)
        yield _product_backward(f"cross.{k}.down", role, width, config.cross_rank, b)
    yield OperatorCost("cat", role, "elementwise", read=gradient, written=vectors)


def _tables_backward(config: ModelConfig, bags: BagStatistics) -> Iterable[OperatorCost]:
    b = bags.samples
    for table, lookups in zip(config.tables, bags.lookups, strict=True):
        matrices = len(table.stored_rows)
        gradient = lookups * table.dim * matrices * WEIGHT_BYTES
        learned = table.weights == "learned"  # a weight's gradient is its row times the bag's
        if config.projects(table):
            yield _product_backward(f"{table.name} projection", "embedding backward", table.width, config.dim, b)
        yield OperatorCost(
            name=table.name,
            role="embedding backward",
            kind="gather",
            elementwise=lookups * table.dim * matrices * ((table.weights != "none") + 2 * learned),
            read=gradient * (1 + learned) + lookups * INDEX_BYTES + (b + 1) * INDEX_BYTES,
            written=gradient + lookups * (matrices + learned) * GRADIENT_INDEX_BYTES + lookups * learned * WEIGHT_BYTES,
            lookups=lookups,
        )


def _update(config: ModelConfig, bags: BagStatistics) -> Iterable[OperatorCost]:
    dense = config.dense_parameters * WEIGHT_BYTES
    yield OperatorCost(
        "dense parameters",
        "optimizer",
        "elementwise",
        elementwise=2 * config.dense_parameters,
        read=2 * dense,
        written=dense,
    )
    for table, lookups, distinct in zip(config.tables, bags.lookups, bags.distinct, strict=True):
        matrices, learned = len(table.stored_rows), table.weights == "learned"
        values = lookups * (table.dim * matrices + learned)
        yield OperatorCost(
            name=table.name,
            role="optimizer",
            kind="gather",
            elementwise=2 * values,
            read=2 * values * WEIGHT_BYTES + lookups * (matrices + learned) * GRADIENT_INDEX_BYTES,
            written=values * WEIGHT_BYTES,
            lookups=lookups,
            row_bytes=lookups * table.dim * matrices * WEIGHT_BYTES,
            distinct_bytes=_distinct_bytes(table, distinct),
        )
