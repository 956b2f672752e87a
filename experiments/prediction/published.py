"""Published checks: what others measured, beside what datasheets predict; nothing here is fitted but one utilisation.

Sources: operator split and GPU ratios: Gupta et al., DeepRecSys (ISCA 2020) and Hsia et al., Cross-Stack Workload
Characterization of Deep Recommendation Systems (arXiv 2010.05037), read off figures. Big Basin: Naumov et al. 2019
(arXiv 1906.00091). MLPerf inference v4.1, DLRM-DCNv2, offline, 99 %.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from ...analysis.predict import Prediction, predict
from ...analysis.prediction.coefficients import datasheet
from ...analysis.prediction.operators import Setting
from ...analysis.prediction.steps import Mode
from ...analysis.prediction.traffic import Traffic, traffic_of
from ...models.config import load_preset
from ...models.inputs import uniform_trace
from ...profiling.machine_files import load_machine
from ..grid import Grid

BATCHES = (1, 16, 64, 1024)
# model → FC and embedding in % of the time on one core of Skylake, by batch
SPLIT = {
    "rm1": ((58.6, 29.8), (29.8, 67.3), (19.5, 78.4), (19.1, 78.3)),
    "rm2": ((25.8, 70.0), (8.9, 90.3), (6.5, 92.4), (8.7, 89.7)),
    "rm3": ((97.5, 1.6), (95.8, 3.4), (94.3, 4.7), (93.3, 5.3)),
}
GPU_RATIO = {"rm1": (0.37, 0.83, 1.02, 1.11), "rm2": (0.44, 1.02, 1.19, 1.17), "rm3": (0.70, 1.83, 2.45, 3.13)}
BIG_BASIN = {"one socket": 256e-3, "one V100": 62e-3}  # seconds per training iteration of 2048
PAIRS = 270.0  # of a user with an item, mean of an MLPerf sample
PAIR_FLOPS = 32.06e6
# system → machine, devices, precision, samples per second
MLPERF = {
    "8 × H100": ("h100", 8, "fp8", 595_658.0),
    "8 × H200": ("h200", 8, "fp8", 637_342.0),
    "4 × L40S": ("l40s", 4, "fp8", 115_424.0),
    "GH200": ("gh200", 1, "fp8", 86_731.2),
    "two Xeon 8592+": ("emerald-rapids", 1, "int8", 9_949.2),
    "two Xeon 6980P": ("granite-rapids", 1, "int8", 18_326.6),
}
FITTED = "8 × H100"
UNIFORM_LOOKUPS = 1_000_000


@dataclass(frozen=True)
class Check:
    """One published number beside the predicted one; apart: percentage points, or % off for `unit` other than %."""

    what: str
    published: float
    predicted: float
    unit: str
    goal: float
    fitted: bool = False

    @property
    def apart(self) -> float:
        """Points apart, or % that the prediction is off."""
        if self.unit == "%":
            return self.predicted - self.published
        return 100 * (self.predicted / self.published - 1)

    @property
    def met(self) -> bool:
        """Whether it lies within its goal."""
        return abs(self.apart) <= self.goal


@cache
def _traffic(model: str, batch: int) -> Traffic:
    config = load_preset(model)
    return traffic_of(uniform_trace(config, max(batch, round(UNIFORM_LOOKUPS / config.lookups))), config, batch)


def _step(
    model: str, batch: int, machine: str, threads: int = 1, mode: Mode = "inference", native: bool = True
) -> Prediction:
    costs = datasheet(load_machine(machine), native=native)
    return predict(load_preset(model), _traffic(model, batch), costs, mode, Setting(threads))


def operator_split() -> tuple[Check, ...]:
    """FC and embedding in % of the step, on one core of Skylake under a C++ framework."""
    checks = []
    for model, published in SPLIT.items():
        for batch, pair in zip(BATCHES, published, strict=True):
            made = _step(model, batch, "skylake")
            layers = sum(each.seconds for each in made.operators if each.operator.kind == "linear")
            bags = made.by_role()["embedding"].seconds
            for what, value, seconds in zip(("FC", "embedding"), pair, (layers, bags), strict=True):
                checks.append(Check(f"{model}, batch {batch}, {what}", value, 100 * seconds / made.seconds, "%", 10))
    return tuple(checks)


def gpu_ratios(threads: int = 1) -> tuple[Check, ...]:
    """Skylake's time over that of a GTX 1080 Ti, end to end; `threads` of Skylake, which the source does not say."""
    checks = []
    for model, published in GPU_RATIO.items():
        for batch, value in zip(BATCHES, published, strict=True):
            ratio = _step(model, batch, "skylake", threads).seconds / _step(model, batch, "gtx-1080-ti").seconds
            checks.append(Check(f"{model}, batch {batch}", value, ratio, "×", 25))
    return tuple(checks)


def big_basin() -> tuple[Check, ...]:
    """Training iterations of 2048 of the benchmark's model on one socket and on one V100."""
    machine = load_machine("big-basin")
    made = {
        "one socket": _step("dlrm-benchmark", 2048, "big-basin", round(machine.cores.base), "training"),
        "one V100": _step("dlrm-benchmark", 2048, machine.accelerator, 1, "training"),
    }
    return tuple(
        Check(f"Big Basin, {what}", 1e3 * BIG_BASIN[what], 1e3 * step.seconds, "ms", 25) for what, step in made.items()
    )


def butterfly(devices: int) -> float:
    """Predicted seconds of the shuffle of a 2048 batch's pooled vectors between `devices` V100 over NVLink.

    Every device keeps 1/N of its tables' vectors and sends the rest, its share of the links used to the full.
    """
    config = load_preset("dlrm-benchmark")
    link = load_machine("v100").links["NVLink"]
    count = link.count.base if link.count else 1.0
    sent = 2048 * len(config.tables) * config.dim * 4 / devices * (devices - 1) / devices
    return (sent / (link.bandwidth.base * count) + (link.latency.base if link.latency else 0.0)) if devices > 1 else 0.0


def mlperf() -> tuple[Check, ...]:
    """Offline samples per second at the utilisation that 8 × H100 reached; the rest is predicted with it."""
    share = MLPERF[FITTED][3] / _mlperf_peak(FITTED)
    return tuple(
        Check(f"MLPerf DCNv2, {system}", value[3], share * _mlperf_peak(system), "samples/s", 25, system == FITTED)
        for system, value in MLPERF.items()
    )


def _mlperf_peak(system: str) -> float:
    """Samples per second of a system whose matrix units never wait."""
    name, devices, precision, _ = MLPERF[system]
    return devices * load_machine(name).peak(precision) / (PAIRS * PAIR_FLOPS)  # type: ignore[arg-type]


def grids() -> tuple[Grid, ...]:
    """Every check, and what the butterfly shuffle is predicted to take."""
    made: tuple[tuple[str, Callable[[], tuple[Check, ...]]], ...] = (
        ("Operator split on one core of Skylake", operator_split),
        ("Skylake over GTX 1080 Ti, one thread", gpu_ratios),
        ("The same with 20 threads", lambda: gpu_ratios(20)),
        ("Big Basin, training", big_basin),
        ("MLPerf inference v4.1", mlperf),
    )
    shuffles = tuple((f"{n}", f"{1e6 * butterfly(n):.0f} µs") for n in (1, 2, 4, 8))
    shuffle = Grid("Butterfly shuffle on Big Basin, batch 2048", ("devices", "time"), shuffles, "predicted")
    return (*(_grid(caption, checks()) for caption, checks in made), shuffle)


def _grid(caption: str, checks: tuple[Check, ...]) -> Grid:
    met = sum(check.met for check in checks if not check.fitted)
    rows = tuple(
        (
            check.what,
            f"{check.published:,.4g} {check.unit}",
            f"{check.predicted:,.4g} {check.unit}",
            f"{check.apart:+.0f}{' points' if check.unit == '%' else ' %'}",
            "fitted" if check.fitted else "yes" if check.met else "no",
        )
        for check in checks
    )
    heads = ("what", "published", "predicted", "off by", f"within {checks[0].goal:g}")
    return Grid(f"{caption}: {met} of {sum(not c.fitted for c in checks)} met", heads, rows, "predicted")
