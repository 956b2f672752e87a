"""A DLRM in numpy float64, written apart from the one under test: probability, loss and gradients."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def bags(weight: Array, indices: NDArray[Any], offsets: NDArray[Any]) -> Array:
    ends = [*offsets[1:], len(indices)]
    return np.array([weight[indices[a:b]].sum(axis=0) for a, b in zip(offsets, ends, strict=True)])


def run(
    state: dict[str, Array], dense: Array, indices: list[Any], offsets: list[Any], label: Array, kind: str, itself: bool
) -> tuple[Array, float, dict[str, Array]]:
    """Logits, mean binary cross-entropy, and its gradient by every parameter."""
    x, bottom = _mlp(state, "bottom", dense, last_relu=True)
    tables = [state[f"tables.{k}.weight"] for k in range(len(indices))]
    vectors = [x, *(bags(w, i, o) for w, i, o in zip(tables, indices, offsets, strict=True))]
    pairs = [(i, j) for i in range(len(vectors)) for j in range(i + 1 if itself else i)]
    parts = vectors if kind == "cat" else [x, *((vectors[i] * vectors[j]).sum(1, keepdims=True) for i, j in pairs)]
    y, top = _mlp(state, "top", np.concatenate(parts, axis=1), last_relu=False)
    logits = y[:, 0]
    loss = float(np.mean(np.logaddexp(0, logits) - label * logits))

    gradients: dict[str, Array] = {}
    d = ((1 / (1 + np.exp(-logits)) - label) / len(label))[:, None]
    d = _mlp_backward(state, "top", top, d, gradients)
    width = x.shape[1]
    if kind == "cat":
        dv = [d[:, k * width : (k + 1) * width] for k in range(len(vectors))]
    else:
        dv = [np.zeros_like(x) for _ in vectors]
        dv[0] += d[:, :width]
        for column, (i, j) in enumerate(pairs, start=width):
            dv[i] += d[:, [column]] * vectors[j]
            dv[j] += d[:, [column]] * vectors[i]
    _mlp_backward(state, "bottom", bottom, dv[0], gradients)
    for k, (i, o) in enumerate(zip(indices, offsets, strict=True)):
        gradient = np.zeros_like(tables[k])
        np.add.at(gradient, i, np.repeat(dv[k + 1], np.diff([*o, len(i)]), axis=0))
        gradients[f"tables.{k}.weight"] = gradient
    return logits, loss, gradients


def _mlp(state: dict[str, Array], name: str, x: Array, last_relu: bool) -> tuple[Array, list[tuple[str, Array, Array]]]:
    layers = sorted({int(key.split(".")[1]) for key in state if key.startswith(f"{name}.")})
    seen = []
    for number in layers:
        y = x @ state[f"{name}.{number}.weight"].T + state[f"{name}.{number}.bias"]
        if last_relu or number != layers[-1]:
            y = np.maximum(y, 0)
            mask = (y > 0).astype(float)
        else:
            mask = np.ones_like(y)
        seen.append((f"{name}.{number}", x, mask))
        x = y
    return x, seen


def _mlp_backward(
    state: dict[str, Array], name: str, seen: list[tuple[str, Array, Array]], d: Array, gradients: dict[str, Array]
) -> Array:
    for layer, x, mask in reversed(seen):
        d = d * mask
        gradients[f"{layer}.weight"] = d.T @ x
        gradients[f"{layer}.bias"] = d.sum(axis=0)
        d = d @ state[f"{layer}.weight"]
    return d
