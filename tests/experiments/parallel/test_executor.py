"""Every task once, whatever happens to workers, on local processes and on a dask cluster."""

import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from hotrow import HotrowError
from hotrow.experiments.parallel.executor import LOCAL_CLUSTER, maker, run_all


def square(n: int) -> int:
    if n == 13:
        raise HotrowError("thirteen is unlucky")
    return n * n


def die_once(folder: Path, n: int) -> int:
    """Kills its own worker the first time that it gets a 3; always at a 5."""
    if n == 5 or (n == 3 and not (folder / "died").exists()):
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return n * n


def slow(n: int) -> int:
    time.sleep(0.3)
    return n


def test_every_task_is_done_once_and_a_failure_says_why() -> None:
    answers = {task: (result, failure) for task, result, failure in run_all(maker(workers=2), square, range(20), 2)}
    assert len(answers) == 20
    assert answers.pop(13) == (None, "thirteen is unlucky")
    assert answers == {n: (n * n, None) for n in range(20) if n != 13}


def test_a_worker_that_dies_takes_no_other_task_with_it(tmp_path: Path) -> None:
    seen = [
        (task, result, failure)
        for task, result, failure in run_all(maker(workers=2), partial(die_once, tmp_path), range(8), 2)
    ]
    assert sorted(task for task, _, _ in seen) == list(range(8))
    by_task = {task: (result, failure) for task, result, failure in seen}
    assert by_task.pop(5)[1] == "its worker process died every time, alone as well; was it killed for memory?"
    assert by_task == {n: (n * n, None) for n in range(8) if n != 5}


def test_stopping_early_leaves_no_task_running() -> None:
    finished = run_all(maker(workers=1), slow, range(100), 1)
    start = time.monotonic()
    next(finished)
    finished.close()
    assert time.monotonic() - start < 15


@pytest.fixture(scope="module")
def _distributed() -> None:
    pytest.importorskip("distributed", reason="pip install hotrow[distributed]")


@pytest.mark.usefixtures("_distributed")
def test_a_dask_cluster_loses_and_doubles_nothing_when_a_worker_is_killed() -> None:
    from distributed import Client, LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1") as cluster:
        finished = run_all(maker(cluster.scheduler_address), slow, range(24), 2)
        seen = [next(finished) for _ in range(3)]
        with Client(cluster) as client:
            pids = client.run(os.getpid)
        os.kill(next(iter(pids.values())), signal.SIGKILL)
        seen += list(finished)
    assert sorted(seen) == [(n, n, None) for n in range(24)]


@pytest.mark.usefixtures("_distributed")
def test_a_cluster_of_this_machine_and_an_address_where_nobody_is() -> None:
    answers = sorted(run_all(maker(LOCAL_CLUSTER, workers=1), square, [2, 13], 1))
    assert answers == [(2, 4, None), (13, None, "thirteen is unlucky")]
    with pytest.raises(HotrowError, match="nobody answers there"):
        list(run_all(maker("tcp://127.0.0.1:1"), square, [1], 1))
