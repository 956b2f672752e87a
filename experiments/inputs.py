"""Inputs: a model and a trace, each by its name, brought together as every question about both begins."""

from __future__ import annotations

from pathlib import Path

from ..analysis.prediction.traffic import on_model
from ..models.config import ModelConfig, for_trace, load_preset
from ..models.inputs import uniform_trace
from ..profiling.machine import Machine
from ..profiling.machine_files import load_machine
from ..tracegen import files
from ..tracegen.generate import generate
from ..tracegen.profile import built_in
from ..tracegen.published import load_profile
from ..tracegen.trace import Trace

UNIFORM = "uniform"
LOOKUPS = 1_000_000  # of a trace, about, that questions are answered from
PROBE = 256  # samples that tell how many lookups one has


def inputs(
    model: str,
    trace: str | None = None,
    scale: float = 1.0,
    lookups: int | None = LOOKUPS,
    samples: int = 1,
    seed: int = 0,
    folder: Path = Path(),
) -> tuple[ModelConfig, Trace]:
    """A preset's MLPs on a trace's tables; or its own tables and uniform ids where no trace is named.

    model, trace: built-in names, or files from `folder`. lookups: about so many are taken, and at least `samples`
    samples, of a file as far as it goes; None takes the whole file. Ids are taken modulo the model's rows.
    """
    path = folder / model
    config = load_preset(path if path.is_file() else model)
    if trace is None or trace == UNIFORM:
        scaled = config.scaled(scale)
        return scaled, uniform_trace(scaled, _enough(lookups, sum(t.pooling for t in scaled.tables), samples), seed)
    if trace in built_in():
        profile = load_profile(trace, len(config.tables))
        each = generate(profile, PROBE, seed).accesses / PROBE
        whole = part = generate(profile, _enough(lookups, each, samples), seed)
    else:
        whole = part = files.read(folder / trace)
        if lookups is not None:
            enough = _enough(lookups, whole.accesses / max(whole.samples, 1), samples)
            part = whole.samples_between(0, min(whole.samples, enough))
    placed = for_trace(config, whole).scaled(scale)
    return placed, on_model(part, placed)


def _enough(lookups: int | None, each: float, samples: int) -> int:
    """Samples of about so many lookups."""
    return max(1, samples, round((LOOKUPS if lookups is None else lookups) / max(each, 1e-9)))


def machine(name: str, folder: Path = Path()) -> Machine:
    """A machine that ships with hotrow, or of a file from `folder`."""
    path = folder / name
    return load_machine(path if path.is_file() else name)
