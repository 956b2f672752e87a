"""Ceilings of a calibrated machine over a model's parts; refused for another host or too little calibration."""

import dataclasses

import msgspec
import pytest

from hotrow import HotrowError
from hotrow.experiments.measured.bottlenecks import RoleRate
from hotrow.experiments.measured.ceilings import Ceilings, ceilings, figures, grid
from hotrow.experiments.measured.profile_study import ModelProfile, StepProfile
from hotrow.models.cost import OperatorCost
from hotrow.profiling.host import host_facts
from hotrow.profiling.machine import CacheLevel, Calibration, Curve, Machine, MemoryTier
from hotrow.profiling.measurement import Interval
from hotrow.profiling.units import Quantity

HOST = host_facts()
FOUND = Ceilings("m", 1, (("fp32 avx2, oneDNN", 2e11),), (("stream from cache", 1e11), ("stream from memory", 1e10)))


def curve(what: str, value: tuple[float, ...], threads: int = 1, **detail: str | int) -> Curve:
    at = tuple(10.0**k for k in range(len(value)))
    return Curve(what, "x", "B/s", "avx2", threads, at, value, value, value, detail)


def machine(*curves: Curve, node: str = HOST.node) -> Machine:
    return Machine(
        "m",
        "cpu",
        cores=Quantity(2),
        clock=Quantity(2, "GHz"),
        caches={"L1": CacheLevel(Quantity(32, "KiB"))},
        memory={"DRAM": MemoryTier(Quantity(8, "GiB"), Quantity(20, "GB/s"))},
        calibration=Calibration(node, HOST.cpu or "unknown", "2026-11-24", 1.0, 0.0, curves=curves),
    )


CURVES = (
    curve("products", (1e10, 5e10), library="MKL", precision="fp32", inputs=512, outputs=512),
    curve("products", (2e10, 9e10), library="oneDNN", precision="fp32", inputs=512, outputs=512),
    curve("stream", (8e10, 1e10)),
    curve("gather", (6e10, 5e9), row_bytes=64),
    curve("gather", (7e10, 2e10), row_bytes=256),
)


def test_ceilings_are_the_fastest_that_was_measured() -> None:
    found = ceilings(machine(*CURVES), HOST, 1, "fp32", 100)
    assert found.roofs == (("fp32 avx2, oneDNN", 9e10),)
    assert found.slopes == (
        ("stream from cache", 8e10),
        ("stream from memory", 1e10),
        ("gather of 64 B rows from memory", 5e9),
    )


def test_what_is_refused() -> None:
    with pytest.raises(HotrowError, match="calibrated on elsewhere"):
        ceilings(machine(*CURVES, node="elsewhere"), HOST, 1, "fp32", 64)
    with pytest.raises(HotrowError, match="not calibrated with 2 threads"):
        ceilings(machine(*CURVES), HOST, 2, "fp32", 64)
    with pytest.raises(HotrowError, match="in bf16"):
        ceilings(machine(*CURVES), HOST, 1, "bf16", 64)
    with pytest.raises(HotrowError, match="hotrow calibrate"):
        ceilings(msgspec.structs.replace(machine(), calibration=None), HOST, 1, "fp32", 64)


@dataclasses.dataclass(frozen=True)
class Step:
    mode: str
    batch: int
    rates: tuple[RoleRate, ...]


def test_parts_under_their_ceilings() -> None:
    seconds = Interval(1e-3, 0.9e-3, 1.1e-3)
    cost = OperatorCost("top", "top", "linear", multiply_adds=5e6, read=1e5, written=1e5)
    rate = RoleRate("top", Interval(1, 1, 1), seconds, cost)
    step: StepProfile = Step("inference", 16, (rate,))  # type: ignore[assignment]
    profile = ModelProfile("tiny", (step,), (), None, ())
    (row,) = grid(profile, FOUND).rows
    assert row == ("inference 16", "top MLP", "50", "10", "200", "5%", "arithmetic")
    made = figures(profile, FOUND)
    assert set(made) == {"roofline-inference"}
    assert "FLOP per byte" in made["roofline-inference"].axes[0].get_xlabel()
