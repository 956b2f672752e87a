"""Checkpoints: state from elsewhere becomes this model's, or is refused by name."""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from .. import HotrowError
from .dlrm import DLRM
from .embedding import Table

# The DLRM benchmark's names (its distributed runs put .module between) and ours.
BENCHMARK_NAMES = (
    (re.compile(r"emb_l\.(\d+)\.weight"), r"tables.\1.weight"),
    (re.compile(r"emb_l\.(\d+)\.embs\.weight"), r"tables.\1.weight"),
    (re.compile(r"emb_l\.(\d+)\.proj\.weight"), r"tables.\1.projection"),
    (re.compile(r"emb_l\.(\d+)\.weight_q"), r"tables.\1.quotient"),
    (re.compile(r"emb_l\.(\d+)\.weight_r"), r"tables.\1.remainder"),
    (re.compile(r"v_W_l\.(\d+)"), r"tables.\1.pooling_weight"),
    (re.compile(r"bot_l\.(?:module\.)?(\d+)\.(weight|bias)"), r"bottom.\1.\2"),
    (re.compile(r"top_l\.(?:module\.)?(\d+)\.(weight|bias)"), r"top.\1.\2"),
)


def import_benchmark(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """Our state dict from the DLRM benchmark's names and its tensors or arrays.

    Raises HotrowError naming the entries that are not the benchmark's.
    """
    if not isinstance(state, Mapping):
        raise HotrowError(f"not the DLRM benchmark's state: a {type(state).__name__}, not weights by name")
    ours, unknown = {}, []
    for name, value in state.items():
        renamed = _renamed(name) if isinstance(name, str) else None
        if renamed is None:
            unknown.append(str(name))
        else:
            try:
                tensor = torch.as_tensor(value)
            except (TypeError, ValueError, RuntimeError) as error:
                raise HotrowError(f"{name}: a {type(value).__name__} where a weight is needed") from error
            ours[renamed] = tensor.unsqueeze(1) if renamed.endswith(".pooling_weight") else tensor
    if unknown:
        raise HotrowError(
            f"not the DLRM benchmark's state: unexpected {_listed(unknown)}; it has emb_l, v_W_l, bot_l, top_l"
        )
    return ours


def load_state(model: DLRM, state: Mapping[str, Tensor]) -> None:
    """Put `state` into `model`; HotrowError names what is missing, unexpected or of another shape.

    Tables that another process has are passed over.
    """
    own, skipped = model.state_dict(), elsewhere(model)
    state = {name: value for name, value in state.items() if not name.startswith(skipped)}
    problems = []
    if missing := sorted(own.keys() - state.keys()):
        problems.append(f"missing {_listed(missing)}")
    if unexpected := sorted(state.keys() - own.keys()):
        problems.append(f"unexpected {_listed(unexpected)}")
    problems += [
        f"{name} has shape {tuple(state[name].shape)}, the model's is {tuple(own[name].shape)}"
        for name in own.keys() & state.keys()
        if own[name].shape != state[name].shape
    ][:3]
    if problems:
        raise HotrowError(f"the state does not fit model {model.config.name!r}: {'; '.join(problems)}")
    model.load_state_dict(state)


def elsewhere(model: DLRM) -> tuple[str, ...]:
    """How the names of the tables begin that another process has."""
    return tuple(f"tables.{k}." for k, table in enumerate(model.tables) if not isinstance(table, Table))


def _renamed(name: str) -> str | None:
    for pattern, ours in BENCHMARK_NAMES:
        if match := pattern.fullmatch(name):
            return match.expand(ours)
    return None


def _listed(names: list[str], most: int = 6) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
