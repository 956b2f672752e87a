"""A child that serves requests with one step: `python -m hotrow.profiling.processes.serve REQUEST FOLDER`.

It makes FOLDER/ready once it is warm, waits for the moment written in ../go, serves for the request's seconds, and
writes every request's arrival, begin and end, in seconds of the monotonic clock, to FOLDER/served.npy.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .child import Request, warm

WARM_UP = 5
SPIN = 0.002  # seconds before an arrival from which on it is awaited without sleep


def main(request_file: Path, folder: Path) -> None:
    """Serve what the request says."""
    request, step = warm(request_file, folder, WARM_UP)
    go = folder.parent / "go"
    while not go.exists() or not go.read_text():
        time.sleep(0.005)
    begin = float(go.read_text())
    _await(begin)
    served = closed_loop(step, begin + request.seconds) if request.rate is None else _open(step, begin, request)
    beside = folder / "serving.npy"
    np.save(beside, np.array(served).reshape(-1, 3))
    beside.rename(folder / "served.npy")


def closed_loop(step: Callable[[], Any], end: float) -> list[tuple[float, float, float]]:
    """Call `step` until `end`; a request arrives when the one before is done."""
    served = []
    now = time.monotonic()
    while now < end:
        began = now
        step()
        now = time.monotonic()
        served.append((began, began, now))
    return served


def _open(step: Callable[[], Any], begin: float, request: Request) -> list[tuple[float, float, float]]:
    rate = request.rate or 0.0
    return open_loop(step, begin + arrivals(rate, request.seconds, np.random.default_rng(request.seed)))


def arrivals(rate: float, seconds: float, rng: np.random.Generator) -> Any:
    """Moments of a Poisson process of `rate` per second within `seconds`, at least one."""
    count = rng.poisson(rate * seconds)
    return np.sort(rng.random(max(1, count)) * seconds)


def open_loop(step: Callable[[], Any], moments: Any) -> list[tuple[float, float, float]]:
    """Call `step` for every arrival in turn, as soon as it is there and the one before is done."""
    served = []
    for arrival in moments.tolist():
        _await(arrival)
        began = time.monotonic()
        step()
        served.append((arrival, began, time.monotonic()))
    return served


def _await(moment: float) -> None:
    """Sleep until shortly before `moment`, then watch the clock."""
    wait = moment - time.monotonic() - SPIN
    if wait > 0:
        time.sleep(wait)
    while time.monotonic() < moment:
        pass


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
