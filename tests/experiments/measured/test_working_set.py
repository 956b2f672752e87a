"""Grids and figures of a calibrated machine."""

from hotrow.experiments.measured.profile_figures import machine_figures
from hotrow.experiments.measured.working_set import grids
from hotrow.profiling.machine import CacheLevel, Calibration, Curve, Machine, MemoryTier
from hotrow.profiling.units import Quantity


def curve(what: str, **detail: str | int) -> Curve:
    return Curve(what, "x", "B/s", "avx2", 1, (1e6, 1e7), (2e9, 1e9), (1.9e9, 0.9e9), (2.1e9, 1.1e9), detail)


CURVES = (
    curve("latency", large_pages=0),
    curve("latency", large_pages=1),
    curve("read"),
    curve("gather", row_bytes=64),
    curve("gather", row_bytes=256),
    curve("products", library="MKL", precision="fp32", inputs=512, outputs=512),
)
MACHINE = Machine(
    "made up",
    "cpu",
    cores=Quantity(2),
    clock=Quantity(2, "GHz"),
    caches={"L1": CacheLevel(Quantity(32, "KiB"), effective=Quantity(30, "KiB", "measured", "", 29, 31))},
    memory={"DRAM": MemoryTier(Quantity(8, "GiB"), Quantity(20, "GB/s"))},
    calibration=Calibration("here", "Acme", "2026-11-24", 1.0, 0.0, curves=CURVES),
)


def test_grids_of_a_machine() -> None:
    numbers, levels, gathers, methods = grids(MACHINE)
    assert numbers.rows[0] == ("clock", "2 GHz, assumed", "")
    assert levels.rows == (("L1", "32 KiB", "30 KiB (29 … 31), measured", "–", "–"),)
    assert gathers.heads[1:] == ("64 B rows, GB/s", "256 B rows, GB/s")
    assert gathers.rows[1][1] == "1 (0.9 … 1.1)"
    assert [row[0] for row in methods.rows] == ["resctrl", "pirate"]


def test_figures_of_a_machine() -> None:
    made = machine_figures(MACHINE)
    assert set(made) == {"latency", "read", "gather", "products-1"}
    assert len(made["gather"].axes[0].get_lines()) == 2
