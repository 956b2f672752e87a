"""Calibration with tiny sizes: it ends, its machine is whole and comes back from its file."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.profiling.calibration import readings
from hotrow.profiling.calibration.calibrate import STOPPED, Sizes, calibrate, configurations, steps
from hotrow.profiling.calibration.probes import (
    LINE,
    LOADS,
    READ_BYTES,
    add_up,
    chase,
    gathered_bytes,
    latency,
    multiply,
    passes,
)
from hotrow.profiling.machine import Machine
from hotrow.profiling.machine_files import load_machine, save_machine
from hotrow.profiling.processes.runner import Plan
from hotrow.profiling.units import Quantity

TINY = Sizes(
    octaves=(4096, 16384, 65536),
    reads=(16384,),
    pages=(4, 8, 16),
    rows=(64,),
    tables=(2**16,),
    bags=(1, 64),
    streams=(3 * 2**12,),
    shapes=((4, 8, 8), (8, 8, 8)),
    isas=("native",),
    threads=1,
)
QUICK = Plan(processes=1, seconds=0.0, patience=0.0, least=3, most=5, deadline=120)


@pytest.fixture(scope="module")
def machine() -> Machine:
    return calibrate("tiny", TINY, QUICK)


def test_a_calibrated_machine_is_whole(machine: Machine, tmp_path: Path) -> None:
    assert machine.clock.mark == machine.memory["DRAM"].bandwidth.mark == "measured"
    assert machine.cores.mark == "assumed"
    calibration = machine.calibration
    assert calibration is not None
    kinds = {"latency", "pages", "read", "gather", "stream", "bags", "products"}
    assert {curve.what for curve in calibration.curves} == kinds
    read = machine.caches["L1"].bandwidth
    if read is not None:
        assert read.low <= read.value <= read.high
        assert read.mark == "measured"
    assert all(value > 0 for curve in calibration.curves for value in curve.value)
    assert machine.curve("gather", threads=1, row_bytes=64).unit == "B/s"
    assert any("per call" in key for key in calibration.overheads)
    assert machine.peak("fp32", cores=1) > 0
    save_machine(machine, tmp_path / "tiny.toml")
    assert load_machine(tmp_path / "tiny.toml") == machine


def test_failures_and_ctrl_c_after_a_round_leave_what_was_measured() -> None:
    sizes = replace(TINY, threads=10_000)  # a point that cannot be
    calls: list[int] = []

    def stop(amount: int) -> None:
        calls.append(amount)
        if len(calls) == steps(sizes, QUICK):
            raise KeyboardInterrupt

    found = calibrate("tiny", sizes, replace(QUICK, processes=2), stop)
    assert found.calibration is not None
    assert found.calibration.warnings[0] == f"{STOPPED} after 4 of 12 processes; intervals are of fewer"
    assert "memory native 10000: 10000 threads; this process may use" in "; ".join(found.calibration.warnings)


def test_ctrl_c_before_a_round_is_over_leaves_nothing() -> None:
    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        calibrate("tiny", TINY, QUICK, stop)


def test_steps_counts_the_processes() -> None:
    assert steps(TINY, QUICK) == 4
    names = [c.name for c in configurations(Sizes(), ("avx2",), 2)]
    assert names == [
        readings.SMALL,
        readings.LARGE,
        "products scalar 1",
        "memory avx2 1",
        "products avx2 1",
        "products scalar 2",
        "memory avx2 2",
        "products avx2 2",
    ]
    assert len(configurations(Sizes(), (), 1)) == 4


def test_loads_go_once_around_every_line() -> None:
    successor = np.zeros(5 * LINE // 8, np.int64)
    order = np.array([0, 3, 1, 4, 2]) * (LINE // 8)
    successor[order] = np.roll(order, -1)
    visited = [chase(successor, 0, k) for k in range(5)]
    assert visited == order.tolist()
    assert chase(successor, 0, 5) == 0
    assert multiply(1, 3) == 9
    assert multiply(2, 3) == (9 * 3) ^ 1
    assert add_up(np.arange(4), 3) == 18
    assert (passes(READ_BYTES // 4), passes(2 * READ_BYTES)) == (4, 1)
    assert set(latency([1024], [4], [512]).steps) == {"bytes 1024", "pages 4", "read 512", "clock"}
    assert gathered_bytes(64) <= 2**22 < gathered_bytes(64) + 64 * 32
    assert LOADS > 0


def test_disagreement_with_the_system_is_said() -> None:
    found = readings.Levels((), (Quantity(31, "KiB"), Quantity(10, "MiB"), None), (), None)
    said = readings.warnings((("L1", 2.0**15), ("L2", 2.0**25), ("L3", 2.0**26)), found)
    assert said == [
        "L2: serves working sets up to 10 MiB, the system reports 32 MiB; trust the measured size",
        "L3: no edge found; the system reports 64 MiB",
    ]


def test_a_calibration_that_cannot_start_says_so() -> None:
    with pytest.raises(HotrowError, match="calibration measured too little: loads"):
        calibrate("broken", TINY, Plan(processes=1, deadline=0.01))
