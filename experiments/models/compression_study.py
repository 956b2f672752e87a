"""Question: what does compression cost? Interactions, optimizers and precisions of tables on clicks of a known teacher.

Three interactions (dot, cat, DCNv2) by two optimizers (SGD, Adagrad) by four precisions of the tables, several seeds.
float32 and bfloat16 models are trained; at every test the float32 model is also tested with its tables rounded to 8 and
4 bits, as they would be deployed at that time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from statistics import mean

import torch

from ...analysis import plots
from ...analysis.training_plots import compression_curves
from ...atomic import replacing
from ...models.config import ModelConfig, TableConfig
from ...models.data.source import Columns, Source, TraceSource, batches
from ...models.data.teacher import Teacher, planted_log
from ...models.dlrm import DLRM
from ...models.fast.inference import FastInference
from ...models.quantization.inference import quantized, quantized_bytes
from ...models.training.evaluation import evaluate
from ...models.training.optimizers import Kind
from ...models.training.schedule import Schedule
from ...models.training.train import Trainer, Training

INTERACTIONS = ("dot", "cat", "dcnv2")
PRECISIONS = ("fp32", "bf16", "int8", "int4")
RATES: dict[Kind, float] = {"sgd": 1.0, "adagrad": 0.05}  # the best of a few tried for float32, dot
DIM = 16


@dataclass(frozen=True)
class Study:
    """How large: samples of the log, of which the last fifth are the test set; the teacher's tables; seeds."""

    samples: int = 120_000
    rows: tuple[int, ...] = (2000, 1000, 500, 200, 100, 50)
    batch: int = 128
    tests: int = 8
    seeds: tuple[int, ...] = (1, 2, 3)


@dataclass(frozen=True)
class Curve:
    """One training's tests: samples seen, then loss and accuracy on a part of the training set and on the test set.

    bytes: of the model's parameters at this precision.
    """

    interaction: str
    optimizer: str
    precision: str
    seed: int
    best_auc: float
    bytes: int
    seen: tuple[int, ...]
    training_loss: tuple[float, ...]
    training_accuracy: tuple[float, ...]
    test_loss: tuple[float, ...]
    test_accuracy: tuple[float, ...]
    test_auc: tuple[float, ...]


def compression_study(study: Study, advance: Callable[[int], None] = lambda number: None) -> tuple[Curve, ...]:
    """All curves; `advance` is told of every training that is done."""
    curves: list[Curve] = []
    for seed in study.seeds:
        log = planted_log(Teacher(study.rows), study.samples, seed)
        cut = study.samples - study.samples // 5
        columns = Columns.of(log.trace)
        for interaction, optimizer in product(INTERACTIONS, RATES):
            config = model_of(interaction, study)
            training = TraceSource(config, columns.between(0, cut), study.batch, seed)
            test = TraceSource(config, columns.between(cut, study.samples), 2048, seed)
            seen_part = TraceSource(config, columns.between(0, test.samples), 2048, seed)
            for dtype in (torch.float32, torch.bfloat16):
                points = list(_trained(DLRM(config, seed, dtype), optimizer, training, test, seen_part, study.tests))
                for precision in dict.fromkeys(point.precision for point in points):
                    mine = [point for point in points if point.precision == precision]
                    curves.append(_curve(config, optimizer, precision, seed, log.best_auc, mine))
                advance(1)
    return tuple(curves)


METRICS = {
    "training_loss": "loss, training set",
    "test_loss": "loss, test set",
    "training_accuracy": "accuracy, training set",
    "test_accuracy": "accuracy, test set",
}


def save_study(curves: Sequence[Curve], folder: Path) -> None:
    """Write compression.json and the figure, compression.svg and .png, into a folder."""
    with replacing(folder / "compression.json") as beside:
        beside.write_text(json.dumps([asdict(curve) for curve in curves], indent=1) + "\n", encoding="utf-8")
    columns = [f"{interaction}, {optimizer}" for interaction, optimizer in product(INTERACTIONS, RATES)]
    lines = {
        (metric, f"{interaction}, {optimizer}", precision): _band(curves, metric, interaction, optimizer, precision)
        for metric in METRICS
        for interaction, optimizer, precision in product(INTERACTIONS, RATES, PRECISIONS)
    }
    figure = compression_curves(METRICS, columns, PRECISIONS, lines)
    for suffix in (".svg", ".png"):
        with replacing(folder / f"compression{suffix}") as beside:
            plots.save(figure, beside)


def study_lines(curves: Sequence[Curve]) -> Iterator[str]:
    """What every precision ends with: means over the seeds, and bytes of float32's."""
    yield "interaction  optimizer  tables  test loss (± half range)  accuracy   AUC     to float32: loss      bytes"
    for interaction, optimizer in product(INTERACTIONS, RATES):
        chosen = [c for c in curves if (c.interaction, c.optimizer) == (interaction, optimizer)]
        full = {c.seed: c for c in chosen if c.precision == "fp32"}
        for precision in PRECISIONS:
            mine = [c for c in chosen if c.precision == precision]
            losses = [c.test_loss[-1] for c in mine]
            spread = (max(losses) - min(losses)) / 2
            worse = mean(c.test_loss[-1] - full[c.seed].test_loss[-1] for c in mine)
            yield (
                f"{interaction:11}  {optimizer:9}  {precision:6}  {mean(losses):.5f} ± {spread:.5f}"
                f"{100 * mean(c.test_accuracy[-1] for c in mine):14.2f} %  {mean(c.test_auc[-1] for c in mine):.4f}"
                f"  {worse:+16.5f}  {100 * mine[0].bytes / full[mine[0].seed].bytes:8.1f} %"
            )


def _band(
    curves: Sequence[Curve], metric: str, interaction: str, optimizer: str, precision: str
) -> list[tuple[float, float, float, float]]:
    """Samples seen, then mean, least and most over the seeds."""
    mine = [c for c in curves if (c.interaction, c.optimizer, c.precision) == (interaction, optimizer, precision)]
    values = zip(*(getattr(c, metric) for c in mine), strict=True)
    return [(seen, mean(v), min(v), max(v)) for seen, v in zip(mine[0].seen, values, strict=True)]


def model_of(interaction: str, study: Study) -> ModelConfig:
    """The model that learns from the teacher."""
    tables = tuple(TableConfig(f"f{k}", rows, DIM) for k, rows in enumerate(study.rows))
    cross = {"cross_layers": 2, "cross_rank": 16} if interaction == "dcnv2" else {}
    return ModelConfig(interaction, 4, (32, DIM), (64, 32, 1), interaction, tables, **cross)  # type: ignore[arg-type]


@dataclass(frozen=True)
class _Point:
    precision: str
    seen: int
    training_loss: float
    training_accuracy: float
    test_loss: float
    test_accuracy: float
    test_auc: float


def _trained(
    model: DLRM, optimizer: Kind, training: Source, test: Source, part: Source, tests: int
) -> Iterator[_Point]:
    """Points of every precision that this training gives, test by test."""
    number = batches(training)
    due = {round(number * (k + 1) / tests) for k in range(tests)}
    trainer = Trainer(model, training, Training(Schedule(RATES[optimizer]), optimizer=optimizer))
    for done in trainer.run():
        if done.batch not in due:
            continue
        full = "fp32" if model.dtype == torch.float32 else "bf16"
        runs: dict[str, FastInference | None] = {full: None}
        if full == "fp32":
            runs |= {f"int{bits}": quantized(model, bits) for bits in (8, 4)}
        for precision, run in runs.items():
            on_part, on_test = (evaluate(model, source, run=run) for source in (part, test))
            yield _Point(
                precision,
                done.batch * training.size,
                on_part.loss,
                on_part.accuracy,
                on_test.loss,
                on_test.accuracy,
                on_test.auc or 0.5,
            )


def _curve(
    config: ModelConfig, optimizer: str, precision: str, seed: int, best_auc: float, points: Sequence[_Point]
) -> Curve:
    bits = {"int8": 8, "int4": 4}.get(precision, 32)
    size = config.bytes // 2 if precision == "bf16" else quantized_bytes(config, bits)
    return Curve(
        config.name,
        optimizer,
        precision,
        seed,
        best_auc,
        size,
        tuple(point.seen for point in points),
        tuple(point.training_loss for point in points),
        tuple(point.training_accuracy for point in points),
        tuple(point.test_loss for point in points),
        tuple(point.test_accuracy for point in points),
        tuple(point.test_auc for point in points),
    )
