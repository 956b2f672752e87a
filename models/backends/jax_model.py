"""JAX as a backend: one jitted function of the model's arrays and a batch.

XLA runs on as many threads as the process has processors. It compiles once for every shape of batch; bags of any length
are padded, so that batches of one size share few shapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ... import HotrowError
from ..dlrm import DLRM
from ..embedding import PlainTable, check_lookups
from ..fast.inference import Predict
from ..interaction import Cross

PADDING = 8  # lengths of a batch's ids are rounded up to a power of two over this


def jax_model(model: DLRM, one_hot: bool) -> Predict:
    """The model in JAX, which holds a copy of its weights. one_hot: every bag holds one id.

    Raises HotrowError where JAX is not installed, or the model is not of float32, plain tables and a dot product or
    concatenation.
    """
    _must_be_plain(model)
    try:
        import jax  # type: ignore[import-not-found, unused-ignore]
    except ImportError as error:
        raise HotrowError("backend 'jax' needs jax: pip install jax") from error
    run = jax.jit(_function(model, one_hot))
    weights = jax.device_put(_weights(model))
    starts = np.cumsum([0, *(table.rows for table in model.config.tables[:-1])]).astype(np.int32)

    def predict(dense: Tensor, indices: Sequence[Tensor], offsets: Sequence[Tensor]) -> Tensor:
        model.check(dense, indices, offsets)
        for config, rows, begins in zip(model.config.tables, indices, offsets, strict=True):
            if len(rows) and not (int(rows.min()) >= 0 and int(rows.max()) < config.rows):  # JAX would take another row
                check_lookups(config, rows, begins)
        if one_hot:
            made = run(weights, dense.numpy(), np.stack([rows.numpy() for rows in indices], 1) + starts)
        else:
            made = run(weights, dense.numpy(), *_padded(indices, offsets, starts, len(dense)))
        return torch.from_numpy(np.array(made))

    return predict


def _must_be_plain(model: DLRM) -> None:
    for config, table in zip(model.config.tables, model.tables, strict=True):
        if not isinstance(table, PlainTable) or table.weights != "none" or table.projected:
            raise HotrowError(f"table {config.name!r}: backend 'jax' is for plain tables of the model's dimension")
    if model.dtype != torch.float32:
        raise HotrowError(f"model {model.config.name!r} is {model.dtype}; backends are compared in float32")
    if isinstance(model.interaction, Cross):
        raise HotrowError(f"model {model.config.name!r}: backend 'jax' is for interactions dot and cat")


def _weights(model: DLRM) -> dict[str, NDArray[np.float32]]:
    """All tables as one, under "rows", and the layers' weights and biases."""
    state = {name: value.numpy() for name, value in model.state_dict().items() if not name.startswith("tables.")}
    rows = torch.cat([table.weight.detach() for table in model.tables if isinstance(table, PlainTable)])
    return state | {"rows": rows.numpy()}


def _function(model: DLRM, one_hot: bool) -> Any:
    """Probabilities [samples] of the weights, dense [samples, D] and the lookups."""
    import jax

    numpy, tables = jax.numpy, len(model.tables)
    i, j = np.tril_indices(tables + 1, 0 if model.config.interaction_itself else -1)
    dot = model.config.interaction == "dot"

    def layers(name: str, stack: nn.Sequential, weights: Any, x: Any) -> Any:
        for k, part in enumerate(stack):
            if isinstance(part, nn.Linear):
                x = x @ weights[f"{name}.{k}.weight"].T + weights[f"{name}.{k}.bias"]
            else:
                x = jax.nn.sigmoid(x) if isinstance(part, nn.Sigmoid) else jax.nn.relu(x)
        return x

    def pooled(weights: Any, samples: int, ids: Any, bags: Any = None) -> Any:
        """[samples, tables, dim]"""
        if one_hot:
            return weights["rows"][ids]
        sums = jax.ops.segment_sum(weights["rows"][ids], bags, tables * samples + 1)[:-1]  # the last is the padding's
        return sums.reshape(tables, samples, -1).transpose(1, 0, 2)

    def run(weights: Any, dense: Any, *lookups: Any) -> Any:
        bottom = layers("bottom", model.bottom, weights, dense)
        vectors = numpy.concatenate([bottom[:, None], pooled(weights, len(dense), *lookups)], axis=1)
        if dot:
            products = numpy.einsum("bid,bjd->bij", vectors, vectors)
            mixed = numpy.concatenate([bottom, products[:, i, j]], axis=1)
        else:
            mixed = vectors.reshape(len(dense), -1)
        logits = layers("top", model.top, weights, mixed)[:, 0]
        return jax.nn.sigmoid(logits) if model.sigmoid_last else jax.nn.relu(logits)

    return run


def _padded(
    indices: Sequence[Tensor], offsets: Sequence[Tensor], starts: NDArray[np.int32], samples: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Rows of the one table [ids], and table · samples + sample of each [ids]; row 0 of a bag of its own at the end."""
    ids, bags = [], []
    for k, (rows, begins) in enumerate(zip(indices, offsets, strict=True)):
        lengths = np.diff(np.append(begins.numpy()[:samples], len(rows)))
        ids.append(rows.numpy() + starts[k])
        bags.append(np.repeat(np.arange(k * samples, (k + 1) * samples, dtype=np.int32), lengths))
    count = sum(map(len, ids))
    step = max(1, (1 << count.bit_length()) // PADDING)
    rest = -count % step
    ids.append(np.zeros(rest, np.int32))
    bags.append(np.full(rest, len(indices) * samples, np.int32))
    return np.concatenate(ids).astype(np.int32), np.concatenate(bags)
