"""From the command line of hotrow train to a model, its batches and how to train."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from ... import HotrowError
from ...models import compression
from ...models.benchmark_flags import DATA, Flags
from ...models.config import ModelConfig, TableConfig, load_preset
from ...models.cost import total, training_cost, uniform_bags
from ...models.data.source import Source, TraceSource
from ...models.training.schedule import Plateau, Schedule
from ...models.training.train import Training
from .training_data import Samples, drawn, limited, pooling_of, samples_of, sources

ARCH = ("arch_sparse_feature_size", "arch_embedding_size", "arch_mlp_bot", "arch_mlp_top", "arch_interaction_op")
DEFAULTS = {
    "arch_embedding_size": "4-3-2",
    "arch_mlp_bot": "4-3-2",
    "arch_mlp_top": "4-2-1",
    "arch_interaction_op": "dot",
}
LEAST = {"mini-batch-size": 1, "data-size": 1, "num-batches": 0, "nepochs": 1, "numpy-rand-seed": 0, "save-every": 0,
         "threads": 0, "print-precision": 0, "mlperf-grad-accum-iter": 1}  # fmt: skip
PATHS = frozenset({"raw_data_file", "processed_data_file", "data_trace_file"})
ONE_THREAD = 5e8  # FLOPs of a step; below, one thread was 10 times as fast as two on a busy AMD EPYC (Zen 4), 2 cores
NEVER = 2**62  # batches between tests where only the ends of epochs have one


@dataclass(frozen=True, eq=False)
class Setup:
    """What a command line asks for. data: what the batches depend on, which a resumed training must share."""

    config: ModelConfig
    source: Source
    test: Source | None
    training: Training
    data: dict[str, Any]
    notes: tuple[str, ...]


def prepare(flags: Flags) -> Setup:
    """Read or draw what the flags ask for. Raises HotrowError for what does not fit together."""
    _check(flags)
    source: Source
    test: Source | None
    if flags.trace or flags.data_generation == "dataset":
        samples = samples_of(flags)
        config = _on_samples(flags, samples)
        source, test = sources(flags, config, samples)
    else:
        config = _compressed(flags, _architecture(flags))
        source, test = drawn(flags, config)
    limit = flags.num_batches
    if limit and isinstance(source, TraceSource):
        source = limited(source, limit)
    given = {name.replace("-", "_") for name, *_ in DATA} - PATHS
    data = {name: getattr(flags, name) for name in sorted(given)} | {
        "seed": flags.numpy_rand_seed,
        "recipe": flags.recipe,
        "samples": source.samples,
    }
    notes = source.notes + (() if flags.gone is None else (flags.gone,))
    return Setup(config, source, test, _training(flags, test), data, notes)


def _check(flags: Flags) -> None:
    """Raise HotrowError naming a flag whose number is too small, whatever it is for."""
    for flag, least in LEAST.items():
        value = getattr(flags, flag.replace("-", "_"))
        if value < least:
            raise HotrowError(f"--{flag}={value}: at least {least} is needed")


def default_threads(setup: Setup) -> int | None:
    """One thread where a training step has so little to compute that threads cost more than they bring, else None.

    It depends on the model and the batch alone, so that a resumed training has the same number.
    """
    flops = total(training_cost(setup.config, uniform_bags(setup.config, setup.source.size))).flops
    return 1 if flops < ONE_THREAD else None


def numbers(text: str, flag: str, kind: type = int) -> tuple[Any, ...]:
    """The numbers of a flag like 13-512-256. Raises HotrowError naming the flag."""
    try:
        values = tuple(kind(part) for part in text.split("-"))
    except ValueError as error:
        raise HotrowError(f"--{flag}={text}: numbers parted by dashes are needed, for example 4-3-2") from error
    return values


def _training(flags: Flags, test: Source | None) -> Training:
    weights = numbers(flags.loss_weights, "loss-weights", float)
    if len(weights) != 2:
        raise HotrowError(f"--loss-weights={flags.loss_weights}: two are needed, for labels 0 and 1: 1.0-1.0")
    accuracy = flags.mlperf_acc_threshold / (100 if flags.mlperf_acc_threshold > 1 else 1)
    goals = (("accuracy", accuracy), ("auc", flags.mlperf_auc_threshold))
    every = flags.test_freq if flags.test_freq > 0 else NEVER
    plateau = None if flags.plateau_patience < 0 else Plateau(flags.plateau_factor, flags.plateau_patience)
    return Training(
        Schedule(flags.learning_rate, flags.lr_num_warmup_steps, flags.lr_decay_start_step, flags.lr_num_decay_steps),
        flags.nepochs,
        flags.optimizer,
        flags.loss_function,
        weights,
        flags.loss_threshold,
        flags.mlperf_grad_accum_iter,
        max(1, flags.print_freq),
        0 if test is None else every,
        flags.best_by,
        tuple((name, goal) for name, goal in goals if goal > 0),  # type: ignore[misc]
        plateau,
    )


def _architecture(flags: Flags, rows: tuple[int, ...] | None = None) -> ModelConfig:
    """The model of the arch flags, or of a preset; rows: of each table, where data bring them."""
    if flags.preset:
        if given := [name for name in ARCH if getattr(flags, name) is not None]:
            raise HotrowError(f"--preset and --{given[0].replace('_', '-')}: give one of them; both name the model")
        return load_preset(flags.preset).scaled(flags.scale)
    arch = {name: getattr(flags, name) or default for name, default in DEFAULTS.items()}
    dense, *bottom = numbers(arch["arch_mlp_bot"], "arch-mlp-bot")
    if not bottom:
        raise HotrowError(f"--arch-mlp-bot={arch['arch_mlp_bot']}: the dense features, then at least one layer")
    halves = 2 if flags.qr_flag and flags.qr_operation == "concat" else 1
    width = flags.arch_sparse_feature_size
    if width is not None and width * halves != bottom[-1]:
        raise HotrowError(
            f"--arch-sparse-feature-size={width}: the bottom MLP ends in {bottom[-1]}"
            + (", twice the width is needed for concat" if halves == 2 else "; they must be equal")
        )
    rows = rows or numbers(arch["arch_embedding_size"], "arch-embedding-size")
    pooling = pooling_of(flags).mean
    return ModelConfig(
        "command-line",
        dense,
        tuple(bottom),
        numbers(arch["arch_mlp_top"], "arch-mlp-top"),
        arch["arch_interaction_op"],  # type: ignore[arg-type]
        tuple(TableConfig(f"f{k}", n, bottom[-1], pooling) for k, n in enumerate(rows)),
        flags.arch_interaction_itself,
    ).scaled(flags.scale)


def _compressed(flags: Flags, config: ModelConfig) -> ModelConfig:
    if flags.qr_flag and flags.md_flag:
        raise HotrowError("--qr-flag and --md-flag: choose one of them")
    if flags.qr_flag:
        config = compression.quotient_remainder(config, flags.qr_threshold, flags.qr_collisions, flags.qr_operation)
    if flags.md_flag:
        config = compression.mixed_dimension(config, flags.md_threshold, flags.md_temperature, flags.md_round_dims)
    if flags.weighted_pooling:
        tables = tuple(msgspec.structs.replace(table, weights=flags.weighted_pooling) for table in config.tables)
        config = msgspec.structs.replace(config, tables=tables)
    return config


def _on_samples(flags: Flags, samples: Samples) -> ModelConfig:
    """The model with the tables of the data; a preset also takes their number of dense features."""
    rows = tuple(max(1, n) for n in samples.training.rows)
    dense = samples.training.dense
    by_arch = any(getattr(flags, name) is not None for name in ARCH)
    if by_arch:
        config = _architecture(flags, rows)
        if dense is not None and dense.shape[1] != config.dense:
            raise HotrowError(
                f"--arch-mlp-bot begins with {config.dense} dense features, but the data have {dense.shape[1]}"
            )
    else:
        config = load_preset(flags.preset or ("criteo-kaggle" if samples.one_hot else "rm1"))
    tables = tuple(
        TableConfig(name, n, config.dim, len(ids) / samples.training.samples)
        for name, n, ids in zip(samples.names, rows, samples.training.indices, strict=True)
    )
    width = config.dense if dense is None else dense.shape[1]
    config = msgspec.structs.replace(config, tables=tables, dense=width)
    return _compressed(flags, config.scaled(flags.scale))
