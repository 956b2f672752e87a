"""Cache size as an axis: resctrl where the kernel has it, a pirate only where its own test shows that it works.

A pirate (Eklov, Nikoleris, Black-Schaffer, Hagersten 2011, "Cache Pirating") keeps part of a shared cache for itself
by walking over it without end. Virtual processors often do not share the cache they seem to; so before a pirate is
believed, a probe beside it must become slower with every dose. Otherwise the reason is said and nothing is measured.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from ... import HotrowError
from ..host import host_facts
from ..processes.configuration import Configuration, allowed_cpus
from ..processes.runner import Failure, Plan, run_once
from ..profilers.py_spy import spinning
from ..resctrl import RESCTRL, why_not

DOSES = (0.0, 0.25, 0.5, 0.75)  # of the cache
WORKS = 1.3  # times: how much slower the probe must be at the highest dose than without
SLACK = 0.97  # a dose's time may be this much below the one before: noise
PROBE_PLAN = Plan(processes=1, seconds=0.3, patience=2.0, deadline=60)


@dataclass(frozen=True)
class Method:
    """A way to make a cache smaller, and whether it works here; `reason` says why not, or how it was shown."""

    name: str
    works: bool
    reason: str


def methods(root: Path = RESCTRL, self_test: bool = False) -> tuple[Method, ...]:
    """Both ways on this machine; the pirate's self-test, which takes about ten seconds, only where asked for."""
    pirate = pirate_method() if self_test else Method("pirate", False, "its self-test was not run")
    return resctrl_method(root), pirate


def resctrl_method(root: Path = RESCTRL) -> Method:
    """Whether the kernel's cache allocation can be used."""
    reason = why_not(root)
    return Method("resctrl", reason is None, reason or "the kernel limits the ways of L3")


def pirate_method() -> Method:
    """Run the self-test: a probe of half of the last level beside a pirate at every dose."""
    size = max((cache.bytes or 0 for cache in host_facts().caches), default=0)
    cpus = allowed_cpus()
    if len(cpus) < 2 or not size:
        return Method("pirate", False, "it needs a second processor and a cache whose size the system reports")
    probe = Configuration("probe", f"{__package__}.probes:latency", {"working_sets": [size // 2]}, cpus=cpus[:1])

    def at(dose: float) -> float:
        with pirate(round(dose * size), cpus[1]):
            made = run_once(probe, PROBE_PLAN)
        if isinstance(made, Failure):
            raise HotrowError(f"the probe failed: {made.reason}")
        return float(np.median(made.steps[0].wall))

    try:
        return judged(DOSES, [at(dose) for dose in DOSES])
    except HotrowError as error:
        return Method("pirate", False, str(error))


def judged(doses: Sequence[float], seconds: Sequence[float]) -> Method:
    """Whether the probe's seconds rise with the dose, and by enough."""
    words = ", ".join(f"{dose:.0%}: {s / seconds[0]:.2f}×" for dose, s in zip(doses, seconds, strict=True))
    rises = all(after >= SLACK * before for before, after in pairwise(seconds))
    if rises and seconds[-1] >= WORKS * seconds[0]:
        return Method("pirate", True, f"the probe slows down with the dose ({words})")
    return Method("pirate", False, f"no dose response ({words}): the processors hardly share this cache")


@contextmanager
def pirate(size: int, cpu: int) -> Iterator[None]:
    """A process on `cpu` that keeps walking over `size` bytes; none for 0."""
    if not size:
        yield
        return
    walker = Configuration("pirate", f"{__package__}.probes:latency", {"working_sets": [size]}, cpus=(cpu,))
    with tempfile.TemporaryDirectory(prefix="hotrow-") as folder, spinning(walker, "", Path(folder), 60.0):
        yield
