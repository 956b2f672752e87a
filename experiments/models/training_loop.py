"""The loop of hotrow train: resume, print, log, and keep what is due, in one process or in each of torchrun's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ... import HotrowError
from ...models.benchmark_flags import Flags
from ...models.training.state import resume_training, save_state, save_training
from ...models.training.train import Done, Trainer
from .training_print import Printer, Say
from .training_setup import Setup
from .training_watch import Log, profiled

STATE, BEST = "state.safetensors", "best.safetensors"


@dataclass
class Spent:
    """Seconds of batches, tests left out, and how many there were."""

    seconds: float = 0.0
    batches: int = 0

    @property
    def mean(self) -> float | None:
        """Seconds per batch; None where there were none."""
        return self.seconds / self.batches if self.batches else None


def train_through(flags: Flags, setup: Setup, trainer: Trainer, say: Say, first: bool = True) -> Spent:
    """Train to the end. first: whether this process writes logs, of several; all of them must call it."""
    out = Path(flags.out) if flags.out else None
    if flags.enable_profiling and out is None:
        raise HotrowError("--enable-profiling needs --out, a folder for the trace")
    if flags.resume:
        resume_training(flags.resume, trainer, setup.data)
    printer = Printer(say, setup.training.best_by, flags.print_time, flags.print_wall_time)
    log = Log(Path(flags.tensorboard_filename)) if flags.tensorboard_filename and first else None
    steps = profiled(trainer.run(), out) if flags.enable_profiling and out is not None and first else trainer.run()
    spent = Spent()
    try:
        for done in steps:
            spent.seconds, spent.batches = spent.seconds + done.seconds, spent.batches + 1
            printer.batch(done)
            if log is not None:
                log.add(done, trainer.progress.steps)
            _keep(flags, trainer, done, setup, out)
    finally:
        if log is not None:
            log.close()
    if trainer.progress.reached is not None:
        say(f"stopped: {trainer.progress.reached} has reached its threshold")
    if flags.save_model and not trainer.progress.tests:
        _save_weights(trainer, [Path(flags.save_model)])
    return spent


def _keep(flags: Flags, trainer: Trainer, done: Done, setup: Setup, out: Path | None) -> None:
    """Write the best model, and the state where it is due and whole."""
    if done.test is not None and done.test.best:
        best = [Path(flags.save_model)] if flags.save_model else []
        _save_weights(trainer, best if out is None else [*best, out / BEST])
    ends = done.test is not None or done.batch == done.batches or trainer.progress.reached is not None
    due = ends or (flags.save_every > 0 and done.batch % flags.save_every == 0)
    if out is not None and due and done.whole:
        save_training(out / STATE, trainer, setup.data)


def _save_weights(trainer: Trainer, paths: list[Path]) -> None:
    if not paths:
        return
    weights = trainer.weights()
    if weights is not None:
        for path in paths:
            save_state(path, trainer.model.config, weights)
