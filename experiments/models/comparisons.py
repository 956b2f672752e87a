"""Questions: what does each precision cost in accuracy, size and time? Which backend runs this model fastest?"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import TYPE_CHECKING

import torch

from ... import HotrowError
from ...analysis.training_plots import precision_bars
from ...models.backends.backends import backends, make_backend
from ...models.data.source import Source
from ...models.dlrm import DLRM
from ...models.fast.inference import Predict
from ...models.inputs import Batch
from ...models.quantization.inference import MLP_BITS, TABLE_BITS, quantized, quantized_bytes
from ...models.training.evaluation import LossOf, evaluate, frozen
from ...models.training.metrics import Metrics

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROUNDS = 5  # times every batch is run for a median
TIMED = 8  # batches that are timed


@dataclass(frozen=True)
class Precision:
    """A model at some bits: its metrics on all samples, its parameters' bytes, median µs per sample in inference.

    quartiles: of those µs.
    """

    table_bits: int
    mlp_bits: int
    metrics: Metrics
    bytes: int
    microseconds: float
    quartiles: tuple[float, float]


@dataclass(frozen=True)
class BackendRun:
    """A backend on a model: seconds until ready, median µs per batch, largest difference from eager's probabilities.

    missing: why it could not run here, the rest None then.
    """

    name: str
    text: str
    missing: str | None = None
    ready_seconds: float | None = None
    microseconds: float | None = None
    difference: float | None = None


def compare_precisions(model: DLRM, source: Source, loss_of: LossOf) -> tuple[Precision, ...]:
    """Every precision of tables with full MLPs, then every other one of MLPs with full tables, then both least."""
    pairs = [(bits, 32) for bits in TABLE_BITS] + [(32, bits) for bits in MLP_BITS[1:]]
    pairs.append((TABLE_BITS[-1], MLP_BITS[-1]))
    result = []
    with frozen(model):
        for table_bits, mlp_bits in pairs:
            run = quantized(model, table_bits, mlp_bits)
            metrics = evaluate(model, source, loss_of, run)
            inputs = _first(source)
            low, middle, high = (1e6 * q / inputs[0].samples for q in quantiles(_seconds(run, inputs), n=4))
            size = quantized_bytes(model.config, table_bits, mlp_bits)
            result.append(Precision(table_bits, mlp_bits, metrics, size, middle, (low, high)))
    return tuple(result)


def compare_backends(model: DLRM, source: Source, note: Callable[[str], None]) -> tuple[BackendRun, ...]:
    """Every backend on the first batches of `source`, on as many threads as torch has. note: told who is next."""
    inputs = _first(source)
    with frozen(model):
        eager = make_backend("eager", model, inputs[0])
        expected = [eager(batch.dense, batch.indices, batch.offsets) for batch in inputs]
        runs = []
        for backend in backends():
            if missing := backend.missing():
                runs.append(BackendRun(backend.name, backend.text, missing))
                continue
            note(f"backend {backend.name}")
            begin = time.perf_counter()
            try:
                run = make_backend(backend.name, model, inputs[0])
            except HotrowError as error:  # it is not for this kind of model
                runs.append(BackendRun(backend.name, backend.text, str(error)))
                continue
            got = [run(batch.dense, batch.indices, batch.offsets) for batch in inputs]
            ready = time.perf_counter() - begin
            difference = max(float((a - b).abs().max()) for a, b in zip(got, expected, strict=True))
            spent = median(_seconds(run, inputs))
            runs.append(BackendRun(backend.name, backend.text, None, ready, 1e6 * spent, difference))
    return tuple(runs)


def precision_lines(rows: Sequence[Precision]) -> Iterator[str]:
    """The table of precisions, line by line."""
    yield "tables  MLPs    loss      accuracy   AUC       MiB        of fp32   µs/sample"
    for row in rows:
        m = row.metrics
        auc = "-" if m.auc is None else f"{m.auc:.6f}"
        yield (
            f"{row.table_bits:>2} bit  {row.mlp_bits:>2} bit  {m.loss:.6f}  {100 * m.accuracy:7.3f} %  {auc:8}  "
            f"{row.bytes / 2**20:9.3f}  {100 * row.bytes / rows[0].bytes:6.2f} %  {row.microseconds:8.2f}"
        )


def precision_figure(rows: Sequence[Precision]) -> Figure:
    """Accuracy, size and speed of every precision side by side."""
    full = rows[0]
    return precision_bars(
        [f"tables {row.table_bits}, MLPs {row.mlp_bits}" for row in rows],
        [(100 * row.metrics.accuracy, 100 * _half_interval(row.metrics)) for row in rows],
        [100 * row.bytes / full.bytes for row in rows],
        [tuple(full.microseconds / spent for spent in (row.microseconds, *reversed(row.quartiles))) for row in rows],  # type: ignore[misc]
    )


def _half_interval(metrics: Metrics) -> float:
    """Half of the 95 % interval of an accuracy: 1.96 standard errors of a share of so many samples."""
    return 1.96 * math.sqrt(metrics.accuracy * (1 - metrics.accuracy) / metrics.samples)


def backend_lines(rows: Sequence[BackendRun]) -> Iterator[str]:
    """The table of backends, line by line."""
    yield "backend  µs/batch    times as fast as eager   difference   ready after"
    eager = next(row.microseconds for row in rows if row.name == "eager")
    for row in rows:
        if row.microseconds is None or row.difference is None or row.ready_seconds is None or eager is None:
            yield f"{row.name:7}  {row.missing}"
        else:
            yield (
                f"{row.name:7}  {row.microseconds:9.1f}  {eager / row.microseconds:10.2f}{'':14}"
                f"{row.difference:10.1e}   {row.ready_seconds:7.1f} s"
            )


def _first(source: Source) -> list[Batch]:
    """The first whole batches of a source."""
    return [source.batch(0, k) for k in range(max(1, min(TIMED, source.samples // source.size)))]


def _seconds(run: Predict, inputs: Sequence[Batch]) -> list[float]:
    """Of every call."""
    times = []
    with torch.inference_mode():
        for _ in range(ROUNDS):
            for batch in inputs:
                begin = time.perf_counter()
                run(batch.dense, batch.indices, batch.offsets)
                times.append(time.perf_counter() - begin)
    return times
