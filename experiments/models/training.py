"""Question: how well does a model learn these clicks? hotrow train: train, evaluate or run it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import torch

from ... import HotrowError
from ...analysis import plots
from ...analysis.training_plots import learning_curves
from ...atomic import replacing
from ...models.backends.onnx_graph import save_onnx
from ...models.backends.onnx_runtime import check_onnx
from ...models.benchmark_flags import Flags, parse
from ...models.data.recipe import RecipeSource, initialize_as_benchmark
from ...models.data.source import batches
from ...models.dlrm import DLRM
from ...models.parallel.training import processes
from ...models.quantization.inference import quantized
from ...models.training.evaluation import evaluate, frozen, infer
from ...models.training.foreign import load_any_model
from ...models.training.metrics import Metrics, StreamingMetrics
from ...models.training.train import Evaluated, Point, Trainer
from ...profiling.timer import threads_set
from ...progress import bar
from .comparisons import (
    BackendRun,
    Precision,
    backend_lines,
    compare_backends,
    compare_precisions,
    precision_figure,
    precision_lines,
)
from .compression_study import INTERACTIONS, RATES, Study, compression_study, save_study, study_lines
from .training_loop import train_through
from .training_parallel import run_parallel
from .training_print import Printer, print_architecture, print_batches, print_parameters
from .training_setup import Setup, default_threads, prepare

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RESULT, ONNX = "result.json", "model.onnx"
CURVES, PRECISIONS = "learning-curves", "precisions"  # figures


@dataclass(frozen=True, eq=False)
class Result:
    """What a run of hotrow train gave. seconds_per_batch: mean, tests left out; None where there were no batches."""

    setup: Setup
    model: DLRM
    points: tuple[Point, ...]
    tests: tuple[Evaluated, ...]
    inference: Metrics | None
    seconds_per_batch: float | None
    reached: str | None
    quantized: Metrics | None = None
    precisions: tuple[Precision, ...] = ()
    backends: tuple[BackendRun, ...] = ()
    ranks: tuple[dict[str, Any], ...] = ()

    def plain(self) -> dict[str, Any]:
        """The numbers as plain values, for JSON."""
        return {
            "model": msgspec.to_builtins(self.setup.config),
            "training": msgspec.to_builtins(self.setup.training),
            "data": self.setup.data,
            "points": msgspec.to_builtins(self.points),
            "tests": msgspec.to_builtins(self.tests),
            "inference": msgspec.to_builtins(self.inference),
            "seconds_per_batch": self.seconds_per_batch,
            "reached": self.reached,
            "notes": list(self.setup.notes),
            "quantized": msgspec.to_builtins(self.quantized),
            "precisions": msgspec.to_builtins(self.precisions),
            "backends": msgspec.to_builtins(self.backends),
            "ranks": list(self.ranks),
        }


def main(arguments: Sequence[str]) -> int:
    """Run the command line of hotrow train and print as it asks. Raises HotrowError for a user's mistake."""
    flags = parse(arguments)
    if flags.compression_study:
        return _study(flags)
    result = run(flags)
    if flags.json and os.environ.get("RANK", "0") == "0":
        print(json.dumps(result.plain(), indent=1, allow_nan=False))
    return 0


def _study(flags: Flags) -> int:
    """Run the compression study, which has models and data of its own."""
    if not flags.out:
        raise HotrowError("--compression-study needs --out, a folder for its curves and figure")
    _make_folder(Path(flags.out))
    study = Study()
    trainings = 2 * len(study.seeds) * len(INTERACTIONS) * len(RATES)
    with threads_set(flags.threads or 1), bar("train", "models", trainings, flags.quiet or flags.json) as advance:
        curves = compression_study(study, advance)
    save_study(curves, Path(flags.out))
    if flags.json:
        print(json.dumps([asdict(curve) for curve in curves], indent=1, allow_nan=False))
    elif not flags.quiet:
        print("\n".join(study_lines(curves)))
    return 0


def run(flags: Flags) -> Result:
    """Do what the flags ask for; progress is printed unless they say quiet or json."""
    if flags.out:
        _make_folder(Path(flags.out))
    if flags.save_onnx and not flags.out:
        raise HotrowError("--save-onnx needs --out, a folder for model.onnx")
    say: Callable[[str], None] = _nothing if flags.quiet or flags.json else print
    if processes() > 1:
        return _run_parallel(flags, say)
    setup = prepare(flags)
    with threads_set(flags.threads or default_threads(setup)):
        if not (flags.quiet or flags.json):
            for note in setup.notes:
                print(f"note: {note}", file=sys.stderr)
        model = _model(flags, setup, say)
        if flags.debug_mode:
            print_architecture(setup.config, say)
            print_batches(setup.source, say)
            say("initial parameters (weights and bias):")
            print_parameters(model, flags.print_precision, say)
        say("time/loss/accuracy (if enabled):")
        result = _infer(flags, setup, model, say) if flags.inference_only else _train(flags, setup, model, say)
        if flags.debug_mode and not flags.inference_only:
            say("updated parameters (weights and bias):")
            print_parameters(model, flags.print_precision, say)
        result = afterwards(flags, result, say)
    if flags.out:
        _keep(result, Path(flags.out))
    return result


def _run_parallel(flags: Flags, say: Callable[[str], None]) -> Result:
    made = run_parallel(flags, say)
    now = made.progress
    result = Result(
        made.setup, made.model, now.points, now.tests, made.inference, made.mean, now.reached, ranks=made.times
    )
    if flags.out and made.first:
        _keep(result, Path(flags.out))
    return result


def afterwards(flags: Flags, result: Result, say: Callable[[str], None]) -> Result:
    """What is asked for at the end: a quantized test, precisions and backends side by side, an ONNX file."""
    setup, model = result.setup, result.model
    source, loss_of = setup.test or setup.source, setup.training.loss_of
    bits = flags.quantize_emb_with_bit, flags.quantize_mlp_with_bit
    if bits != (32, 32) and not flags.inference_only:
        metrics = evaluate(model, source, loss_of, quantized(model, *bits))
        say(f"Quantized, tables {bits[0]} bit, MLPs {bits[1]} bit: {Printer.metrics(metrics)}")
        result = replace(result, quantized=metrics)
    if flags.precisions:
        result = replace(result, precisions=compare_precisions(model, source, loss_of))
        for line in precision_lines(result.precisions):
            say(line)
    if flags.backends:
        result = replace(result, backends=compare_backends(model, source, say))
        for line in backend_lines(result.backends):
            say(line)
    if flags.save_onnx:
        path, batch = Path(flags.out) / ONNX, source.batch(0, 0)
        with frozen(model):
            save_onnx(model, path)
            difference = check_onnx(path, model, batch, one_hot=False)
        say(f"{path}: written, and run on a batch: probabilities within {difference:.1e} of the model's")
    return result


def _model(flags: Flags, setup: Setup, say: Callable[[str], None]) -> DLRM:
    model = DLRM(setup.config, flags.numpy_rand_seed)
    if isinstance(setup.source, RecipeSource):
        initialize_as_benchmark(model, np.random.RandomState(flags.numpy_rand_seed))
    if flags.load_model:
        load_any_model(flags.load_model, model)
    if flags.use_gpu and torch.cuda.is_available():
        say(f"Using {torch.cuda.get_device_name()}...")
        return model.to("cuda")
    if flags.use_gpu:
        say("no CUDA device was found")
    say("Using CPU...")
    return model


def _train(flags: Flags, setup: Setup, model: DLRM, say: Callable[[str], None]) -> Result:
    trainer = Trainer(model, setup.source, setup.training, setup.test)
    spent = train_through(flags, setup, trainer, say)
    progress = trainer.progress
    return Result(setup, model, progress.points, progress.tests, None, spent.mean, progress.reached)


def _infer(flags: Flags, setup: Setup, model: DLRM, say: Callable[[str], None]) -> Result:
    """Predictions for the test data, or the training data where there are none."""
    source = setup.test or setup.source
    metrics, number = StreamingMetrics(), batches(source)
    seconds = recent = 0.0
    bits = flags.quantize_emb_with_bit, flags.quantize_mlp_with_bit
    predict = None if bits == (32, 32) else quantized(model, *bits)
    with torch.inference_mode():
        for k, made in enumerate(infer(model, source, predict), start=1):
            loss = setup.training.loss_of(torch.from_numpy(made.probability), torch.from_numpy(made.label))
            metrics.add(made.probability, made.label, loss.item())
            seconds, recent = seconds + made.seconds, recent + made.seconds
            every = setup.training.report_every
            if k % every == 0 or k == number:
                since = every if k % every == 0 else k % every
                say(f"Finished inference it {k}/{number}, {1e3 * recent / since:.2f} ms/it")
                recent = 0.0
    result = metrics.result()
    say(Printer.metrics(result))
    return Result(setup, model, (), (), result, seconds / number, None)


def _keep(result: Result, out: Path) -> None:
    """Write the numbers and, where there are any, a training's curves and the precisions' figure."""
    with replacing(out / RESULT) as beside:
        beside.write_text(json.dumps(result.plain(), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    figures = {}
    if result.points:
        figures[CURVES] = _curves(result)
    if result.precisions:
        figures[PRECISIONS] = precision_figure(result.precisions)
    for name, figure in figures.items():
        for suffix in (".svg", ".png"):
            with replacing(out / f"{name}{suffix}") as beside:
                plots.save(figure, beside)


def _curves(result: Result) -> Figure:
    number = batches(result.setup.source)
    training = [(p.epoch + p.batch / number, p.loss) for p in result.points]
    tests = [(t.epoch + t.batch / number, t.metrics) for t in result.tests]
    return learning_curves(
        training,
        [(x, m.loss) for x, m in tests],
        [(x, m.accuracy) for x, m in tests],
        [(x, m.auc) for x, m in tests if m.auc is not None],
    )


def _make_folder(out: Path) -> None:
    """Before hours of training, not after."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HotrowError(f"{out}: cannot be a folder ({error.strerror}); choose another place with --out") from error


def _nothing(line: str) -> None:
    """Prints nothing."""
