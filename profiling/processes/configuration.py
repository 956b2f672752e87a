"""Configuration: one way to run a workload, all that must be settled before torch is imported included."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from ... import HotrowError
from .. import resctrl
from ..isa import ISA_KNOBS, NATIVE, environment_for, why_not
from ..measurement import Fact

WaitPolicy = Literal["active", "passive"]

KNOBS = (
    *ISA_KNOBS,
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OMP_WAIT_POLICY",
    "GOMP_SPINCOUNT",
    "THP_MEM_ALLOC_ENABLE",
    "NUMPY_MADVISE_HUGEPAGE",
)


@dataclass(frozen=True, eq=False)
class Workload:
    """What a workload function returns.

    steps: by name, each called without arguments, timed one by one. output: a flat array of numbers to compare with
    the baseline's, or None. facts: circumstances that only the workload knows, such as its index distribution.
    device: "cpu" or "cuda"; steps on the latter are timed by CUDA events.
    """

    steps: Mapping[str, Callable[[], Any]]
    output: Callable[[], Any] | None = None
    facts: Mapping[str, Fact] = field(default_factory=dict)
    device: str = "cpu"


class Configuration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One way to run a workload.

    workload: "module:function", called with `arguments` in a process of its own; it returns a Workload.
    isa: widest SIMD that the libraries may use. threads: of torch. cpus: processors it is pinned to; None pins it to
    the least busy ones, () leaves it free. wait_policy: of OpenMP between parallel regions. huge_pages: True asks for
    transparent huge pages for torch's allocations, False forbids them to the process, None leaves it to the program.
    l3_ways: of the last cache, all if None. environment: further variables.
    """

    name: str
    workload: str
    arguments: dict[str, Any] = {}
    isa: str = NATIVE
    threads: int = 1
    cpus: tuple[int, ...] | None = None
    wait_policy: WaitPolicy | None = None
    huge_pages: bool | None = None
    l3_ways: int | None = None
    environment: dict[str, str] = {}

    def __post_init__(self) -> None:
        module, colon, function = self.workload.partition(":")
        if not (module and colon and function):
            raise HotrowError(f"workload {self.workload!r}; it must read module:function")

    def variables(self) -> dict[str, str]:
        """The child's environment: ours without any knob that is not set here."""
        ours = {name: value for name, value in os.environ.items() if name not in KNOBS}
        threads = str(self.threads)
        ours |= {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads} | environment_for(self.isa)
        if self.wait_policy is not None:
            ours["OMP_WAIT_POLICY"] = self.wait_policy.upper()
        if self.huge_pages:
            ours["THP_MEM_ALLOC_ENABLE"] = "1"
        return ours | self.environment

    def impossible(self, allowed: tuple[int, ...], simd: tuple[str, ...]) -> str | None:
        """Why this cannot run here, or None. allowed: processors we may use; simd: the processor's extensions."""
        if not 1 <= self.threads <= len(allowed):
            most = len(allowed)
            many = f"{most} processors, so choose 1 to {most}" if most > 1 else "1 processor, so choose 1"
            return f"{self.threads} threads; this process may use {many}"
        foreign = sorted(set(self.cpus or ()) - set(allowed))
        if foreign:
            return f"pinned to processors {foreign}; this process may use {list(allowed)}"
        if self.l3_ways is not None and (reason := resctrl.why_not()):
            return f"resctrl: {reason}"
        return why_not(self.isa, simd)


def allowed_cpus() -> tuple[int, ...]:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))
