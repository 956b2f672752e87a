"""Points: the frozen list measured on this host, process by process, in a file that is carried on with."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from ... import HotrowError
from ...atomic import replacing
from ...profiling.colocation import together
from ...profiling.host import host_facts
from ...profiling.processes.child import StepRun
from ...profiling.processes.configuration import Configuration
from ...profiling.processes.runner import Failure, Plan, run_once
from ...profiling.timer import FEWEST
from ...progress import Advance, ignore
from .frozen import DEVELOP_TRACES, TEST_TRACES, frozen
from .streams import write_traces

PROCESSES = {"bags": 9, "layers": 5, "models": 5, "interactions": 5, "phases": 3, "threads": 3, "neighbours": 3}
KINDS = tuple(PROCESSES)
PIECE = {"bags": 100, "layers": 84, "models": 8, "phases": 4, "threads": 10}  # configurations in one process
SIDE = 2  # threads of one model, or models side by side
SERVED = 0.7  # seconds that models run side by side
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


@dataclass(frozen=True)
class Piece:
    """What runs in one process, or in SIDE of them at once; prefix: of its steps' names among the points."""

    kind: str
    configuration: Configuration
    prefix: str = ""


def pieces() -> dict[str, Piece]:
    """Every piece by name; traces are still to be named."""
    listed = frozen()
    made: dict[str, Piece] = {}
    training = [model.name for model in listed.models if model.mode == "training"]
    inference = [model.name for model in listed.models if (model.mode, model.part) == ("inference", "test")]
    groups = {
        "bags": [bag.name for bag in listed.bags],
        "models": [model.name for model in listed.models],
        "phases": training,
        "threads": inference,
    }
    for kind, names in groups.items():
        for k, start in enumerate(range(0, len(names), PIECE[kind])):
            part = names[start : start + PIECE[kind]]
            made[f"{kind} {k}"] = _piece(kind, f"{kind} {k}", part)
    for name in inference:
        made[f"neighbours {name}"] = _piece("neighbours", name, [name])
    names = [layer.name for layer in listed.layers]
    for library in ("MKL", "oneDNN"):
        made[f"layers {library}"] = _piece("layers", f"layers {library}", names, library=library)
    made["interactions"] = Piece("interactions", Configuration("interactions", f"{__package__}.workloads:interactions"))
    return made


def _piece(kind: str, name: str, names: Sequence[str], **arguments: str) -> Piece:
    function = {"threads": "models", "neighbours": "models"}.get(kind, kind)
    module = f"{__package__}.{'phases' if kind == 'phases' else 'workloads'}"
    threads = SIDE if kind == "threads" else 1
    prefix = {"threads": f"{SIDE} threads ", "neighbours": f"{SIDE} models "}.get(kind, "")
    if "library" in arguments:
        prefix = f"{arguments['library']} "
    named = {"names": list(names), **arguments}
    return Piece(kind, Configuration(name, f"{module}:{function}", named, threads=threads), prefix)


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
    budget: float = math.inf,
    advance: Advance = ignore,
) -> Points:
    """Measure what `folder`/points.json lacks of these kinds, one process at a time, and keep it after each.

    traces: a folder with real traces. budget: seconds after which no further process starts; the next call carries on.
    `advance` is called after every process.
    """
    kinds, end = set(kinds), time.monotonic() + budget
    kept = write_traces((*DEVELOP_TRACES, *TEST_TRACES), folder / "traces.npz", traces).absolute()
    points = load(folder / "points.json")
    for number in range(max(PROCESSES.values())):
        for name, piece in pieces().items():
            key = f"{name}, round {number}"
            if piece.kind not in kinds or number >= PROCESSES[piece.kind] or key in points.done:
                continue
            if time.monotonic() > end:
                return points
            points = _extended(points, key, piece.prefix, _run(piece, kept, plan, number))
            with replacing(folder / "points.json") as beside:
                beside.write_bytes(msgspec.json.format(msgspec.json.encode(points), indent=0))
            advance(1)
    return points


def steps(points: Points, kinds: Iterable[str] = KINDS) -> int:
    """Processes that measure() would still start."""
    return sum(
        f"{name}, round {number}" not in points.done
        for name, piece in pieces().items()
        if piece.kind in set(kinds)
        for number in range(PROCESSES[piece.kind])
    )


def _run(piece: Piece, traces: Path, plan: Plan, number: int) -> dict[str, float] | Failure:
    """Seconds by step."""
    configuration = piece.configuration
    if piece.kind in ("bags", "models", "phases", "threads", "neighbours"):
        arguments = configuration.arguments | {"traces": str(traces)}
        configuration = msgspec.structs.replace(configuration, arguments=arguments)
    if piece.kind == "neighbours":
        try:
            ran = together(configuration, SIDE, seconds=SERVED, seed=number)
        except HotrowError as error:
            return Failure(str(error))
        return {configuration.name: float(np.median(np.concatenate([model.service for model in ran.models])))}
    made = run_once(configuration, plan, number)
    return made if isinstance(made, Failure) else {run.name: _median(run) for run in made.steps}


def _extended(points: Points, key: str, prefix: str, made: dict[str, float] | Failure) -> Points:
    if isinstance(made, Failure):
        return msgspec.structs.replace(points, failures=points.failures | {key: made.reason}, done=[*points.done, key])
    seconds = {step: list(values) for step, values in points.seconds.items()}
    for step, value in made.items():
        seconds.setdefault(f"{prefix}{step}", []).append(value)
    return msgspec.structs.replace(points, seconds=seconds, done=[*points.done, key])


def _median(run: StepRun) -> float:
    wall, undisturbed = np.array(run.wall), np.array(run.undisturbed)
    return float(np.median(wall[undisturbed] if undisturbed.sum() >= FEWEST else wall))
