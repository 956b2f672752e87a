"""Published checks: what others measured, beside what datasheets predict; what is fitted is said to be.

Sources: operator split and GPU ratios: Gupta et al., DeepRecSys (ISCA 2020) and Hsia et al., Cross-Stack Workload
Characterization of Deep Recommendation Systems (arXiv 2010.05037), read off figures; what was timed: the programs at
github.com/harvard-acc/DeepRecSys. Big Basin: Naumov et al. 2019 (arXiv 1906.00091), github.com/facebookresearch/dlrm.
MLPerf inference v4.1, DLRM-DCNv2, offline, 99 %.
"""

from __future__ import annotations

from collections.abc import Sequence
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
BIG_BATCH = 2048
CALL_FITTED = ("rm1", 1)
FEEDING_FITTED = ("rm1", 1024)
CUBE_MESH = {2: (0.5, 1), 4: (1.0, 1), 8: (2.0, 2)}  # devices → parts that the busiest link carries, links in a row
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
XEON = "two Xeon 8592+"
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


def operator_split(call: float = 0.0) -> tuple[Check, ...]:
    """FC and embedding in % of the step, on one core of Skylake under a C++ framework.

    call: seconds that every call of a layer takes beside what is assumed.
    """
    checks = []
    for model, published in SPLIT.items():
        for batch, pair in zip(BATCHES, published, strict=True):
            layers, count, bags, whole = _parts(model, batch)
            shares = (layers + count * call, bags)
            fitted = call > 0 and (model, batch) == CALL_FITTED
            for what, value, seconds in zip(("FC", "embedding"), pair, shares, strict=True):
                share = 100 * seconds / (whole + count * call)
                checks.append(Check(f"{model}, batch {batch}, {what}", value, share, "%", 10, fitted))
    return tuple(checks)


def layer_call() -> float:
    """Seconds more per call of a layer with which the share of FC of CALL_FITTED comes out as published."""
    model, batch = CALL_FITTED
    share = SPLIT[model][BATCHES.index(batch)][0] / 100
    layers, count, _, whole = _parts(model, batch)
    return (share * whole - layers) / (count * (1 - share))


def _parts(model: str, batch: int) -> tuple[float, int, float, float]:
    """Seconds of layers, how many there are, seconds of bags and of the whole step, on one core of Skylake."""
    made = _step(model, batch, "skylake")
    layers = [each.seconds for each in made.operators if each.operator.kind == "linear"]
    return sum(layers), len(layers), made.by_role()["embedding"].seconds, made.seconds


def gpu_ratios(threads: int = 1, per_id: float = 0.0) -> tuple[Check, ...]:
    """Skylake's time over that of a GTX 1080 Ti, end to end; `threads` of Skylake, which the source does not say.

    per_id: seconds that either program takes to turn a list of ids into an array, as it does in every iteration.
    """
    checks = []
    for model, published in GPU_RATIO.items():
        for batch, value in zip(BATCHES, published, strict=True):
            feeding = per_id * batch * load_preset(model).lookups
            cpu = _step(model, batch, "skylake", threads).seconds
            ratio = (cpu + feeding) / (_step(model, batch, "gtx-1080-ti").seconds + feeding)
            fitted = per_id > 0 and (model, batch) == FEEDING_FITTED
            checks.append(Check(f"{model}, batch {batch}", value, ratio, "×", 25, fitted))
    return tuple(checks)


def feeding_per_id() -> float:
    """Seconds per id with which the ratio of FEEDING_FITTED comes out as published."""
    model, batch = FEEDING_FITTED
    published = GPU_RATIO[model][BATCHES.index(batch)]
    cpu, gpu = _step(model, batch, "skylake").seconds, _step(model, batch, "gtx-1080-ti").seconds
    return (cpu - published * gpu) / (published - 1) / (batch * load_preset(model).lookups)


def big_basin(per_id: float = 0.0) -> tuple[Check, ...]:
    """Training iterations of 2048 of the benchmark's model on one socket and on one V100; per_id: as in gpu_ratios."""
    machine = load_machine("big-basin")
    made = {
        "one socket": _step("dlrm-benchmark", BIG_BATCH, "big-basin", round(machine.cores.base), "training"),
        "one V100": _step("dlrm-benchmark", BIG_BATCH, machine.accelerator, 1, "training"),
    }
    feeding = 1e3 * per_id * BIG_BATCH * load_preset("dlrm-benchmark").lookups
    return tuple(
        Check(
            f"Big Basin, {what}",
            1e3 * BIG_BASIN[what],
            1e3 * step.seconds + feeding,
            "ms",
            25,
            per_id > 0 and what == "one V100",
        )
        for what, step in made.items()
    )


def big_basin_per_id() -> float:
    """Seconds per id with which the V100's iteration comes out as published."""
    step = _step("dlrm-benchmark", BIG_BATCH, "v100", 1, "training")
    return (BIG_BASIN["one V100"] - step.seconds) / (BIG_BATCH * load_preset("dlrm-benchmark").lookups)


def butterfly(devices: int) -> float:
    """Predicted seconds of the shuffle of a batch's pooled vectors between `devices` V100; no one published it.

    Every device sends an equal part of its tables' vectors to each other one, all at once over the links between the
    two. In a hybrid cube mesh two neighbours share two links, a quad's furthest pair one, and from eight on the pairs
    without a link send through a neighbour, so that a single link carries two parts (NVIDIA WP-08437).
    """
    if devices == 1:
        return 0.0
    config, link = load_preset("dlrm-benchmark"), load_machine("v100").links["NVLink"]
    part = BIG_BATCH * len(config.tables) * config.dim * 4 / devices**2
    parts_per_link, hops = CUBE_MESH[devices]
    return hops * (link.latency.base if link.latency else 0.0) + parts_per_link * part / link.bandwidth.base


def mlperf(fitted: str = FITTED, systems: Sequence[str] = tuple(MLPERF)) -> tuple[Check, ...]:
    """Offline samples per second at the utilisation that the system `fitted` reached; the rest is predicted with it."""
    share = MLPERF[fitted][3] / _mlperf_peak(fitted)
    return tuple(
        Check(
            f"MLPerf DCNv2, {system}",
            MLPERF[system][3],
            share * _mlperf_peak(system),
            "samples/s",
            25,
            system == fitted,
        )
        for system in systems
    )


def _mlperf_peak(system: str) -> float:
    """Samples per second of a system whose matrix units never wait."""
    name, devices, precision, _ = MLPERF[system]
    return devices * load_machine(name).peak(precision) / (PAIRS * PAIR_FLOPS)  # type: ignore[arg-type]


def grids() -> tuple[Grid, ...]:
    """Every check, and what the butterfly shuffle is predicted to take."""
    call, per_id, on_v100 = layer_call(), feeding_per_id(), big_basin_per_id()
    made: tuple[tuple[str, tuple[Check, ...]], ...] = (
        ("Operator split on one core of Skylake", operator_split()),
        (f"The same, every call of a layer {1e6 * call:.1f} µs longer", operator_split(call)),
        ("Skylake over GTX 1080 Ti, operators alone, one thread", gpu_ratios()),
        ("The same with 20 threads", gpu_ratios(20)),
        (f"The same, one thread, and {1e9 * per_id:.0f} ns per id to make inputs", gpu_ratios(1, per_id)),
        ("Big Basin, training, operators alone", big_basin()),
        (f"The same and {1e9 * on_v100:.0f} ns per id to make inputs", big_basin(on_v100)),
        ("MLPerf inference v4.1", mlperf()),
        ("The same, Xeons by a Xeon's utilisation", mlperf(XEON, (XEON, "two Xeon 6980P"))),
    )
    shuffles = tuple((f"{n}", f"{1e6 * butterfly(n):.0f} µs") for n in (1, 2, 4, 8))
    shuffle = Grid("Butterfly shuffle on Big Basin, batch 2048", ("devices", "time"), shuffles, "predicted")
    return (*(_grid(caption, checks) for caption, checks in made), shuffle)


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
