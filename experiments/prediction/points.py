"""Points: the frozen list measured on this host, process by process, in a file that is carried on with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import numpy as np

from ... import HotrowError
from ...atomic import replacing
from ...profiling.host import host_facts
from ...profiling.processes.child import Result, StepRun
from ...profiling.processes.configuration import Configuration
from ...profiling.processes.runner import Failure, Plan, run_once
from ...profiling.timer import FEWEST
from ...progress import Advance, ignore
from .frozen import DEVELOP_TRACES, TEST_TRACES, frozen
from .streams import write_traces

PROCESSES = {"bags": 9, "layers": 5, "models": 5, "interactions": 5}
KINDS = tuple(PROCESSES)
PIECE = {"bags": 100, "layers": 84, "models": 8}  # configurations in one process
PLAN = Plan(seconds=0.04, patience=0.12, least=10, most=200, deadline=240)


class Points(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Seconds per call of every configuration: one median of undisturbed repeats per process.

    done: pieces by name and round, so that none is measured twice. Linear layers are called "library name".
    """

    node: str
    cpu: str
    versions: dict[str, str | None]
    seconds: dict[str, list[float]] = {}
    done: list[str] = []
    failures: dict[str, str] = {}

    def value(self, name: str) -> float | None:
        """The median over processes, None where it was not measured."""
        values = self.seconds.get(name)
        return float(np.median(values)) if values else None

    def spread(self) -> float:
        """exp(mean |ln(process / median of processes)|) − 1: what two processes of one configuration differ by."""
        logs = [abs(np.log(np.array(each) / np.median(each))).mean() for each in self.seconds.values() if len(each) > 2]
        return float(np.expm1(np.mean(logs))) if logs else float("nan")


def pieces() -> dict[str, tuple[str, Configuration]]:
    """Every piece that runs in one process, by name: its kind and its configuration, traces still to be named."""
    listed = frozen()
    made: dict[str, tuple[str, Configuration]] = {}
    for kind, chosen in (("bags", listed.bags), ("models", listed.models)):
        names = [each.name for each in chosen]
        for k, start in enumerate(range(0, len(names), PIECE[kind])):
            part = names[start : start + PIECE[kind]]
            made[f"{kind} {k}"] = (kind, _configuration(f"{kind} {k}", kind, part))
    names = [layer.name for layer in listed.layers]
    for library in ("MKL", "oneDNN"):
        made[f"layers {library}"] = ("layers", _configuration(f"layers {library}", "layers", names, library=library))
    made["interactions"] = ("interactions", Configuration("interactions", f"{__package__}.workloads:interactions"))
    return made


def _configuration(name: str, function: str, names: Sequence[str], **arguments: str) -> Configuration:
    module = f"{__package__}.workloads"
    return Configuration(name, f"{module}:{function}", {"names": list(names), **arguments})


def load(path: Path) -> Points:
    """The points of this host in `path`, none where there is no such file; HotrowError where they are another's."""
    host = host_facts()
    if not path.exists():
        return Points(host.node, host.cpu or "unknown", host.packages)
    try:
        points = msgspec.json.decode(path.read_bytes(), type=Points)
    except ValueError as error:
        raise HotrowError(f"{path}: not measured points: {error}") from error
    if (points.node, points.cpu) != (host.node, host.cpu or "unknown"):
        raise HotrowError(f"{path}: measured on {points.node} ({points.cpu}), not here; choose another --out")
    return points


def measure(
    folder: Path,
    kinds: Iterable[str] = KINDS,
    traces: Path | None = None,
    plan: Plan = PLAN,
    advance: Advance = ignore,
) -> Points:
    """Measure what `folder`/points.json lacks of these kinds, one process at a time, and keep it after each.

    traces: a folder with real traces. `advance` is called after every process.
    """
    kinds = set(kinds)
    kept = write_traces((*DEVELOP_TRACES, *TEST_TRACES), folder / "traces.npz", traces).absolute()
    points = load(folder / "points.json")
    for number in range(max(PROCESSES.values())):
        for name, (kind, configuration) in pieces().items():
            key = f"{name}, round {number}"
            if kind not in kinds or number >= PROCESSES[kind] or key in points.done:
                continue
            made = run_once(_with_traces(configuration, kind, kept), plan, number)
            points = _extended(points, key, name, made)
            with replacing(folder / "points.json") as beside:
                beside.write_bytes(msgspec.json.format(msgspec.json.encode(points), indent=0))
            advance(1)
    return points


def steps(points: Points, kinds: Iterable[str] = KINDS) -> int:
    """Processes that measure() would still start."""
    return sum(
        f"{name}, round {number}" not in points.done
        for name, (kind, _) in pieces().items()
        if kind in set(kinds)
        for number in range(PROCESSES[kind])
    )


def _with_traces(configuration: Configuration, kind: str, traces: Path) -> Configuration:
    if kind not in ("bags", "models"):
        return configuration
    return msgspec.structs.replace(configuration, arguments=configuration.arguments | {"traces": str(traces)})


def _extended(points: Points, key: str, name: str, made: Result | Failure) -> Points:
    if isinstance(made, Failure):
        return msgspec.structs.replace(points, failures=points.failures | {key: made.reason}, done=[*points.done, key])
    prefix = f"{name.split()[1]} " if name.startswith("layers") else ""
    seconds = {step: list(values) for step, values in points.seconds.items()}
    for run in made.steps:
        seconds.setdefault(f"{prefix}{run.name}", []).append(_median(run))
    return msgspec.structs.replace(points, seconds=seconds, done=[*points.done, key])


def _median(run: StepRun) -> float:
    wall, undisturbed = np.array(run.wall), np.array(run.undisturbed)
    return float(np.median(wall[undisturbed] if undisturbed.sum() >= FEWEST else wall))
