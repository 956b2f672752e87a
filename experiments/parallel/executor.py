"""Executor: where points that only compute are worked out: local processes, or a dask.distributed cluster."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any, TypeVar

from ... import HotrowError

LOCAL_CLUSTER = "local-cluster"
DEATHS = 2  # of workers with the same task, before it is given up
AHEAD = 2  # tasks in flight per worker

Task = TypeVar("Task")
Maker = Callable[[], AbstractContextManager[Executor]]


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def maker(scheduler: str | None = None, workers: int | None = None) -> Maker:
    """What opens an executor of local processes (None), of a dask cluster of this machine's own, or at an address.

    Raises HotrowError where dask.distributed is not installed or nobody answers at the address.
    """
    number = workers or processors()
    if scheduler is None:
        return lambda: ProcessPoolExecutor(number, multiprocessing.get_context("spawn"))
    return lambda: _dask(scheduler, number)


@contextmanager
def _dask(scheduler: str, workers: int) -> Iterator[Executor]:
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise HotrowError(
            f"--scheduler {scheduler} needs dask.distributed; pip install hotrow[distributed], or leave it out"
        ) from error
    if scheduler == LOCAL_CLUSTER:
        with (
            LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None, host="127.0.0.1") as cluster,
            Client(cluster) as client,
        ):
            yield client.get_executor(pure=False)
        return
    try:
        client = Client(scheduler, timeout="10s")
    except (OSError, ValueError) as error:
        raise HotrowError(f"--scheduler {scheduler}: nobody answers there ({error}); check address and port") from error
    with client:
        yield client.get_executor(pure=False)


def run_all(
    make: Maker, function: Callable[[Task], Any], tasks: Iterable[Task], width: int
) -> Iterator[tuple[Task, Any, str | None]]:
    """`function` of every task, as they finish: the task, its result, and why it has none.

    A worker that dies takes no other task with it: those in flight are given out again, one at a time, so that the one
    that kills its worker is known, which fails after more than DEATHS. At most AHEAD × width tasks are in flight.
    """
    waiting = list(tasks)
    deaths: dict[int, int] = {}  # of a worker while a task was in flight, by the task's identity
    while waiting:
        batch = next(([task] for task in waiting if id(task) in deaths), waiting)
        done: set[int] = set()
        with make() as executor, closing(_finished(executor, function, batch, width)) as finished:
            for task, future in finished:
                try:
                    result, failure = future.result(), None
                except (BrokenProcessPool, CancelledError):
                    break
                except Exception as error:
                    result, failure = None, _line(error)
                done.add(id(task))
                yield task, result, failure
        left = [task for task in batch if id(task) not in done]
        for task in left[: AHEAD * width]:  # they were in flight
            deaths[id(task)] = deaths.get(id(task), 0) + 1
        if len(batch) == 1 and deaths.get(id(batch[0]), 0) > DEATHS:
            done.add(id(batch[0]))
            yield batch[0], None, "its worker process died every time, alone as well; was it killed for memory?"
        waiting = [task for task in waiting if id(task) not in done]


def _finished(
    executor: Executor, function: Callable[[Task], Any], tasks: list[Task], width: int
) -> Generator[tuple[Task, Future[Any]]]:
    """Tasks with their futures as they finish; those not begun are cancelled when the caller stops."""
    coming = iter(tasks)
    flying: dict[Future[Any], Task] = {}
    try:
        while True:
            for task in coming:
                flying[executor.submit(function, task)] = task
                if len(flying) >= AHEAD * width:
                    break
            if not flying:
                return
            for future in wait(flying, return_when=FIRST_COMPLETED).done:
                yield flying.pop(future), future
    finally:
        for future in flying:
            future.cancel()


def _line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if isinstance(error, HotrowError) else f"{type(error).__name__}: {text}"
