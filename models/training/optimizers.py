"""Optimizers for models with large tables: SGD, Adagrad and row-wise Adagrad, which touch looked-up rows only."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from ... import HotrowError
from ...jit import kernel
from ..fast.gradients import BagGradients, row_gradients
from ..memory import require_memory

Kind = Literal["sgd", "adagrad", "rwsadagrad"]
EPSILON = 1e-10  # added to Adagrad's root, as in torch and in the DLRM benchmark


class Optimizer(ABC):
    """Changes a model's parameters by their gradients; a sparse gradient [rows, …] changes the rows that it names."""

    def __init__(self, model: nn.Module) -> None:
        self.parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}

    def step(self, rate: float, passes: Sequence[BagGradients] = ()) -> None:
        """One step at learning rate `rate`; the gradients are used up. passes: what FastForward has put aside."""
        names, weights, gradients = [], [], []
        if passes:
            self._step_bags(passes, rate)
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                gradient, parameter.grad = parameter.grad, None
                if gradient is None:
                    continue
                if gradient.is_sparse:
                    self._step_rows(name, parameter, gradient._indices()[0], gradient._values(), rate)
                else:
                    names.append(name)
                    weights.append(parameter.data)
                    gradients.append(gradient)
            if names:
                self._step_dense(names, weights, gradients, rate)

    @abstractmethod
    def state(self) -> dict[str, Tensor]:
        """What must be kept to go on later, by parameter name."""

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take up a state; HotrowError where it is another model's or optimizer's."""
        own = self.state()
        wrong = sorted(own.keys() ^ state.keys())
        wrong += [name for name in own.keys() & state.keys() if own[name].shape != state[name].shape]
        if wrong:
            raise HotrowError(f"the optimizer's state does not fit this model: {', '.join(wrong[:6])}")
        for name, value in own.items():
            value.copy_(state[name])

    @abstractmethod
    def _step_bags(self, passes: Sequence[BagGradients], rate: float) -> None: ...

    @abstractmethod
    def _step_dense(self, names: list[str], weights: list[Tensor], gradients: list[Tensor], rate: float) -> None: ...

    @abstractmethod
    def _step_rows(self, name: str, weight: Tensor, rows: Tensor, gradients: Tensor, rate: float) -> None: ...


class SGD(Optimizer):
    """weight − rate · gradient."""

    def state(self) -> dict[str, Tensor]:
        """Nothing."""
        return {}

    def _step_bags(self, passes: Sequence[BagGradients], rate: float) -> None:
        for one in passes:
            one.subtract(rate)

    def _step_dense(self, names: list[str], weights: list[Tensor], gradients: list[Tensor], rate: float) -> None:
        torch._foreach_add_(weights, gradients, alpha=-rate)

    def _step_rows(self, name: str, weight: Tensor, rows: Tensor, gradients: Tensor, rate: float) -> None:
        if _numpy_can(weight):
            _subtract(_flat(weight), rows.numpy(), _flat(gradients), np.float32(rate))
        else:
            weight.index_add_(0, rows, gradients, alpha=-rate)


class Adagrad(Optimizer):
    """weight − rate · gradient / (√sum of squared gradients + 1e-10) (Duchi et al. 2011).

    `row_wise`: one sum per row of a table, of the mean of the row's squared gradients, which costs dim times less
    memory; parameters with dense gradients keep a sum per weight.
    """

    def __init__(self, model: nn.Module, row_wise: bool = False) -> None:
        super().__init__(model)
        self.row_wise = row_wise
        tables = _table_parameters(model) if row_wise else frozenset()
        self._foresee(tables)
        self.sums = {
            name: torch.zeros(len(p), dtype=torch.float32, device=p.device)
            if name in tables
            else torch.zeros_like(p, dtype=torch.float32, requires_grad=False)
            for name, p in self.parameters.items()
        }
        self._slots: dict[str, Any] = {}

    def _foresee(self, tables: frozenset[str]) -> None:
        """Raise HotrowError where the sums, and a place of 4 bytes per row, exceed the free memory."""
        own = {name: p for name, p in self.parameters.items() if p.device.type == "cpu"}
        needed = 4 * sum((len(p) if name in tables else p.numel()) + len(p) for name, p in own.items())
        require_memory(needed, "Adagrad", sum(p.numel() * p.itemsize for p in own.values()))

    def state(self) -> dict[str, Tensor]:
        """The sums, float32: as large as the parameters, or one number per row."""
        return self.sums

    def _step_dense(self, names: list[str], weights: list[Tensor], gradients: list[Tensor], rate: float) -> None:
        sums = [self.sums[name] for name in names]
        wide = [gradient.float() for gradient in gradients]
        torch._foreach_addcmul_(sums, wide, wide)
        roots = torch._foreach_sqrt(sums)
        torch._foreach_add_(roots, EPSILON)
        torch._foreach_div_(wide, roots)
        torch._foreach_add_(weights, [w.to(own.dtype) for w, own in zip(wide, weights, strict=True)], alpha=-rate)

    def _step_rows(self, name: str, weight: Tensor, rows: Tensor, gradients: Tensor, rate: float) -> None:
        sums = self.sums[name]
        by_row = sums.ndim == 1 and weight.ndim > 1
        if not _numpy_can(weight):
            _adagrad_rows(weight, sums, rows, gradients, rate, by_row)
            return
        update = _adagrad_row_wise if by_row else _adagrad
        update(
            _flat(weight),
            sums.numpy() if by_row else _flat(sums),
            rows.numpy(),
            _flat(gradients),
            self._slots_of(name, weight),
            np.float32(rate),
            np.float32(EPSILON),
        )

    def _step_bags(self, passes: Sequence[BagGradients], rate: float) -> None:
        for table, number in enumerate(passes[0].tables.numbers):
            name = f"tables.{number}.weight"
            weight = passes[0].tables.weights[table]
            rows, gradients = row_gradients(passes, table, self._slots_of(name, weight))
            self._step_rows(name, weight, rows, gradients, rate)

    def _slots_of(self, name: str, weight: Tensor) -> Any:
        """Zeros [rows] that kernels note rows in and leave as zeros."""
        if name not in self._slots:
            self._slots[name] = np.zeros(len(weight), np.int32)
        return self._slots[name]


def make_optimizer(kind: Kind, model: nn.Module) -> Optimizer:
    """The optimizer of that name for the parameters of `model` that want gradients."""
    if kind not in get_args(Kind):
        raise HotrowError(f"unknown optimizer {kind!r}; known are {', '.join(get_args(Kind))}")
    return SGD(model) if kind == "sgd" else Adagrad(model, row_wise=kind == "rwsadagrad")


def _table_parameters(model: nn.Module) -> frozenset[str]:
    """Names of the parameters of embedding tables, projections left out: those that get sparse gradients."""
    tables: Iterator[tuple[str, nn.Parameter]] = model.get_submodule("tables").named_parameters("tables")
    return frozenset(name for name, _ in tables if not name.endswith(".projection"))


def _numpy_can(weight: Tensor) -> bool:
    return weight.dtype == torch.float32 and weight.device.type == "cpu"


def _flat(values: Tensor) -> Any:
    """A tensor's own memory as a matrix [rows, rest]."""
    values = values.detach()
    if not values.is_contiguous():
        values = values.contiguous()  # gradients of a sum are one row, repeated without a copy
    return values.numpy().reshape(len(values), math.prod(values.shape[1:]))  # there may be no rows


def _adagrad_rows(weight: Tensor, sums: Tensor, rows: Tensor, gradients: Tensor, rate: float, by_row: bool) -> None:
    """The kernels below in torch's own operations, for any type and device."""
    unique, inverse = torch.unique(rows, return_inverse=True)
    summed = torch.zeros(len(unique), *gradients.shape[1:], dtype=torch.float32, device=weight.device)
    summed.index_add_(0, inverse, gradients.float())
    squares = summed.square()
    sums.index_add_(0, unique, squares.flatten(1).mean(1) if by_row else squares)
    roots = sums.index_select(0, unique).sqrt_().add_(EPSILON)
    if by_row:
        roots = roots.view(-1, *[1] * (weight.ndim - 1))
    weight.index_add_(0, unique, (summed / roots).to(weight.dtype), alpha=-rate)


@kernel
def _subtract(weight: Any, rows: Any, gradients: Any, rate: Any) -> None:
    for k in range(len(rows)):
        row = rows[k]
        for d in range(weight.shape[1]):
            weight[row, d] -= rate * gradients[k, d]


@kernel
def _sum_repeats(rows: Any, gradients: Any, slots: Any) -> None:
    """Add the gradients of repeated rows to the first's; slots[row] becomes its position + 1. All slots start at 0."""
    for k in range(len(rows)):
        first = slots[rows[k]]
        if first == 0:
            slots[rows[k]] = k + 1
        else:
            for d in range(gradients.shape[1]):
                gradients[first - 1, d] += gradients[k, d]


@kernel
def _adagrad(weight: Any, sums: Any, rows: Any, gradients: Any, slots: Any, rate: Any, epsilon: Any) -> None:
    """Uses up the gradients."""
    _sum_repeats(rows, gradients, slots)
    for k in range(len(rows)):
        row = rows[k]
        if slots[row] == k + 1:
            slots[row] = 0
            for d in range(weight.shape[1]):
                g = gradients[k, d]
                sums[row, d] += g * g
                weight[row, d] -= rate * g / (np.sqrt(sums[row, d]) + epsilon)


@kernel
def _adagrad_row_wise(weight: Any, sums: Any, rows: Any, gradients: Any, slots: Any, rate: Any, epsilon: Any) -> None:
    """Uses up the gradients."""
    _sum_repeats(rows, gradients, slots)
    width = weight.shape[1]
    for k in range(len(rows)):
        row = rows[k]
        if slots[row] == k + 1:
            slots[row] = 0
            squares = np.float32(0)
            for d in range(width):
                squares += gradients[k, d] * gradients[k, d]
            sums[row] += squares / np.float32(width)
            factor = rate / (np.sqrt(sums[row]) + epsilon)
            for d in range(width):
                weight[row, d] -= factor * gradients[k, d]
