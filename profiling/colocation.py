"""Co-location: several models on one machine at once, each in a process of its own, pinned or free.

Closed loop: every model calls its step again as soon as it is done, which gives total throughput. Open loop: requests
arrive at random moments (a Poisson process), whether or not the model is free, and a request's latency counts from
its arrival; the largest rate whose 99th percentile holds a limit is found by search.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from .. import HotrowError
from .host import host_facts
from .processes.child import Request
from .processes.configuration import Configuration, WaitPolicy, allowed_cpus
from .processes.runner import module_command
from .processes.watchdog import stack_of

Numbers = NDArray[np.float64]
TRAP = 3.0  # times: free models whose p99 falls by as much once idle threads sleep were spinning against each other
SEARCH_STEPS = 6


@dataclass(frozen=True, eq=False)
class Served:
    """What one model did: seconds from arrival to end of every request [requests], and seconds of service alone."""

    latency: Numbers
    service: Numbers


@dataclass(frozen=True, eq=False)
class Together:
    """Models that ran at once for `seconds`: offered requests per second (None in a closed loop), and what each did.

    pinned: whether each had processors of its own.
    """

    models: tuple[Served, ...]
    seconds: float
    rate: float | None
    pinned: bool
    wait_policy: WaitPolicy | None

    @property
    def throughput(self) -> float:
        """Requests per second of all models together."""
        return sum(len(model.latency) for model in self.models) / self.seconds

    def percentile(self, percent: float) -> float:
        """Of the seconds of all requests, disturbed or not."""
        return float(np.percentile(np.concatenate([model.latency for model in self.models]), percent))


@dataclass(frozen=True, eq=False)
class Bounded:
    """The largest rate, in requests per second of all models, that held p99 ≤ limit, and all rates tried.

    rate is 0 where none did. tried: (rate, p50, p99).
    """

    limit: float
    rate: float
    tried: tuple[tuple[float, float, float], ...]

    @property
    def broke(self) -> float | None:
        """The smallest rate above `rate` that did not hold the limit: the answer lies between; None where all held."""
        return min((rate for rate, _, p99 in self.tried if p99 > self.limit and rate > self.rate), default=None)


def placed(configuration: Configuration, models: int, pinned: bool) -> tuple[Configuration, ...]:
    """`models` copies, on processors of their own (shared evenly where there are too few) or free."""
    allowed = allowed_cpus()
    reason = configuration.impossible(allowed, host_facts().simd)
    if reason is not None or models < 1:
        raise HotrowError(f"{configuration.name}: {reason or f'{models} models; at least 1 is needed'}")
    threads = configuration.threads
    made = []
    for k in range(models):
        own = tuple(allowed[(k * threads + t) % len(allowed)] for t in range(threads))
        cpus = tuple(sorted(set(own))) if pinned else ()
        made.append(msgspec.structs.replace(configuration, name=f"{configuration.name} {k}", cpus=cpus))
    return tuple(made)


def together(
    configuration: Configuration,
    models: int,
    pinned: bool = True,
    seconds: float = 2.0,
    rate: float | None = None,
    step: str = "",
    seed: int = 0,
    deadline: float = 120.0,
) -> Together:
    """Run `models` copies at once for `seconds`; rate: requests per second of all together, None for a closed loop.

    Raises HotrowError where a model fails or hangs, with its reason or stack; all are ended.
    """
    if rate is not None and not 0 < rate < np.inf:
        raise HotrowError(f"{rate} requests per second; it must be above 0 and finite")
    with tempfile.TemporaryDirectory(prefix="hotrow-") as made:
        folder = Path(made)
        children = [
            _start(c, folder / str(k), None if rate is None else rate / models, seconds, step, seed + k)
            for k, c in enumerate(placed(configuration, models, pinned))
        ]
        try:
            _wait(children, folder, "ready", deadline)
            (folder / "go").write_text(str(time.monotonic() + 0.1))
            _wait(children, folder, "served.npy", deadline + seconds)
        finally:
            for child in children:
                if child.poll() is None:
                    child.kill()
                child.wait()
        served = [np.load(folder / str(k) / "served.npy") for k in range(models)]
    return Together(
        tuple(Served(rows[:, 2] - rows[:, 0], rows[:, 2] - rows[:, 1]) for rows in served),
        seconds,
        rate,
        pinned,
        configuration.wait_policy,
    )


def _start(
    configuration: Configuration, folder: Path, rate: float | None, seconds: float, step: str, seed: int
) -> subprocess.Popen[bytes]:
    folder.mkdir()
    request = Request(configuration, configuration.cpus or (), seconds, 0, 0, 0, seed=seed, step=step, rate=rate)
    (folder / "request.json").write_bytes(msgspec.json.encode(request))
    with (folder / "wrote").open("wb") as wrote:
        command = module_command("serve", folder / "request.json", folder)
        return subprocess.Popen(command, env=configuration.variables(), stdout=wrote, stderr=wrote)


def _wait(children: Sequence[subprocess.Popen[bytes]], folder: Path, file: str, deadline: float) -> None:
    """Until every model has written `file`; HotrowError where one ended or none did in time."""
    end = time.monotonic() + deadline
    for k, child in enumerate(children):
        while not (folder / str(k) / file).exists():
            if child.poll() not in (None, 0):
                lines = (folder / str(k) / "wrote").read_text(errors="replace").strip().splitlines()
                raise HotrowError(f"model {k} ended with code {child.returncode}: {lines[-1] if lines else 'no word'}")
            if time.monotonic() > end:
                raise HotrowError(f"model {k} hung for {deadline:g} s; it was at\n{stack_of(child.pid)}")
            time.sleep(0.01)


def bounded_throughput(
    run_at: Callable[[float], Together], limit: float, highest: float, steps: int = SEARCH_STEPS
) -> Bounded:
    """The largest rate up to `highest` whose p99 is at most `limit` seconds, by bisection of the rate's logarithm.

    run_at: runs the models at a rate. Starts at a sixteenth of `highest`; as a rate holds or breaks by chance near the
    edge, the answer is good to about the last step.
    """
    if not (limit > 0 and highest > 0):
        raise HotrowError(f"a limit of {limit} s and at most {highest} requests per second; both must be above 0")
    low, high = highest / 16, highest
    tried, best = [], 0.0
    rate = low
    for _ in range(steps):
        ran = run_at(rate)
        p99 = ran.percentile(99)
        tried.append((rate, ran.percentile(50), p99))
        if p99 <= limit:
            best, low = max(best, rate), rate
        else:
            high = rate
            if rate <= highest / 16:
                break
        rate = float(np.sqrt(low * high))
    return Bounded(limit, best, tuple(tried))


def spinning_trap(active: Together, passive: Together) -> str | None:
    """A warning where idle threads spun against each other's work: p99 falls steeply once they sleep instead."""
    before, after = active.percentile(99), passive.percentile(99)
    if before < TRAP * after:
        return None
    return (
        f"OpenMP's idle threads spin against the other models' work: p99 {1e3 * before:.3g} ms, "
        f"{1e3 * after:.3g} ms with OMP_WAIT_POLICY=PASSIVE; set it, or pin the models"
    )


def with_policy(configuration: Configuration, policy: WaitPolicy) -> Configuration:
    """The configuration under another wait policy."""
    return msgspec.structs.replace(configuration, wait_policy=policy)


def merged(runs: Sequence[Together]) -> Together:
    """Repeats of one set-up as one: all requests, all seconds."""
    models = tuple(
        Served(*(np.concatenate([getattr(run.models[k], field) for run in runs]) for field in ("latency", "service")))
        for k in range(len(runs[0].models))
    )
    return replace(runs[0], models=models, seconds=sum(run.seconds for run in runs))
