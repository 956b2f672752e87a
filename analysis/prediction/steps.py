"""Steps: the operators that one step of a model runs, with the sizes that their time depends on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ...models.config import ModelConfig

Kind = Literal["gather", "linear", "map", "product", "scatter", "apply", "update", "transfer", "step"]
Mode = Literal["inference", "training"]
FLOAT = 4.0


@dataclass(frozen=True)
class Operator:
    """One operator of a step. Which sizes count depends on its kind, the rest are 0.

    linear: m, k, n. gather, scatter and apply: bags m, lookups k, dim n, table. product: multiply-adds, vectors of n.
    map, update, transfer: bytes; update, transfer: of m tensors. nodes: of the recorded graph that it adds. backward:
    whether it is of the backward pass or later.
    """

    name: str
    role: str
    kind: Kind
    m: float = 0.0
    k: float = 0.0
    n: float = 0.0
    bytes: float = 0.0
    multiply_adds: float = 0.0
    table: int = -1
    nodes: int = 0
    backward: bool = False

    @property
    def flops(self) -> float:
        """Floating-point operations: two per multiply-add, one per number that a bag adds up."""
        if self.kind == "linear":
            return 2 * self.m * self.k * self.n
        return self.k * self.n if self.kind == "gather" else 2 * self.multiply_adds


def operators(config: ModelConfig, per_table: tuple[float, ...], batch: int, mode: Mode) -> tuple[Operator, ...]:
    """What one step runs, in order; per_table: mean lookups per sample."""
    return tuple(_forward(config, per_table, batch)) + (
        tuple(_training(config, per_table, batch)) if mode == "training" else ()
    )


def _forward(config: ModelConfig, per_table: tuple[float, ...], b: int) -> Iterator[Operator]:
    yield Operator("step", "other", "step")
    yield Operator(
        "inputs",
        "transfer",
        "transfer",
        m=1 + 2 * len(per_table),
        bytes=b * (config.dense * FLOAT + sum(per_table) * 8 + len(per_table) * 8),
    )
    yield from _mlp("bottom", config.bottom_layers, b)
    for k, (table, lookups) in enumerate(zip(config.tables, per_table, strict=True)):
        yield Operator(table.name, "embedding", "gather", m=b, k=b * lookups, n=table.dim, table=k)
    yield from interaction(config, b)
    yield from _mlp("top", config.top_layers, b)


def _mlp(role: str, layers: tuple[tuple[int, int], ...], b: int) -> Iterator[Operator]:
    for number, (k, n) in enumerate(layers):
        yield Operator(f"{role}.{number}", role, "linear", m=b, k=k, n=n)
        yield Operator(f"{role}.{number} activation", role, "map", bytes=2 * b * n * FLOAT)


def interaction(config: ModelConfig, b: int) -> Iterator[Operator]:
    """The operators between bags and top MLP."""
    v, d, width = config.vectors, config.dim, config.interaction_width
    role, all_vectors = "interaction", b * v * d * FLOAT
    if config.interaction == "dot":
        yield Operator("stack", role, "map", bytes=2 * all_vectors)
        yield Operator("dot", role, "product", multiply_adds=b * v * v * d, m=b, n=d)
        yield Operator("triangle", role, "map", bytes=2 * b * width * FLOAT)
        yield Operator("cat", role, "map", bytes=2 * b * width * FLOAT)
        return
    yield Operator("cat", role, "map", bytes=2 * all_vectors)
    for number in range(config.cross_layers):
        yield Operator(f"cross.{number}.down", role, "linear", m=b, k=width, n=config.cross_rank)
        yield Operator(f"cross.{number}.up", role, "linear", m=b, k=config.cross_rank, n=width)
        yield Operator(f"cross.{number}", role, "map", bytes=4 * b * width * FLOAT)


def _training(config: ModelConfig, per_table: tuple[float, ...], b: int) -> Iterator[Operator]:
    yield Operator("loss", "loss", "map", bytes=12 * b * FLOAT, nodes=4)
    for done in _forward(config, per_table, b):
        role = f"{done.role} backward"
        if done.kind == "linear":
            first = done.name == "bottom.0"
            yield Operator(done.name, role, "linear", m=done.k, k=done.m, n=done.n, nodes=1, backward=True)
            if not first:
                yield Operator(f"{done.name} input", role, "linear", m=done.m, k=done.n, n=done.k, backward=True)
        elif done.kind == "map":
            yield Operator(done.name, role, "map", bytes=1.5 * done.bytes, nodes=1, backward=True)
        elif done.kind == "product":
            twice = 2 * done.multiply_adds
            yield Operator(done.name, role, "product", multiply_adds=twice, m=b, n=done.n, nodes=1, backward=True)
        elif done.kind == "gather":
            yield Operator(
                done.name, role, "scatter", m=b, k=done.k, n=done.n, table=done.table, nodes=1, backward=True
            )
    tensors = 2.0 * sum(done.kind == "linear" for done in _forward(config, per_table, b))  # weights and biases
    dense = config.dense_parameters * FLOAT
    yield Operator("dense parameters", "optimizer", "update", m=tensors, bytes=dense, backward=True)
    for k, (table, lookups) in enumerate(zip(config.tables, per_table, strict=True)):
        yield Operator(table.name, "optimizer", "apply", m=b, k=b * lookups, n=table.dim, table=k, backward=True)
