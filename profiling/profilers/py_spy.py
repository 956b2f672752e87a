"""py-spy: where a running step stands, from outside and without changing it; its own cost is measured beside.

One child spins the step. It is timed alone, sampled by py-spy with native frames, sampled again for who holds the
interpreter lock, and, where `perf` is installed, sampled by it too: py-spy does not see OpenMP's workers, perf does.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ... import HotrowError
from ..host import host_facts
from ..measurement import Measurement
from ..processes.child import Request
from ..processes.configuration import Configuration, allowed_cpus
from ..processes.runner import least_busy, module_command
from ..processes.watchdog import denied, py_spy
from ..timer import bounds, resampled_medians
from .stacks import Stack, collapsed, named, python_share, within_step

BLIND = "py-spy does not see the worker threads of OpenMP; with several threads their work is missing from its stacks"
PERF_LINE = re.compile(r"^\s*([\d.]+)%\s+(\S.*?)\s+\[\S\]\s+(.+?)(?:\s+-)*\s*$")


@dataclass(frozen=True)
class Symbol:
    """A function as perf sees it: its share of samples of all threads, name and library."""

    share: float
    name: str
    library: str


@dataclass(frozen=True, eq=False)
class StackProfile:
    """Samples of a spinning step.

    stacks: samples by stack. native: whether stacks hold native frames. overhead: time per call while sampled over the
    time alone. gil_share: of the time in which some thread held the interpreter lock. python_share: of the samples
    whose innermost frame is Python or its interpreter, None without native frames. symbols: from perf, largest first.
    """

    name: str
    stacks: Mapping[Stack, int]
    rate: int
    native: bool
    overhead: Measurement
    gil_share: float | None
    python_share: float | None
    symbols: tuple[Symbol, ...]
    notes: tuple[str, ...]

    @property
    def samples(self) -> int:
        """All samples."""
        return sum(self.stacks.values())


def sample(
    configuration: Configuration, step: str = "", seconds: float = 2.0, rate: int = 100, deadline: float = 120.0
) -> StackProfile:
    """Spin a step of `configuration` (the first if not named) and sample it, about `seconds` for each look.

    Raises HotrowError where py-spy is missing or may not look, or where the child fails.
    """
    program = py_spy()
    if program is None:
        raise HotrowError("py-spy is not installed in this environment; pip install py-spy")
    reason = configuration.impossible(allowed_cpus(), host_facts().simd)
    if reason is not None:
        raise HotrowError(f"{configuration.name}: {reason}")
    notes = [BLIND] if configuration.threads > 1 else []
    seconds = max(1, round(seconds))  # py-spy counts whole ones
    with tempfile.TemporaryDirectory(prefix="hotrow-") as made:
        folder = Path(made)
        with spinning(configuration, step, folder, deadline) as child:
            alone = _window(seconds)
            native, stacks, seen = _look(program, child.pid, seconds, rate, folder)
            holding = sum(_recorded(program, child.pid, seconds, rate, folder, ["--gil"])[0].values())
            symbols, note = _perf(child.pid, seconds, folder)
            notes += note
        calls = np.load(folder / "calls.npy")
    return StackProfile(
        name=step or configuration.name,
        stacks=stacks,
        rate=rate,
        native=native,
        overhead=_overhead(calls, alone, seen),
        gil_share=min(1.0, holding / (rate * seconds)),
        python_share=python_share(stacks) if native else None,
        symbols=symbols,
        notes=tuple(notes if native else [*notes, "no native frames: this system does not let py-spy unwind them"]),
    )


@contextmanager
def spinning(
    configuration: Configuration, step: str, folder: Path, deadline: float
) -> Iterator[subprocess.Popen[bytes]]:
    """The child, warm; stopped afterwards, and ended if it does not stop."""
    cpus = least_busy(configuration.threads) if configuration.cpus is None else configuration.cpus
    request = Request(configuration, cpus, 0, 0, 0, 0, step=step)
    (folder / "request.json").write_bytes(msgspec.json.encode(request))
    command = module_command("spin", folder / "request.json", folder)
    with (folder / "wrote").open("wb") as wrote:
        child = subprocess.Popen(command, env=configuration.variables(), stdout=wrote, stderr=wrote)
    try:
        end = time.monotonic() + deadline
        while not (folder / "ready").exists():
            if child.poll() is not None or time.monotonic() > end:
                lines = (folder / "wrote").read_text(errors="replace").strip().splitlines()
                raise HotrowError(f"{configuration.name}: not ready to be sampled: {lines[-1] if lines else 'it hung'}")
            time.sleep(0.02)
        yield child
        (folder / "stop").touch()
        child.wait(deadline)
    except subprocess.TimeoutExpired as error:
        raise HotrowError(f"{configuration.name}: the step did not end within {deadline:g} s") from error
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()


def _window(seconds: float) -> tuple[float, float]:
    began = time.monotonic()
    time.sleep(seconds)
    return began, time.monotonic()


def _look(
    program: Path, pid: int, seconds: float, rate: int, folder: Path
) -> tuple[bool, Counter[Stack], tuple[float, float]]:
    """Stacks with native frames, or without where these cannot be had; and when they were taken."""
    try:
        stacks, window = _recorded(program, pid, seconds, rate, folder, ["--native"])
        return True, stacks, window
    except HotrowError as error:
        if "permission" in str(error):
            raise
        stacks, window = _recorded(program, pid, seconds, rate, folder, [])
        return False, stacks, window


def _recorded(
    program: Path, pid: int, seconds: float, rate: int, folder: Path, options: list[str]
) -> tuple[Counter[Stack], tuple[float, float]]:
    file = folder / "stacks"
    file.unlink(missing_ok=True)
    command = [str(program), "record", "--pid", str(pid), "-r", str(rate), "-d", f"{seconds:.0f}", "-f", "raw"]
    began = time.monotonic()
    patience = 60 + 10 * seconds
    try:
        done = subprocess.run([*command, *options, "-o", str(file)], capture_output=True, text=True, timeout=patience)
    except subprocess.TimeoutExpired as error:
        raise HotrowError(f"py-spy: not done after {patience:g} s") from error
    except OSError as error:
        raise HotrowError(f"py-spy: cannot be run ({error.strerror})") from error
    window = began, time.monotonic()
    if done.returncode or not file.exists():
        words = f"{done.stderr}{done.stdout}".strip()
        raise HotrowError(denied(words) or f"py-spy: {words.splitlines()[-1] if words else 'it wrote nothing'}")
    return within_step(collapsed(file.read_text(errors="replace"))), window


def speedscope(profile: StackProfile) -> dict[str, Any]:
    """The samples in the file format of speedscope.app."""
    frames = {frame: k for k, frame in enumerate(dict.fromkeys(f for stack in profile.stacks for f in stack))}
    weights = [count / profile.rate for count in profile.stacks.values()]
    return {
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "name": profile.name,
        "shared": {"frames": [{"name": frame} for frame in frames]},
        "profiles": [
            {
                "type": "sampled",
                "name": profile.name,
                "unit": "seconds",
                "startValue": 0,
                "endValue": sum(weights),
                "samples": [[frames[frame] for frame in stack] for stack in profile.stacks],
                "weights": weights,
            }
        ],
    }


def _perf(pid: int, seconds: float, folder: Path) -> tuple[tuple[Symbol, ...], list[str]]:
    """What perf sees of all threads, and why it saw nothing."""
    program = shutil.which("perf")
    if program is None:
        return (), ["perf is not installed: worker threads were not sampled"]
    data = folder / "perf.data"
    record = [program, "record", "-q", "-e", "cpu-clock", "-p", str(pid), "-o", str(data), "--", "sleep", str(seconds)]
    report = [program, "report", "--stdio", "-q", "-i", str(data), "--sort", "dso,symbol"]
    try:
        for command in (record, report):
            done = subprocess.run(command, capture_output=True, text=True, timeout=60 + 10 * seconds)
            if done.returncode:
                words = done.stderr.strip().splitlines()
                return (), [f"perf: {words[0] if words else 'it failed'}; worker threads were not sampled"]
    except subprocess.TimeoutExpired:
        return (), ["perf did not end in time; worker threads were not sampled"]
    return perf_symbols(done.stdout), []


def perf_symbols(text: str) -> tuple[Symbol, ...]:
    """Symbols of `perf report --stdio --sort dso,symbol`, largest first; generated code is one of them."""
    shares: dict[tuple[str, str], float] = {}
    for match in filter(None, map(PERF_LINE.match, text.splitlines())):
        share, library, name = match.groups()
        key = named(name), library
        shares[key] = shares.get(key, 0.0) + float(share) / 100
    ordered = sorted(shares.items(), key=lambda item: -item[1])
    return tuple(Symbol(share, name, library) for (name, library), share in ordered)


def _overhead(calls: NDArray[np.float64], alone: tuple[float, float], seen: tuple[float, float]) -> Measurement:
    """Median time of calls wholly inside each window, as a ratio."""
    took = calls[:, 1] - calls[:, 0]
    bare, sampled = (took[(calls[:, 0] >= begin) & (calls[:, 1] <= end)] for begin, end in (alone, seen))
    if not len(bare) or not len(sampled):
        raise HotrowError("no call of the step ended within the time it was sampled; sample for longer")
    rng = np.random.default_rng(0)
    value = float(np.median(sampled) / np.median(bare))
    draws = resampled_medians(sampled[-2000:], rng) / resampled_medians(bare[-2000:], rng)
    low, high = bounds(draws, value)
    return Measurement("py-spy overhead", value, low, high, "ratio", "measured", min(len(bare), len(sampled)))
