"""GPU: steps timed by CUDA events, captured into graphs and replayed; refused where there is no device."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from .. import HotrowError
from .timer import FEWEST, SHORTEST_SECONDS, Timing

Step = Callable[[], Any]


def require_cuda() -> None:
    """Raise HotrowError unless torch sees a CUDA device."""
    if not torch.cuda.is_available():
        built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built without CUDA"
        raise HotrowError(f"CUDA was asked for, but torch {torch.__version__} ({built}) sees no device; use the CPU")


def time_step_cuda(
    step: Step, warm_up: int = 3, seconds: float = 1.0, least: int = 10, most: int = 500, patience: float = 0.0
) -> Timing:
    """As timer.time_step, between CUDA events on the current stream; transfers that `step` makes are counted.

    A host that is taken off its processor shows only where the device waits for it, so no repeat is left out.
    """
    require_cuda()
    if warm_up < 1 or not FEWEST <= least <= most:
        raise HotrowError(f"{warm_up} warm-up calls, {least} to {most} repeats; at least 1, and {FEWEST} to more")
    for _ in range(warm_up):
        estimate = _between_events(step, 1)
    calls = max(1, int(np.ceil(SHORTEST_SECONDS / max(estimate, 1e-9))))
    wall: list[float] = []
    end = time.perf_counter() + seconds
    while len(wall) < least or (len(wall) < most and time.perf_counter() < end):
        wall.append(_between_events(step, calls))
    seconds_each = np.array(wall)
    return Timing(seconds_each, seconds_each, torch.get_num_threads(), np.zeros(len(wall), np.int64), calls)


def _between_events(step: Step, calls: int) -> float:
    """Seconds per call between two events around `calls` calls."""
    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    first.record()
    for _ in range(calls):
        step()
    last.record()
    last.synchronize()
    return float(first.elapsed_time(last)) * 1e-3 / calls


def graph_replay(step: Step, warm_up: int = 3) -> Step:
    """Capture `step` into a CUDA graph and return its replay: the same kernels on the same memory, one launch.

    `step` must do the same work on the same tensors each time, without waiting for the device.
    """
    require_cuda()
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # capture needs warmed-up allocators and libraries
        for _ in range(warm_up):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    replay: Step = graph.replay
    return replay
