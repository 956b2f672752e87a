"""The loop of hotrow train: resume, print, log, and keep what is due, in one process or in each of torchrun's."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ... import HotrowError
from ...models.benchmark_flags import Flags
from ...models.parallel.training import processes
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
    """Train to the end. first: whether this process writes logs, of several; all of them must call it.

    A process on its own that Ctrl-C stops ends its step and keeps its state first.
    """
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
        with interruptions(processes() == 1) as asked:
            for done in steps:
                spent.seconds, spent.batches = spent.seconds + done.seconds, spent.batches + 1
                printer.batch(done)
                if log is not None:
                    log.add(done, trainer.progress.steps)
                _keep(flags, trainer, done, setup, out)
                if done.whole and asked():
                    _stop(trainer, setup, out)
    finally:
        if log is not None:
            log.close()
    if trainer.progress.reached is not None:
        say(f"stopped: {trainer.progress.reached} has reached its threshold")
    if flags.save_model and not trainer.progress.tests:
        _save_weights(trainer, [Path(flags.save_model)])
    return spent


@contextmanager
def interruptions(deferred: bool) -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C has been pressed; pressed again, or where it is not deferred, it interrupts at once."""
    asked = False

    def ask(number: int, frame: object) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    if not deferred or threading.current_thread() is not threading.main_thread():  # others cannot have handlers
        yield lambda: False
        return
    before = signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)


def _stop(trainer: Trainer, setup: Setup, out: Path | None) -> None:
    if out is not None:
        save_training(out / STATE, trainer, setup.data)
        print(f"hotrow: {out / STATE}: kept; --resume goes on from it", file=sys.stderr)
    raise KeyboardInterrupt


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
