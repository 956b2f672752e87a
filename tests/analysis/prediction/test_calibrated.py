"""Calibrated machines: coefficients come from measured curves, and predict what made them."""

import msgspec
import numba
import pytest

from hotrow import HotrowError
from hotrow.analysis.prediction.calibrated import BAG_DIM, GATHERED, POOLING, calibrated, costs_of
from hotrow.analysis.prediction.coefficients import datasheet
from hotrow.analysis.prediction.fitting import LinearPoint, gather_seconds, linear_seconds
from hotrow.profiling.machine import Calibration, Curve, Machine
from hotrow.profiling.machine_files import load_machine

pytestmark = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="minutes in the interpreter")

MIB = 2.0**20


def curve(what: str, over: str, unit: str, at: tuple[float, ...], value: list[float], **detail: str | int) -> Curve:
    values = tuple(value)
    return Curve(what, over, unit, "avx512", 1, at, values, values, values, dict(detail))


@pytest.fixture(scope="module")
def machine() -> Machine:
    """Gathers at 5 and 20 GB/s below and above 16 MiB, calls of 2 µs, layers at 80 GFLOP/s."""
    tables = (1 * MIB, 4 * MIB, 64 * MIB, 256 * MIB)
    gathers = [
        curve("gather", "bytes of table", "B/s", tables, [2e10, 2e10, 5e9, 5e9], row_bytes=row) for row in (64, 256)
    ]
    bags = (1.0, 16.0, 256.0)
    calls = curve("bags", "bags of one row", "s", bags, [2e-6 + 2e-9 * count for count in bags])
    batches = (1.0, 16.0, 256.0)
    layers = [
        curve(
            "products", "batch", "FLOP/s", batches, [8e9, 4e10, 8e10],
            library="MKL", precision="fp32", inputs=width, outputs=width,
        )
        for width in (64, 256, 512, 1024)
    ]  # fmt: skip
    made = Calibration("here", "some processor", "2026", 100.0, 0.0, curves=(*gathers, calls, *layers))
    return msgspec.structs.replace(load_machine("genoa"), name="measured", calibration=made)


def test_a_calibration_gives_what_its_curves_say(machine: Machine) -> None:
    costs = costs_of(machine)
    assert (costs.mode, costs.machine) == ("calibrated", "measured")
    assert costs.gather.call == pytest.approx(2e-6, rel=0.3)
    wide = linear_seconds(costs, LinearPoint(256, 512, 512, 1.0))
    assert 2 * 256 * 512 * 512 / wide == pytest.approx(8e10, rel=0.4)
    low, high = costs.spread.gather
    assert low < 1 < high


def test_near_tables_are_quicker_than_far_ones(machine: Machine) -> None:
    from hotrow.analysis.prediction.calibrated import _gathers

    assert machine.calibration is not None
    costs = calibrated(machine)
    near, _, _, far = _gathers(machine.calibration.curves[1])
    times = [sum(gather_seconds(costs, point)[0].values()) for point in (near, far)]
    assert times[1] > 1.5 * times[0]
    assert near.operator.k * 4 * near.operator.n <= GATHERED
    assert near.operator.k % POOLING == 0
    assert BAG_DIM * 4 == 64


def test_a_machine_without_curves_is_taken_by_its_datasheet() -> None:
    machine = load_machine("genoa")
    assert costs_of(machine) == datasheet(machine)
    empty = Calibration("here", "some processor", "2026", 1.0, 0.0)
    assert costs_of(msgspec.structs.replace(machine, calibration=empty)).mode == "datasheet"
    with pytest.raises(HotrowError, match="holds no gathers and layers"):
        calibrated(msgspec.structs.replace(machine, calibration=empty))
