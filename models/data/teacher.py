"""A planted teacher: a click log of known click probabilities, and so of a known best AUC for any model."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import HotrowError
from ...tracegen.trace import TableLookups, Trace
from .distributions import Law, Pooling, Zipf, bag_sizes, fill_rows, stream_key


@dataclass(frozen=True)
class Teacher:
    """How clicks come about: logit = bias + linear in the dense features + an effect per row + products of rows.

    rows: of each table. strength: standard deviation of the logit. pairs: share of the logit's variance that comes from
    products between neighbouring tables' latent numbers, which only interactions can learn. exponent: of the rows' Zipf
    popularity. poolings: one-hot if left out; a bag's effect is the sum over its rows.
    """

    rows: tuple[int, ...] = (100, 50, 30, 20)
    dense: int = 4
    strength: float = 1.5
    pairs: float = 0.2
    bias: float = -1.0
    exponent: float = 1.05
    poolings: tuple[Pooling, ...] | None = None

    def __post_init__(self) -> None:
        if not self.rows or min(self.rows) < 1:
            raise HotrowError(f"a teacher with tables of {list(self.rows)} rows; it needs tables of at least 1 row")
        if self.dense < 1:
            raise HotrowError(f"a teacher with {self.dense} dense features; at least 1 is needed")
        if not (0 < self.strength < 20 and 0 <= self.pairs <= 1):
            raise HotrowError(f"strength {self.strength} must lie in 0 to 20 and pairs {self.pairs} in 0 to 1")
        if self.poolings is not None and len(self.poolings) != len(self.rows):
            raise HotrowError(f"bag sizes of {len(self.poolings)} tables; the teacher has {len(self.rows)}")


@dataclass(frozen=True, eq=False)
class PlantedLog:
    """A trace with dense features and labels, and each sample's true click probability, float64 [samples]."""

    trace: Trace
    probability: NDArray[np.float64]

    @property
    def best_auc(self) -> float:
        """The expected AUC of the true probabilities; no model's is higher."""
        return expected_auc(self.probability, self.probability)


def planted_log(teacher: Teacher, samples: int, seed: int = 0) -> PlantedLog:
    """`samples` clicks or not of a teacher; its weights, the lookups, features and labels all depend on `seed`."""
    if samples < 1:
        raise HotrowError(f"a planted log of {samples} samples; at least 1 is needed")
    rng = np.random.default_rng([seed, 0])
    poolings = teacher.poolings or (Pooling(),) * len(teacher.rows)
    tables = [_lookups(teacher, k, pooling, samples, seed) for k, pooling in enumerate(poolings)]
    dense = rng.standard_normal((samples, teacher.dense)).astype(np.float32)
    linear = _unit_variance(dense @ rng.standard_normal(teacher.dense))
    effects = [_pooled(rng.standard_normal(table.rows), table) for table in tables]
    linear += _unit_variance(np.sum(effects, axis=0)) * len(tables) ** 0.5
    latent = [_pooled(rng.standard_normal(table.rows), table) for table in tables]
    products = sum((a * b for a, b in pairwise(latent)), np.zeros(samples))
    share = teacher.pairs if len(tables) > 1 else 0.0
    logit = (1 - share) ** 0.5 * _unit_variance(linear) + share**0.5 * _unit_variance(products)
    probability = 1 / (1 + np.exp(-(teacher.bias + teacher.strength * logit)))
    label = (rng.random(samples) < probability).astype(np.float32)
    return PlantedLog(Trace(tuple(tables), dense=dense, label=label), probability)


def expected_auc(scores: NDArray[np.floating], probability: NDArray[np.float64]) -> float:
    """The AUC of `scores` [samples] expected over labels that are 1 with these probabilities; tied scores count half.

    Every pair of samples counts p · (1 − q), the chance that the first is a click and the second is not. A sample's
    pair with itself is left out. Raises ValueError where no pair can differ.
    """
    _, group = np.unique(scores, return_inverse=True)
    p = np.asarray(probability, np.float64)
    clicks, others = np.bincount(group, p), np.bincount(group, 1 - p)
    own = np.bincount(group, p * (1 - p))
    below = np.cumsum(others) - others
    pairs = clicks.sum() * others.sum() - own.sum()
    if pairs <= 0:
        raise ValueError("no two samples can have different labels, so there is no AUC")
    return float((clicks @ below + 0.5 * (clicks @ others - own.sum())) / pairs)


def _lookups(teacher: Teacher, table: int, pooling: Pooling, samples: int, seed: int) -> TableLookups:
    name, rows = f"f{table}", teacher.rows[table]
    sizes = bag_sizes(stream_key(seed, 1, table), 0, samples, pooling)
    indices: Any = np.empty(int(sizes.sum()), np.int32 if rows <= 2**31 else np.int64)
    fill_rows(indices, Law.of(Zipf(teacher.exponent), rows, name), stream_key(seed, 2, table), 0, sizes)
    offsets = None if pooling == Pooling() else np.concatenate(([0], np.cumsum(sizes)))
    return TableLookups(name, rows, indices, offsets)


def _pooled(effect: NDArray[np.float64], table: TableLookups) -> NDArray[np.float64]:
    """The sum of the effects of every bag's rows."""
    values = effect[table.indices]
    if table.offsets is None:
        return values
    sums: NDArray[np.float64] = np.concatenate(([0.0], np.cumsum(values)))
    pooled: NDArray[np.float64] = sums[table.offsets[1:]] - sums[table.offsets[:-1]]
    return pooled


def _unit_variance(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Values without their mean, and of standard deviation 1 where they vary at all."""
    centred: NDArray[np.float64] = np.asarray(values, np.float64) - values.mean()
    deviation = float(centred.std())
    return centred / deviation if deviation > 0 else centred
