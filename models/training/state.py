"""Training state on disk: one safetensors file, weights and optimizer as tensors, all else as JSON in its header.

Written beside and renamed, so that whoever is killed at any time finds the last whole state; read without pickle.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ... import HotrowError
from ...atomic import replacing
from ..checkpoint import elsewhere, load_state
from ..config import ModelConfig
from ..dlrm import DLRM
from .train import Progress, Trainer

VERSION = 1
MODEL, OPTIMIZER, HEADER = "model.", "optimizer.", "hotrow"
MAY_CHANGE = frozenset({"epochs", "goals"})  # a longer training goes on from a shorter one


def save_training(path: str | Path, trainer: Trainer, data: Mapping[str, Any]) -> None:
    """Write the trainer's whole state. data: what the batches come from, as JSON values; a resumed run must have it.

    Of the processes of one training, all must call it, and one of them writes.
    """
    weights, sums = trainer.weights(), trainer.sums()
    if weights is None or sums is None:
        return
    about = {
        "config": msgspec.to_builtins(trainer.model.config),
        "training": msgspec.to_builtins(trainer.training),
        "data": dict(data),
        "progress": msgspec.to_builtins(trainer.progress),
    }
    _write(path, _named(MODEL, weights) | _named(OPTIMIZER, sums), about)


def save_model(path: str | Path, model: DLRM) -> None:
    """Write the weights and the configuration alone."""
    save_state(path, model.config, model.state_dict())


def save_state(path: str | Path, config: ModelConfig, state: Mapping[str, Tensor]) -> None:
    """Write weights by their names in a model of this configuration."""
    _write(path, _named(MODEL, state), {"config": msgspec.to_builtins(config)})


def resume_training(path: str | Path, trainer: Trainer, data: Mapping[str, Any]) -> None:
    """Put a saved state into a new trainer, which then goes on as the old one would have.

    A process of several takes its own tables' part, whatever number of processes wrote the state. Raises HotrowError
    naming the first thing in which model, training or data differ.
    """
    about = read_header(path)
    if "progress" not in about:
        raise HotrowError(f"{path}: holds a model but no training to go on with; load it with --load-model")
    for part, now in (
        ("config", msgspec.to_builtins(trainer.model.config)),
        ("training", msgspec.to_builtins(trainer.training)),
        ("data", dict(data)),
    ):
        _same(path, part, about[part], json.loads(json.dumps(now)))
    tensors = _tensors(path, trainer.model)
    load_state(trainer.model, _without(MODEL, tensors))
    trainer.optimizer.load(_without(OPTIMIZER, tensors))
    try:
        trainer.progress = msgspec.convert(about["progress"], Progress)
    except msgspec.ValidationError as error:
        raise HotrowError(f"{path}: damaged progress: {error}") from error


def load_model(path: str | Path, model: DLRM) -> None:
    """Put the weights of a saved model or training into `model`. Raises HotrowError naming what does not fit."""
    read_header(path)
    try:
        load_state(model, _without(MODEL, _tensors(path, model)))
    except HotrowError as error:
        raise HotrowError(f"{path}: {error}") from error


def saved_config(path: str | Path) -> ModelConfig:
    """The configuration of the model in a file."""
    try:
        return msgspec.convert(read_header(path)["config"], ModelConfig)
    except msgspec.ValidationError as error:
        raise HotrowError(f"{path}: damaged configuration: {error}") from error


def read_header(path: str | Path) -> dict[str, Any]:
    """What a state file says besides its tensors: config, and training, data and progress of a training."""
    path = Path(path)
    if not path.is_file():
        raise HotrowError(f"{path}: no such file; name a state that hotrow train wrote")
    try:
        with safe_open(path, "pt") as file:
            written = (file.metadata() or {}).get(HEADER)
    except (SafetensorError, OSError) as error:
        raise HotrowError(f"{path}: not a whole safetensors file ({error}); name a state of hotrow train") from error
    if written is None:
        raise HotrowError(f"{path}: a safetensors file, but not of hotrow train: its header has no entry {HEADER!r}")
    about: dict[str, Any] = json.loads(written)
    if about["version"] != VERSION:
        raise HotrowError(f"{path}: version {about['version']}; this hotrow reads version {VERSION}")
    return about


def _write(path: str | Path, tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
    header = json.dumps({"version": VERSION, **about}, allow_nan=False)
    with replacing(path) as beside:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, beside, {HEADER: header})


def _tensors(path: str | Path, model: DLRM) -> dict[str, Tensor]:
    """What the file holds, but for tables that another process has."""
    skipped = elsewhere(model)
    with safe_open(path, "pt") as file:
        names = [name for name in file.keys() if not name.partition(".")[2].startswith(skipped)]  # noqa: SIM118
        return {name: file.get_tensor(name) for name in names}


def _named(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: tensor.detach() for name, tensor in tensors.items()}


def _without(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _same(path: str | Path, part: str, saved: dict[str, Any], now: dict[str, Any]) -> None:
    for field in sorted(saved.keys() | now.keys()):
        if field not in MAY_CHANGE and saved.get(field) != now.get(field):
            raise HotrowError(
                f"{path}: {part}'s {field} was {_short(saved.get(field))} and is {_short(now.get(field))} now; "
                "resume with the same command"
            )


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
