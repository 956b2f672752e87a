"""Where the samples of hotrow train come from: drawn, Criteo logs or traces, as sources to train and test on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from ... import HotrowError
from ...models.benchmark_flags import Flags
from ...models.config import ModelConfig
from ...models.data.distributions import Distribution, Gaussian, Pooling, Uniform, Zipf, stream_key
from ...models.data.random_source import RandomSource
from ...models.data.recipe import RecipeSource
from ...models.data.source import Columns, Order, Source, TraceSource
from ...models.data.stack import read_stack_distances, stack_trace
from ...models.data.store import open_columns, process_criteo, raw_days, require_older, split
from ...progress import bar
from ...tracegen import files
from ...tracegen.generate import generate
from ...tracegen.profile import built_in
from ...tracegen.published import load_profile
from ...tracegen.trace import Trace

TEST = 8  # names the stream of random numbers of test data


@dataclass(frozen=True, eq=False)
class Samples:
    """Columns to train and test on, in days, and where they come from."""

    training: Columns
    days: tuple[int, ...]
    test: Columns | None
    order: Order
    names: tuple[str, ...]
    one_hot: bool


def samples_of(flags: Flags) -> Samples:
    """The samples of a trace or a data set. Raises HotrowError for what cannot be read or does not fit together."""
    return _from_trace(flags) if flags.trace else _from_criteo(flags)


def drawn(flags: Flags, config: ModelConfig) -> tuple[Source, Source | None]:
    """Sources of random or stack-distance lookups, and such a test source where tests are asked for."""
    size = flags.mini_batch_size
    samples = flags.num_batches * size if flags.num_batches else flags.data_size
    seed, tested = flags.numpy_rand_seed, flags.test_freq > 0
    test_size = flags.test_mini_batch_size if flags.test_mini_batch_size > 0 else size
    test_seed = stream_key(seed, TEST) >> 1
    if flags.recipe == "benchmark":
        if flags.data_generation != "random":
            raise HotrowError("--recipe=benchmark: only with --data-generation=random")
        law, pooling, rounded = _law(flags, True), pooling_of(flags), flags.round_targets
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
        trace = stack_trace(config, distances, samples, pooling_of(flags), seed)
        return TraceSource(config, Columns.of(trace), size, seed)

    return followed(size, seed), followed(test_size, test_seed) if tested else None


def _numbered(name: str, table: int) -> Path:
    """The file of a table: the benchmark writes j for the table's number."""
    path = Path(name)
    return path.with_name(path.name.replace("_j", f"_{table}"))


def pooling_of(flags: Flags) -> Pooling:
    """Bag sizes by the flags."""
    return Pooling(flags.num_indices_per_lookup, not flags.num_indices_per_lookup_fixed)


def _poolings(flags: Flags, config: ModelConfig) -> tuple[Pooling, ...]:
    """Bag sizes by the flags, or by the preset's tables where none is given."""
    if flags.preset and not {"num_indices_per_lookup", "num_indices_per_lookup_fixed"} & flags.given:
        return tuple(Pooling(max(1, round(table.pooling))) for table in config.tables)
    return (pooling_of(flags),) * len(config.tables)


def _law(flags: Flags, as_benchmark: bool) -> Distribution:
    for flag in ("rand-data-min", "rand-data-max", "rand-data-mu", "rand-data-sigma"):
        value = getattr(flags, flag.replace("-", "_"))
        if value is not None and not math.isfinite(value):
            raise HotrowError(f"--{flag}={value}: a finite number is needed")
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


def _from_criteo(flags: Flags) -> Samples:
    columns, days = _criteo_columns(flags)
    training, lengths, test = split(columns, days)
    order: Order = flags.data_randomize
    return Samples(training, lengths, test, order, tuple(f"C{k + 1}" for k in range(len(columns.rows))), True)


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
    elif flags.raw_data_file:
        require_older(folder, Path(flags.raw_data_file))
    columns, about = open_columns(folder)
    if (about.max_ind_range, about.sub_sample_rate) != (modulo, flags.data_sub_sample_rate):
        raise HotrowError(
            f"{folder}: processed with --max-ind-range={about.max_ind_range or -1} and "
            f"--data-sub-sample-rate={about.sub_sample_rate:g}; delete it, or give the same flags"
        )
    return columns, about.days


def _from_trace(flags: Flags) -> Samples:
    trace = _read(flags.trace, flags.trace_format)
    names = tuple(table.name for table in trace.tables)
    one_hot = all(table.offsets is None for table in trace.tables)
    order: Order = flags.data_randomize if "data_randomize" in flags.given else "none"
    columns = Columns.of(trace)
    if flags.test_trace:
        test = Columns.of(_read(flags.test_trace, flags.trace_format))
        return Samples(columns, (columns.samples,), test, order, names, one_hot)
    if not 0 <= flags.test_share < 1:
        raise HotrowError(f"--test-share={flags.test_share}: it must be at least 0 and below 1")
    cut = columns.samples - round(columns.samples * flags.test_share)
    if not cut:
        raise HotrowError(
            f"--test-share={flags.test_share}: of {columns.samples} samples none is left to train on; make it smaller"
        )
    held = columns.between(cut, columns.samples) if cut < columns.samples else None
    return Samples(columns.between(0, cut), (cut,), held, order, names, one_hot)


def _read(name: str, format: str | None) -> Trace:
    return generate(load_profile(name)) if name in built_in() else files.read(name, format)


def sources(flags: Flags, config: ModelConfig, samples: Samples) -> tuple[Source, Source | None]:
    """Sources to train and test on, for a model with the samples' tables."""
    size, seed = flags.mini_batch_size, flags.numpy_rand_seed
    test_size = flags.test_mini_batch_size if flags.test_mini_batch_size > 0 else size
    source = TraceSource(config, samples.training, size, seed, samples.order, samples.days)
    if samples.test is None or not samples.test.samples:
        return source, None
    return source, TraceSource(config, samples.test, test_size, stream_key(seed, TEST) >> 1)


def limited(source: TraceSource, limit: int) -> TraceSource:
    """The source's first `limit` batches."""
    samples = min(source.samples, limit * source.size)
    if source.order == "day":
        raise HotrowError("--num-batches with --data-randomize=day: shuffle in total or not at all")
    columns = source.columns.between(0, samples)
    return TraceSource(source.config, columns, source.size, source.seed, source.order)
