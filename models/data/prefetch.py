"""prepared: batches made ahead in a thread, so that a step never waits for one that could be ready."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from ..inputs import Batch
from .source import Source, batches

AHEAD = 4  # batches ready at a time
PATIENCE = 0.1  # seconds between looks at whether anybody still wants batches


@dataclass(frozen=True)
class _Failure:
    error: BaseException


def prepared(source: Source, epoch: int, first: int = 0, ahead: int = AHEAD) -> Iterator[Batch]:
    """Yield batches `first`, first + 1, … of an epoch, made in a thread of their own.

    An error while making a batch is raised where that batch would have come. The thread ends with the iterator.
    """
    ready: queue.Queue[Batch | _Failure] = queue.Queue(ahead)
    stop = threading.Event()
    thread = threading.Thread(target=_make, args=(source, epoch, first, ready, stop), name="batches", daemon=True)
    thread.start()
    try:
        for _ in range(first, batches(source)):
            item = ready.get()
            if isinstance(item, _Failure):
                raise item.error
            yield item
    finally:
        stop.set()
        thread.join()


def _make(source: Source, epoch: int, first: int, ready: queue.Queue[Batch | _Failure], stop: threading.Event) -> None:
    try:
        for k in range(first, batches(source)):
            if not _put(ready, source.batch(epoch, k), stop):
                return
    except BaseException as error:  # handed over, not swallowed
        _put(ready, _Failure(error), stop)


def _put(ready: queue.Queue[Batch | _Failure], item: Batch | _Failure, stop: threading.Event) -> bool:
    """Whether the item was put before everybody left."""
    while not stop.is_set():
        try:
            ready.put(item, timeout=PATIENCE)
            return True
        except queue.Full:
            continue
    return False
