"""hotrow train in the processes of torchrun: tables spread over them, everything else as in one process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import torch.distributed as dist

from ... import HotrowError
from ...atomic import replacing
from ...models.benchmark_flags import Flags
from ...models.dlrm import DLRM
from ...models.parallel.model import ParallelDLRM
from ...models.parallel.placement import Rule, place
from ...models.parallel.training import ParallelTrainer, all_times, process_group, whole_state
from ...models.training.state import save_state
from ...models.training.train import Progress
from .training_print import Printer
from .training_setup import Setup, numbers, prepare

TIMES = "ranks.json"
PROCESSING = timedelta(days=1)  # at most, for rank 0 to process a raw log
ALONE = ("resume", "inference_only", "load_model", "debug_mode", "enable_profiling", "use_gpu", "save_onnx",
         "tensorboard_filename", "precisions", "backends", "save_every")  # fmt: skip


@dataclass(frozen=True, eq=False)
class ParallelResult:
    """What a process has at the end, the same in all but for its tables.

    times: every rank's seconds of lookup, exchange, MLP and backward. first: whether this is rank 0.
    """

    setup: Setup
    model: DLRM
    progress: Progress
    times: tuple[dict[str, Any], ...]
    first: bool


def run_parallel(flags: Flags, say: Callable[[str], None]) -> ParallelResult:
    """Train in all processes; rank 0 says so. Raises HotrowError for what only one process does."""
    given = [name for name in ALONE if getattr(flags, name)]
    given += [name for name in ("quantize_emb_with_bit", "quantize_mlp_with_bit") if getattr(flags, name) != 32]
    given += ["recipe=benchmark"] if flags.recipe == "benchmark" else []
    if given:
        raise HotrowError(f"--{given[0].replace('_', '-')}: only in one process, without torchrun")
    if flags.dist_backend not in ("", "gloo"):
        raise HotrowError(f"--dist-backend={flags.dist_backend}: processes on CPUs talk by gloo")
    with process_group("gloo"):
        first = dist.get_rank() == 0
        if not first:  # rank 0 may have files to process, which the others then find
            dist.monitored_barrier(timeout=PROCESSING)
        setup = prepare(flags)
        if first:
            dist.monitored_barrier(timeout=PROCESSING)
        model = ParallelDLRM(setup.config, _placement(flags, setup), flags.numpy_rand_seed)
        trainer = ParallelTrainer(model, setup.source, setup.training, setup.test)
        if first:
            say(f"{model.ranks} processes; tables of each: {', '.join(str(len(own)) for own in model.owned)}")
            say("time/loss/accuracy (if enabled):")
        printer = Printer(say if first else _nothing, setup.training.best_by, flags.print_time, flags.print_wall_time)
        for done in trainer.run():
            printer.batch(done)
            if done.test is not None and done.test.best:
                _save(flags, model)
        if not trainer.progress.tests:
            _save(flags, model)
        times = tuple(all_times(model))
        if first and flags.out:
            with replacing(Path(flags.out) / TIMES) as beside:
                beside.write_text(json.dumps(times, indent=1) + "\n", encoding="utf-8")
        for line in _lines(times) if first else []:
            say(line)
        return ParallelResult(setup, model.local, trainer.progress, times, first)


def _placement(flags: Flags, setup: Setup) -> tuple[int, ...]:
    """By a rule, or by a rank for every table."""
    if flags.placement in get_args(Rule):
        return place(setup.config, dist.get_world_size(), flags.placement)
    return numbers(flags.placement, "placement")


def _save(flags: Flags, model: ParallelDLRM) -> None:
    """The whole model's weights by rank 0, where they are asked for."""
    if not flags.save_model:
        return
    state = whole_state(model)
    if state is not None:
        save_state(flags.save_model, model.local.config, state)


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
