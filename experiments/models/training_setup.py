"""From the command line of hotrow train to a model, its batches and how to train: every flag's meaning stands here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ... import HotrowError
from ...models import compression
from ...models.benchmark_flags import DATA, Flags
from ...models.config import ModelConfig, TableConfig, load_preset
from ...models.cost import total, training_cost, uniform_bags
from ...models.data.distributions import Distribution, Gaussian, Pooling, Uniform, Zipf, stream_key
from ...models.data.random_source import RandomSource
from ...models.data.recipe import RecipeSource
from ...models.data.source import Columns, Order, Source, TraceSource
from ...models.data.stack import read_stack_distances, stack_trace
from ...models.data.store import open_columns, process_criteo, raw_days, split
from ...models.training.schedule import Plateau, Schedule
from ...models.training.train import Training
from ...progress import bar
from ...tracegen import files
from ...tracegen.generate import generate
from ...tracegen.profile import built_in
from ...tracegen.published import load_profile
from ...tracegen.trace import Trace

ARCH = ("arch_sparse_feature_size", "arch_embedding_size", "arch_mlp_bot", "arch_mlp_top", "arch_interaction_op")
DEFAULTS = {
    "arch_embedding_size": "4-3-2",
    "arch_mlp_bot": "4-3-2",
    "arch_mlp_top": "4-2-1",
    "arch_interaction_op": "dot",
}
PATHS = frozenset({"raw_data_file", "processed_data_file", "data_trace_file"})
TEST = 8  # names the stream of random numbers of test data
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


@dataclass(frozen=True, eq=False)
class _Samples:
    """Columns to train and test on, in days, and where they come from."""

    training: Columns
    days: tuple[int, ...]
    test: Columns | None
    order: Order
    names: tuple[str, ...]
    one_hot: bool


def prepare(flags: Flags) -> Setup:
    """Read or draw what the flags ask for. Raises HotrowError for what does not fit together."""
    source: Source
    test: Source | None
    if flags.trace or flags.data_generation == "dataset":
        samples = _from_trace(flags) if flags.trace else _from_criteo(flags)
        config = _on_samples(flags, samples)
        source, test = _sources(flags, config, samples)
    else:
        config = _compressed(flags, _architecture(flags))
        source, test = _drawn(flags, config)
    limit = flags.num_batches
    if limit and isinstance(source, TraceSource):
        source = _first(source, limit)
    given = {name.replace("-", "_") for name, *_ in DATA} - PATHS
    data = {name: getattr(flags, name) for name in sorted(given)} | {
        "seed": flags.numpy_rand_seed,
        "recipe": flags.recipe,
        "samples": source.samples,
    }
    notes = source.notes + (() if flags.gone is None else (flags.gone,))
    return Setup(config, source, test, _training(flags, test), data, notes)


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
    pooling = _pooling(flags).mean
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


def _on_samples(flags: Flags, samples: _Samples) -> ModelConfig:
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


def _drawn(flags: Flags, config: ModelConfig) -> tuple[Source, Source | None]:
    """Sources of random or stack-distance lookups, and such a test source where tests are asked for."""
    size = flags.mini_batch_size
    samples = flags.num_batches * size if flags.num_batches else flags.data_size
    seed, tested = flags.numpy_rand_seed, flags.test_freq > 0
    test_size = flags.test_mini_batch_size if flags.test_mini_batch_size > 0 else size
    test_seed = stream_key(seed, TEST) >> 1
    if flags.recipe == "benchmark":
        if flags.data_generation != "random":
            raise HotrowError("--recipe=benchmark: only with --data-generation=random")
        law, pooling, rounded = _law(flags, True), _pooling(flags), flags.round_targets
        source: Source = RecipeSource(config, samples, size, seed, pooling, law, rounded)
        return source, RecipeSource(config, samples, test_size, seed, pooling, law, rounded) if tested else None
    if flags.data_generation == "random":
        poolings = _poolings(flags, config)
        law = _law(flags, False)
        source = RandomSource(config, samples, size, seed, poolings, law, flags.round_targets)
        test = RandomSource(config, samples, test_size, test_seed, poolings, law, flags.round_targets)
        return source, test if tested else None
    distances = [read_stack_distances(_numbered(flags.data_trace_file, k)) for k in range(len(config.tables))]

    def followed(size: int, seed: int) -> TraceSource:
        trace = stack_trace(config, distances, samples, _pooling(flags), seed)
        return TraceSource(config, Columns.of(trace), size, seed)

    return followed(size, seed), followed(test_size, test_seed) if tested else None


def _numbered(name: str, table: int) -> Path:
    """The file of a table: the benchmark writes j for the table's number."""
    path = Path(name)
    return path.with_name(path.name.replace("_j", f"_{table}"))


def _pooling(flags: Flags) -> Pooling:
    return Pooling(flags.num_indices_per_lookup, not flags.num_indices_per_lookup_fixed)


def _poolings(flags: Flags, config: ModelConfig) -> tuple[Pooling, ...]:
    """Bag sizes by the flags, or by the preset's tables where none is given."""
    if flags.preset and not {"num_indices_per_lookup", "num_indices_per_lookup_fixed"} & flags.given:
        return tuple(Pooling(max(1, round(table.pooling))) for table in config.tables)
    return (_pooling(flags),) * len(config.tables)


def _law(flags: Flags, as_benchmark: bool) -> Distribution:
    low = 0 if flags.rand_data_min is None else int(flags.rand_data_min)
    high = None if flags.rand_data_max is None else int(flags.rand_data_max)
    if flags.rand_data_dist == "uniform":
        return Uniform() if as_benchmark else Uniform(low, high)
    if flags.rand_data_dist == "zipf":
        return Zipf(flags.zipf_exponent)
    mean = None if flags.rand_data_mu in (None, -1) else flags.rand_data_mu
    if as_benchmark:
        return Gaussian(mean, 1.0 if flags.rand_data_sigma is None else flags.rand_data_sigma, low, high or 1)
    return Gaussian(mean, flags.rand_data_sigma, low, high)


def _from_criteo(flags: Flags) -> _Samples:
    columns, days = _criteo_columns(flags)
    training, lengths, test = split(columns, days)
    order: Order = flags.data_randomize
    return _Samples(training, lengths, test, order, tuple(f"C{k + 1}" for k in range(len(columns.rows))), True)


def _criteo_columns(flags: Flags) -> tuple[Columns, tuple[int, ...]]:
    """Processed columns, made from the raw log where there are none yet, or the benchmark's processed file."""
    processed = flags.processed_data_file or (f"{flags.raw_data_file}.processed" if flags.raw_data_file else "")
    if not processed:
        raise HotrowError("a data set needs --raw-data-file, a Criteo log, or --processed-data-file")
    path = Path(processed)
    if path.is_file():
        trace = files.read(path)
        return Columns.of(trace), (trace.samples,)
    folder = path.with_suffix(".columns")
    modulo = max(0, flags.max_ind_range)
    if not folder.is_dir():
        if not flags.raw_data_file:
            raise HotrowError(f"{path}: no such file, and no {folder}; give the Criteo log with --raw-data-file")
        with bar("process", "samples", quiet=flags.quiet) as advance:
            process_criteo(
                raw_days(Path(flags.raw_data_file)),
                folder,
                modulo,
                flags.data_sub_sample_rate,
                flags.numpy_rand_seed,
                advance,
            )
    columns, about = open_columns(folder)
    if (about.max_ind_range, about.sub_sample_rate) != (modulo, flags.data_sub_sample_rate):
        raise HotrowError(
            f"{folder}: processed with --max-ind-range={about.max_ind_range or -1} and "
            f"--data-sub-sample-rate={about.sub_sample_rate:g}; delete it, or give the same flags"
        )
    return columns, about.days


def _from_trace(flags: Flags) -> _Samples:
    trace = _read(flags.trace, flags.trace_format)
    names = tuple(table.name for table in trace.tables)
    one_hot = all(table.offsets is None for table in trace.tables)
    order: Order = flags.data_randomize if "data_randomize" in flags.given else "none"
    columns = Columns.of(trace)
    if flags.test_trace:
        test = Columns.of(_read(flags.test_trace, flags.trace_format))
        return _Samples(columns, (columns.samples,), test, order, names, one_hot)
    if not 0 <= flags.test_share < 1:
        raise HotrowError(f"--test-share={flags.test_share}: it must be at least 0 and below 1")
    cut = columns.samples - round(columns.samples * flags.test_share)
    held = columns.between(cut, columns.samples) if cut < columns.samples else None
    return _Samples(columns.between(0, cut), (cut,), held, order, names, one_hot)


def _read(name: str, format: str | None) -> Trace:
    return generate(load_profile(name)) if name in built_in() else files.read(name, format)


def _sources(flags: Flags, config: ModelConfig, samples: _Samples) -> tuple[Source, Source | None]:
    size, seed = flags.mini_batch_size, flags.numpy_rand_seed
    test_size = flags.test_mini_batch_size if flags.test_mini_batch_size > 0 else size
    source = TraceSource(config, samples.training, size, seed, samples.order, samples.days)
    if samples.test is None or not samples.test.samples:
        return source, None
    return source, TraceSource(config, samples.test, test_size, stream_key(seed, TEST) >> 1)


def _first(source: TraceSource, limit: int) -> TraceSource:
    """The source's first `limit` batches."""
    samples = min(source.samples, limit * source.size)
    if source.order == "day":
        raise HotrowError("--num-batches with --data-randomize=day: shuffle in total or not at all")
    columns = source.columns.between(0, samples)
    return TraceSource(source.config, columns, source.size, source.seed, source.order)
