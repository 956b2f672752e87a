"""Lookups: a batch's ids and offsets as addresses, and the tables of a model that kernels can read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ... import HotrowError
from ..config import ModelConfig
from ..dlrm import DLRM
from ..embedding import PlainTable, check_lookups
from .pooling import FINE, pool_tables

HEAVY = 2048  # lookups of a table from which torch's generated kernel for bags is faster than ours
BAG = 4  # mean lookups of a bag, likewise
SUM = 0  # torch.embedding_bag's number for it
INTEGERS = ({torch.int32}, {torch.int64})
TYPE = attrgetter("dtype")


def addresses(tensors: Sequence[Tensor]) -> NDArray[np.int64]:
    """Where each tensor's first number stands."""
    return np.fromiter(map(Tensor.data_ptr, tensors), np.int64, len(tensors))


@dataclass(frozen=True, eq=False)
class Lookups:
    """The ids and offsets of some tables by address; the tensors are kept, so that the addresses stay theirs.

    counts: ids per table. ends: offsets per table. wide: int64 instead of int32.
    """

    ids: Sequence[Tensor]
    starts: Sequence[Tensor]
    indices: NDArray[np.int64]
    offsets: NDArray[np.int64]
    counts: NDArray[np.int64]
    ends: NDArray[np.int64]
    wide: NDArray[np.bool_]

    @classmethod
    def of(cls, ids: Sequence[Tensor], starts: Sequence[Tensor]) -> Lookups:
        """Those of one batch. Copies what is not contiguous or whose ids and offsets differ in type."""
        both, tables = (*ids, *starts), len(ids)
        types = set(map(TYPE, both))
        if types not in INTEGERS or not all(map(Tensor.is_contiguous, both)):
            pairs = [_alike(one, other) for one, other in zip(ids, starts, strict=True)]
            ids, starts = [one for one, _ in pairs], [other for _, other in pairs]
            both = (*ids, *starts)
            wide = np.array([x.dtype == torch.int64 for x in ids], np.bool_)
        else:
            wide = np.full(tables, types == {torch.int64})
        places, sizes = addresses(both), np.fromiter(map(Tensor.numel, both), np.int64, 2 * tables)
        return cls(ids, starts, places[:tables], places[tables:], sizes[:tables], sizes[tables:], wide)


@dataclass(frozen=True, eq=False)
class PlainTables:
    """The plain float32 tables of a model: their numbers in it, and their weights by address.

    columns: where their pooled vectors stand among a sample's, of which the bottom MLP's output is the first.
    """

    config: ModelConfig
    numbers: tuple[int, ...]
    weights: tuple[Tensor, ...]
    addresses: NDArray[np.int64]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]

    @classmethod
    def of(cls, model: DLRM) -> PlainTables:
        """All tables of `model` that are plain, as wide as the model and without learned pooling weights."""
        plain = {
            k: table.weight.detach()
            for k, table in enumerate(model.tables)
            if isinstance(table, PlainTable) and table.weights != "learned" and not table.projected
        }
        weights = tuple(plain.values())
        rows = np.array([len(weight) for weight in weights], np.int64)
        return cls(model.config, tuple(plain), weights, addresses(weights), rows, np.array([*plain], np.int64) + 1)

    def pool(self, lookups: Lookups, samples: int, start: int, stop: int, out: NDArray[np.float32]) -> None:
        """Sum the bags of samples start … stop − 1 into their columns of `out` [at least stop − start, V, dim].

        Raises HotrowError naming table, sample and index where a lookup does not fit.
        """
        heavy = (lookups.counts > HEAVY) & (lookups.counts > BAG * samples)
        chosen = np.flatnonzero(~heavy) if heavy.any() else slice(None)
        bad: int = pool_tables(
            self.addresses[chosen],
            self.rows[chosen],
            self.config.dim,
            lookups.indices[chosen],
            lookups.counts[chosen],
            lookups.offsets[chosen],
            lookups.ends[chosen],
            lookups.wide[chosen],
            start,
            stop,
            self.columns[chosen],
            out,
        )
        if bad != FINE:
            explain(self.config, self.numbers, lookups, bad if isinstance(chosen, slice) else int(chosen[bad]))
        for t in np.flatnonzero(heavy):
            self._pool_heavy(lookups, int(t), start, stop, out)

    def _pool_heavy(self, lookups: Lookups, t: int, start: int, stop: int, out: NDArray[np.float32]) -> None:
        ids, starts = lookups.ids[t], lookups.starts[t]
        first = int(starts[start])
        last = int(starts[stop]) if stop < len(starts) else len(ids)
        try:
            own = starts[start:stop] - first
            pooled = torch.embedding_bag(self.weights[t], ids[first:last], own, False, SUM, True)[0]
        except (IndexError, RuntimeError):
            explain(self.config, self.numbers, lookups, t)
        out[: stop - start, self.columns[t]] = pooled.numpy()


def explain(config: ModelConfig, numbers: Sequence[int], lookups: Lookups, t: int) -> NoReturn:
    """Raise HotrowError that says what does not fit in the lookups of table numbers[t]."""
    table = config.tables[numbers[t]]
    check_lookups(table, lookups.ids[t], lookups.starts[t])
    raise HotrowError(f"table {table.name!r}: its offsets do not fit its ids")


def _alike(rows: Tensor, starts: Tensor) -> tuple[Tensor, Tensor]:
    """Ids and offsets, contiguous and of one integer type."""
    if rows.dtype == starts.dtype and rows.dtype in (torch.int32, torch.int64):
        return rows.contiguous(), starts.contiguous()
    if rows.is_floating_point() or starts.is_floating_point() or rows.ndim != 1 or starts.ndim != 1:
        raise HotrowError("indices and offsets must be integers in one dimension")
    return rows.long().contiguous(), starts.long().contiguous()
