"""The DLRM benchmark's command line, parsed: its flags and defaults with their meaning, and hotrow train's own.

Source: facebookresearch/dlrm, dlrm_s_pytorch.py. Light: it imports nothing but argparse.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

Flag = tuple[str, Any, Any, str]  # name, type (or tuple of choices), default, what it says

MODEL: tuple[Flag, ...] = (
    ("arch-sparse-feature-size", int, None, "width of an embedding row (2)"),
    ("arch-embedding-size", str, None, "rows of each table (4-3-2); a data set or trace brings its own"),
    ("arch-mlp-bot", str, None, "dense features, then the bottom MLP's widths (4-3-2)"),
    ("arch-mlp-top", str, None, "the top MLP's widths, its input left out (4-2-1)"),
    ("arch-interaction-op", ("dot", "cat"), None, "how vectors interact (dot)"),
    ("arch-interaction-itself", bool, False, "dot: every vector also meets itself"),
    ("weighted-pooling", ("fixed", "learned"), None, "a weight per id in a bag's sum, one at first"),
    ("md-flag", bool, False, "mixed dimension: large tables are narrower"),
    ("md-threshold", int, 200, "tables of more rows than this change"),
    ("md-temperature", float, 0.3, "how much narrower"),
    ("md-round-dims", bool, False, "widths are powers of two"),
    ("qr-flag", bool, False, "quotient-remainder tables"),
    ("qr-threshold", int, 200, "tables of more rows than this change"),
    ("qr-operation", ("mult", "add", "concat"), "mult", "how quotient and remainder combine"),
    ("qr-collisions", int, 4, "ids that share a quotient"),
    ("activation-function", ("relu",), "relu", "of hidden layers"),
    ("loss-function", ("mse", "bce", "wbce"), "mse", "loss on the click probability"),
    ("loss-weights", str, "1.0-1.0", "wbce: weights of labels 0 and 1"),
    ("loss-threshold", float, 0.0, "clamps the probability to t … 1 − t before the loss"),
    ("round-targets", bool, False, "random labels become 0 or 1"),
)
DATA: tuple[Flag, ...] = (
    ("data-size", int, 1, "random samples"),
    ("num-batches", int, 0, "batches of an epoch; 0: data size / batch, rounded up"),
    ("mini-batch-size", int, 1, "samples of a batch"),
    ("data-generation", ("random", "synthetic", "dataset"), "random", "where lookups come from"),
    ("rand-data-dist", ("uniform", "gaussian", "zipf"), "uniform", "random rows"),
    ("rand-data-min", float, None, "first row (0)"),
    ("rand-data-max", float, None, "last row (the table's last)"),
    ("rand-data-mu", float, None, "gaussian: mean (−1: the middle)"),
    ("rand-data-sigma", float, None, "gaussian: deviation (a sixth of the range)"),
    ("num-indices-per-lookup", int, 10, "lookups of a bag: uniform on 1 … n"),
    ("num-indices-per-lookup-fixed", bool, False, "always n lookups"),
    ("data-trace-file", str, "./input/dist_emb_j.log", "synthetic: stack distances; j is the table's number"),
    ("data-set", ("kaggle", "terabyte"), "kaggle", "which Criteo data set"),
    ("raw-data-file", str, "", "Criteo TSV: one file, or the start of the days' files"),
    ("processed-data-file", str, "", "where processed data are or will be"),
    ("data-randomize", ("total", "day", "none"), "total", "shuffle of a data set's samples, new in every epoch"),
    ("max-ind-range", int, -1, "ids modulo this"),
    ("data-sub-sample-rate", float, 0.0, "share of samples without a click to leave out"),
    ("memory-map", bool, False, "processed data are always mapped"),
)
TRAINING: tuple[Flag, ...] = (
    ("nepochs", int, 1, "epochs"),
    ("learning-rate", float, 0.01, "base rate"),
    ("optimizer", ("sgd", "adagrad", "rwsadagrad"), "sgd", "optimizer"),
    ("lr-num-warmup-steps", int, 0, "linear warm-up"),
    ("lr-decay-start-step", int, 0, "steps before the decay"),
    ("lr-num-decay-steps", int, 0, "steps of quadratic decay"),
    ("mlperf-grad-accum-iter", int, 1, "batches that make one step"),
    ("numpy-rand-seed", int, 123, "seed of weights and data, each with streams of its own"),
    ("test-freq", int, -1, "batches between tests; −1: none, or with a data set or trace at an epoch's end"),
    ("test-mini-batch-size", int, -1, "samples of a test batch; −1: as in training"),
    ("inference-only", bool, False, "no training: predictions, their time and metrics"),
    ("save-model", str, "", "file for the best model (the last without tests)"),
    ("load-model", str, "", "model to begin with: hotrow's or the benchmark's"),
    ("quantize-mlp-with-bit", (32, 16, 8), 32, "bits of the MLPs in inference, and in one more test after a training"),
    ("quantize-emb-with-bit", (32, 8, 4), 32, "bits of the tables, likewise"),
    ("mlperf-acc-threshold", float, 0.0, "accuracy in percent (or of 1) that ends the training"),
    ("mlperf-auc-threshold", float, 0.0, "AUC that ends the training"),
)
OTHER: tuple[Flag, ...] = (
    ("print-freq", int, 1, "batches between progress lines"),
    ("print-time", bool, False, "measured milliseconds in progress lines"),
    ("print-wall-time", bool, False, "time of day in progress lines"),
    ("print-precision", int, 5, "digits in debug mode"),
    ("debug-mode", bool, False, "print architecture, batches and parameters"),
    ("enable-profiling", bool, False, "a Chrome trace of ten steps, in the folder of --out"),
    ("use-gpu", bool, False, "CUDA, where there is a device"),
    ("save-onnx", bool, False, "write model.onnx, in the folder of --out, and check it by running it"),
    ("dist-backend", ("", "gloo", "nccl", "mpi"), "", "how the processes of torchrun talk; on CPUs by gloo"),
    ("tensorboard-filename", str, "", "folder for a TensorBoard log"),
)
OWN: tuple[Flag, ...] = (
    ("trace", str, "", "train on a trace of any format, or a built-in profile"),
    ("trace-format", str, None, "its format, where its content does not tell"),
    ("test-trace", str, "", "a trace to test on; else the last part of --trace"),
    ("test-share", float, 0.1, "part of --trace to test on"),
    ("preset", str, "", "a built-in model or a TOML file, instead of the arch flags"),
    ("scale", float, 1.0, "rows of every table times this"),
    ("recipe", ("hotrow", "benchmark"), "hotrow", "benchmark: its own random data and weights, number for number"),
    ("zipf-exponent", float, 1.05, "of --rand-data-dist=zipf"),
    ("best-by", ("accuracy", "auc", "loss", "normalised_entropy"), "accuracy", "metric of the best model"),
    ("plateau-patience", int, -1, "tests without a lower loss before the rate drops; −1: never"),
    ("plateau-factor", float, 0.1, "what the rate is then multiplied by"),
    ("out", str, "", "folder for result.json, curves, training state and best model"),
    ("precisions", bool, False, "at the end: accuracy, size and speed of every precision side by side"),
    ("backends", bool, False, "at the end: every installed backend on the same weights and batches, side by side"),
    ("compression-study", bool, False, "instead of all else: what do 16, 8 and 4 bits cost? curves, figure, in --out"),
    (
        "placement",
        str,
        "bytes",
        "torchrun: which process has which table: bytes, round-robin, or a rank per table (0-1-0)",
    ),
    ("save-every", int, 0, "batches between states in --out; 0: at tests and epochs' ends"),
    ("resume", str, "", "go on from this training state"),
    ("threads", int, 0, "threads of PyTorch; 0: one for small models, which are faster with it, else all"),
    ("json", bool, False, "print the result as JSON and nothing else"),
    ("quiet", bool, False, "no progress lines and no notes"),
)
GONE: dict[str, str] = {
    "caffe2-net-type": "Caffe2 no longer exists",
    "save-proto-types-shapes": "Caffe2 no longer exists",
    "onnx-opset": "ONNX's current opset is used",
    "plot-compute-graph": "--enable-profiling shows the graph's operators",
    "data-trace-enable-padding": "ids need no padding",
    "num-workers": "one thread prepares batches ahead",
    "test-num-workers": "one thread prepares batches ahead",
    "dataset-multiprocessing": "processing is one fast pass",
    "mlperf-bin-loader": "formats are found by content",
    "mlperf-bin-shuffle": "--data-randomize says it",
    "mlperf-logging": "--json and --out give results",
    "local_rank": "torchrun says it",
    "sync-dense-params": "MLPs are always the same everywhere",
    "use-fbgemm-gpu": "there is one kind of lookup",
    "fbgemm-gpu-codegen-pref": "there is one kind of lookup",
    "use-torch2trt-for-mlp": "there is one kind of MLP",
}
GROUPS = (
    ("model", MODEL),
    ("data", DATA),
    ("training", TRAINING),
    ("printing and devices", OTHER),
    ("hotrow's own", OWN),
)


class Flags(argparse.Namespace):
    """The flags by name, with underscores; `given`: names that the command line had."""

    given: frozenset[str]

    @property
    def gone(self) -> str | None:
        """One line about the given flags that no longer mean anything."""
        found = [f"--{name} ({why})" for name, why in GONE.items() if name.replace("-", "_") in self.given]
        return f"these flags no longer mean anything: {', '.join(found)}" if found else None


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line, exit code 2, the nearest flag for an unknown one."""
        self.exit(2, f"hotrow train: {message}; --help lists the flags\n")


def parser() -> argparse.ArgumentParser:
    """The parser of hotrow train."""
    made = _Parser(
        prog="hotrow train",
        allow_abbrev=False,
        description="Train, evaluate or run a recommendation model. Accepts the DLRM benchmark's flags.",
        epilog="Example: hotrow train --trace clicks.parquet --preset criteo-kaggle --loss-function=bce --out run",
    )
    for title, flags in GROUPS:
        group = made.add_argument_group(title)
        for name, kind, default, text in flags:
            if kind is bool:
                group.add_argument(f"--{name}", nargs="?", const=True, default=default, type=_boolean, help=text)
            elif isinstance(kind, tuple):
                group.add_argument(f"--{name}", default=default, type=type(kind[0]), choices=kind, help=text)
            else:
                group.add_argument(f"--{name}", default=default, type=kind, help=text)
    for name in GONE:
        made.add_argument(f"--{name}", nargs="?", const=True, help=argparse.SUPPRESS)
    return made


def parse(arguments: Sequence[str]) -> Flags:
    """The flags in `arguments`. Exits with code 2 and one line for what cannot be parsed."""
    made = parser()
    flags, unknown = made.parse_known_args(arguments, Flags())
    if unknown:
        made.error(_unknown(unknown[0], [option for action in made._actions for option in action.option_strings]))
    words = {argument.partition("=")[0].lstrip("-") for argument in arguments if argument.startswith("--")}
    flags.given = frozenset(word.replace("-", "_") for word in words)
    return flags


def _unknown(argument: str, known: list[str]) -> str:
    flag = argument.partition("=")[0]
    near = get_close_matches(flag, known, n=1, cutoff=0.5)
    return f"unknown argument {flag}" + (f"; did you mean {near[0]}?" if near else "")


def _boolean(text: str) -> bool:
    if text.lower() in ("true", "1", "yes", "on"):
        return True
    if text.lower() in ("false", "0", "no", "off"):
        return False
    raise argparse.ArgumentTypeError(f"{text!r} is neither True nor False")
