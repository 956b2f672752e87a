"""hotrow train in the processes of torchrun: tables spread over them, everything else as in one process."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import torch
import torch.distributed as dist

from ... import HotrowError
from ...atomic import replacing
from ...models.benchmark_flags import Flags
from ...models.dlrm import DLRM
from ...models.parallel.model import ParallelDLRM
from ...models.parallel.placement import Rule, place
from ...models.parallel.training import ParallelTrainer, all_times, process_group
from ...models.training.foreign import load_any_model
from ...models.training.metrics import Metrics
from ...models.training.train import Progress
from ..grid import number_of
from .training_loop import train_through
from .training_print import Printer
from .training_setup import Setup, numbers, prepare

TIMES = "ranks.json"
PROCESSING = timedelta(days=1)  # at most, for rank 0 to process a raw log
ALONE = ("debug_mode", "save_onnx", "precisions", "backends")


@dataclass(frozen=True, eq=False)
class ParallelResult:
    """What a process has at the end, the same in all but for its tables.

    mean: seconds per batch. times: every rank's seconds of lookup, exchange, MLP and backward. first: whether this is
    rank 0.
    """

    setup: Setup
    model: DLRM
    progress: Progress
    inference: Metrics | None
    mean: float | None
    times: tuple[dict[str, Any], ...]
    first: bool


def run_parallel(flags: Flags, say: Callable[[str], None]) -> ParallelResult:
    """Train or infer in all processes; rank 0 says so. Raises HotrowError for what only one process does."""
    cuda = _checked(flags)
    with process_group(cuda):
        first = dist.get_rank() == 0
        setup = _prepared(flags, first)
        say = say if first else _nothing
        model = ParallelDLRM(setup.config, _placement(flags, setup), flags.numpy_rand_seed)
        if flags.load_model:
            load_any_model(flags.load_model, model.local)
        if cuda:
            model.to(f"cuda:{int(os.environ.get('LOCAL_RANK', '0')) % torch.cuda.device_count()}")
        trainer = ParallelTrainer(model, setup.source, setup.training, setup.test)
        tables = ", ".join(str(len(own)) for own in model.owned)
        say(f"{number_of(model.ranks, 'process', 'processes')}; tables of each: {tables}")
        say("time/loss/accuracy (if enabled):")
        inference, mean = None, None
        if flags.inference_only:
            inference = trainer.infer(setup.test or setup.source)
            say(Printer.metrics(inference))
        else:
            mean = train_through(flags, setup, trainer, say, first).mean
        times = tuple(all_times(model))
        if first and flags.out:
            with replacing(Path(flags.out) / TIMES) as beside:
                beside.write_text(json.dumps(times, indent=1) + "\n", encoding="utf-8")
        for line in _lines(times):
            say(line)
        return ParallelResult(setup, model.local, trainer.progress, inference, mean, times, first)


def _checked(flags: Flags) -> bool:
    """Whether to compute on GPUs. Raises HotrowError for flags of one process."""
    given = [name for name in ALONE if getattr(flags, name)]
    given += [name for name in ("quantize_emb_with_bit", "quantize_mlp_with_bit") if getattr(flags, name) != 32]
    given += ["recipe=benchmark"] if flags.recipe == "benchmark" else []
    if given:
        raise HotrowError(f"--{given[0].replace('_', '-')}: only in one process, without torchrun")
    cuda = bool(flags.use_gpu) and torch.cuda.is_available()
    if flags.dist_backend not in ("", "nccl" if cuda else "gloo"):
        rule = "processes on GPUs talk by nccl" if cuda else "processes on CPUs talk by gloo"
        raise HotrowError(f"--dist-backend={flags.dist_backend}: {rule}")
    return cuda


def _prepared(flags: Flags, first: bool) -> Setup:
    """As prepare; rank 0 may have files to process, which the others then find."""
    if not first:
        dist.monitored_barrier(timeout=PROCESSING)
    setup = prepare(flags)
    if first:
        dist.monitored_barrier(timeout=PROCESSING)
    return setup


def _placement(flags: Flags, setup: Setup) -> tuple[int, ...]:
    """By a rule, or by a rank for every table."""
    if flags.placement in get_args(Rule):
        return place(setup.config, dist.get_world_size(), flags.placement)
    return numbers(flags.placement, "placement")


def _lines(times: tuple[dict[str, Any], ...]) -> list[str]:
    lines = ["rank  tables  MiB       ms per batch: lookup   exchange  MLP       backward"]
    for part in times:
        each = [1e3 * part[name] / max(1, part["batches"]) for name in ("lookup", "exchange", "mlp", "backward")]
        lines.append(
            f"{part['rank']:>4}  {len(part['tables']):>6}  {part['table_bytes'] / 2**20:8.2f}"
            f"{'':16}{each[0]:8.3f}  {each[1]:8.3f}  {each[2]:8.3f}  {each[3]:8.3f}"
        )
    return lines


def _nothing(line: str) -> None:
    """Prints nothing."""
