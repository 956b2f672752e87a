"""Workloads for the runner's tests: quick, hanging, crashing, failing ones; loaded by name in a child."""

import os
import signal
import time
from typing import Any

import numpy as np

from hotrow import HotrowError
from hotrow.profiling.processes.configuration import Workload


def quick(value: float = 1.0, facts: dict[str, Any] | None = None) -> Workload:
    x = np.arange(1000.0)
    return Workload({"sum": x.sum, "square": lambda: x * x}, lambda: np.array([value, 2.0]), facts or {})


def planted_hang() -> None:
    time.sleep(3600)


def hang() -> Workload:
    planted_hang()
    return quick()


def crash(number: int = signal.SIGSEGV) -> Workload:
    os.kill(os.getpid(), number)
    return quick()


def mistake() -> Workload:
    raise HotrowError("table 'a': 0 rows; at least 1 is needed")


def out_of_memory() -> Workload:
    np.empty(1 << 58, np.uint8)
    return quick()


def nothing() -> int:
    return 3


def ends() -> Workload:
    print("a last word", flush=True)
    os._exit(7)
