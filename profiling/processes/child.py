"""The child of a measurement: one configuration in one process, its result in a file.

Run as `python -m hotrow.profiling.processes.child REQUEST RESULT` in an environment that the parent has made.
"""

from __future__ import annotations

import ctypes
import faulthandler
import importlib
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from ... import HotrowError
from ...atomic import replacing
from .. import resctrl
from ..isa import Verified
from ..measurement import Fact, OperatorProfile
from .configuration import Configuration, Workload
from .watchdog import STACK_FILE

OUTPUTS = 4096  # numbers of a workload's output that are compared
ANYBODY = -1  # PR_SET_PTRACER_ANY
PR_SET_PTRACER = 0x59616D61
PR_SET_THP_DISABLE = 41
ASKED = {None: "", True: ", torch asks", False: ", forbidden"}


class Request(msgspec.Struct, frozen=True):
    """What to measure and how long: seconds per step, then `patience` more for undisturbed repeats.

    traced: steps under torch.profiler after the bare ones, none for 0. seed: order of the steps. step: the one to spin
    or serve, the first if empty. rate: requests per second to serve, None for a closed loop.
    """

    configuration: Configuration
    cpus: tuple[int, ...]
    seconds: float
    patience: float
    least: int
    most: int
    traced: int = 0
    seed: int = 0
    chrome_traces: str | None = None
    step: str = ""
    rate: float | None = None


class StepRun(msgspec.Struct, frozen=True):
    """One step's repeats in one process: seconds and processor seconds per call, and which were undisturbed."""

    name: str
    wall: list[float]
    cpu: list[float]
    undisturbed: list[bool]
    calls: int
    profile: OperatorProfile | None = None


class Result(msgspec.Struct, frozen=True):
    """One process: its steps in the order of the workload, libraries' SIMD, facts, output; or the error alone."""

    steps: list[StepRun] = []
    isa: list[Verified] = []
    facts: dict[str, Fact] = {}
    output: list[float] | None = None
    error: str | None = None


def main(request: Path, result: Path) -> int:
    """Measure what `request` says and write it to `result`; 0, or 1 with the reason in the file."""
    let_look_in()
    code, made = 1, Result()
    try:
        made, code = measured(msgspec.json.decode(request.read_bytes(), type=Request)), 0
    except HotrowError as error:
        made = Result(error=str(error))
    except MemoryError as error:
        made = Result(error=f"not enough memory ({error}); try smaller tables")
    except Exception as error:
        traceback.print_exc()
        made = Result(error=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
    with replacing(result) as beside:
        beside.write_bytes(msgspec.json.encode(made))
    return code


def measured(request: Request) -> Result:
    """Build the workload and time every one of its steps."""
    configuration = request.configuration
    settle(request)
    before = _counters()
    workload = build(configuration)
    import torch

    from ..isa import verify

    torch.set_num_threads(configuration.threads)
    isa = verify(configuration.isa)
    output = None if workload.output is None else _numbers(workload.output())
    steps = _timed(workload, request)
    facts = dict(workload.facts) | _facts(before, torch.get_num_threads(), configuration)
    return Result(steps, list(isa), facts, output)


def settle(request: Request) -> None:
    """What a process must do to itself before torch is loaded: its processors, which threads inherit, and its pages."""
    if request.configuration.l3_ways is not None:
        resctrl.join()
    if request.cpus and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, request.cpus)
    if request.configuration.huge_pages is False and sys.platform.startswith("linux"):
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_THP_DISABLE, ctypes.c_ulong(1), 0, 0, 0)


def build(configuration: Configuration) -> Workload:
    """Call the workload function; HotrowError where it cannot be found or returns something else."""
    module, _, name = configuration.workload.partition(":")
    try:
        function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise HotrowError(f"workload {configuration.workload!r}: {error}") from error
    made = function(**configuration.arguments)
    if not isinstance(made, Workload):
        raise HotrowError(f"workload {configuration.workload!r} returned {type(made).__name__}; it must be a Workload")
    return made


def warm(request_file: Path, folder: Path, calls: int) -> tuple[Request, Callable[[], Any]]:
    """For children that only call one step: the request and its step, called so often; then FOLDER/ready is there."""
    let_look_in()
    request = msgspec.json.decode(request_file.read_bytes(), type=Request)
    settle(request)
    workload = build(request.configuration)
    import torch

    torch.set_num_threads(request.configuration.threads)
    step = workload.steps[request.step] if request.step else next(iter(workload.steps.values()))
    for _ in range(calls):
        step()
    (folder / "ready").touch()
    return request, step


def _timed(workload: Workload, request: Request) -> list[StepRun]:
    """Every step's run; they are taken in random order and returned in the workload's."""
    import numpy as np

    names = list(workload.steps)
    runs: dict[str, StepRun] = {}
    for k in np.random.default_rng(request.seed).permutation(len(names)):
        runs[names[k]] = _run(names[k], workload, request)
    return [runs[name] for name in names]


def _run(name: str, workload: Workload, request: Request) -> StepRun:
    from ..timer import time_step

    step = workload.steps[name]
    how: dict[str, Any] = {
        "seconds": request.seconds,
        "least": request.least,
        "most": request.most,
        "patience": request.patience,
    }
    if workload.device == "cuda":
        from ..gpu import time_step_cuda

        timing = time_step_cuda(step, **how)
    else:
        timing = time_step(step, **how)
    profile = None
    if request.traced:
        from ..profilers.torch_profiler import profile_traced

        place = None if request.chrome_traces is None else Path(request.chrome_traces) / f"{file_name(name)}.json.gz"
        profile = profile_traced(name, step, timing, request.traced, request.seed, place)
    return StepRun(name, timing.wall.tolist(), timing.cpu.tolist(), timing.undisturbed.tolist(), timing.calls, profile)


def file_name(name: str) -> str:
    """A step's name without what a file's name should not hold."""
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name)


def _numbers(output: Any) -> list[float]:
    import numpy as np

    return [float(x) for x in np.asarray(output, np.float64).reshape(-1)[:OUTPUTS]]


def _counters() -> dict[str, float]:
    """Steal and all processor ticks of the machine so far, and the load, where the system tells."""
    found: dict[str, float] = {}
    with suppress(OSError, ValueError, IndexError):
        ticks = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        found |= {"steal": ticks[7], "ticks": sum(ticks)}
    with suppress(OSError, AttributeError):
        found["load"] = round(os.getloadavg()[0], 2)
    return found


def _facts(before: dict[str, float], threads: int, configuration: Configuration) -> dict[str, Fact]:
    from ..host import host_facts

    after = _counters()
    ticks = after.get("ticks", 0) - before.get("ticks", 0)
    host = host_facts()
    facts: dict[str, Fact] = {
        "threads": threads,
        "cpus": ",".join(map(str, sorted(os.sched_getaffinity(0)))) if hasattr(os, "sched_getaffinity") else None,
        "wait_policy": os.environ.get("OMP_WAIT_POLICY", "default").lower(),
        "huge_pages": f"{host.huge_pages}{ASKED[configuration.huge_pages]}",
        "anonymous_huge_page_bytes": _huge_bytes(),
        "load_before": before.get("load"),
        "steal_share": (after["steal"] - before["steal"]) / ticks if ticks else None,
        "peak_bytes": _peak_bytes(),
        "host": host.node,
        "cpu": host.cpu,
        "hotrow_commit": host.commit,
        "python": host.python,
    }
    return facts | {f"{name}_version": version for name, version in host.packages.items()}


def _huge_bytes() -> int | None:
    with suppress(OSError, ValueError):
        for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
            if line.startswith("AnonHugePages:"):
                return int(line.split()[1]) << 10
    return None


def _peak_bytes() -> int | None:
    with suppress(ImportError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return int(peak) if sys.platform == "darwin" else int(peak) << 10
    return None


def let_look_in() -> None:
    """Let a watchdog that is not our parent read our stack, and write it ourselves on SIGUSR1."""
    if sys.platform.startswith("linux"):
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_PTRACER, ctypes.c_ulong(ANYBODY), 0, 0, 0)
    if hasattr(signal, "SIGUSR1") and STACK_FILE in os.environ:
        place = os.open(os.environ[STACK_FILE], os.O_WRONLY)  # open as long as the process lives
        faulthandler.register(signal.SIGUSR1, file=place, all_threads=True)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
