"""Where one device overtakes another."""

import pytest

from hotrow.experiments.measured.axis_points import AxisPoint
from hotrow.experiments.measured.crossover import crossover
from hotrow.profiling.measurement import Measurement


def points(ratios: dict[int, tuple[float, float, float]]) -> list[AxisPoint]:
    return [
        AxisPoint("device", "cuda", f"forward {batch}", speedup=Measurement("s", v, low, high, "ratio", "measured", 3))
        for batch, (low, v, high) in ratios.items()
    ]


def test_the_crossing_and_its_interval() -> None:
    found = crossover(points({64: (3.5, 4, 4.5), 1: (0.2, 0.25, 0.5), 16: (1.0, 2, 4)}))
    assert found.batch == pytest.approx(16 ** (2 / 3))
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.batch < found.high == pytest.approx(16)


def test_no_crossing() -> None:
    for ratio in (0.5, 2.0):
        assert crossover(points({1: (ratio,) * 3, 64: (ratio,) * 3})).batch is None
    assert crossover([AxisPoint("device", "cuda", "forward 1", failure="no device")]).batch is None
