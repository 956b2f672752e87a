"""Readings: the numbers of a calibration's runs as curves, levels, costs and peaks, each with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from ..machine import Compute, Curve, TlbLevel
from ..processes.runner import Outcome, Runs
from ..summary import measurement, process_values
from ..units import Quantity
from . import fits, probes

Numbers = NDArray[np.float64]
SMALL, LARGE = "loads, small pages", "loads, large pages"
DISAGREES = 1.5  # times more or less than the operating system reports


@dataclass(frozen=True, eq=False)
class Reading:
    """Seconds per call of one family of steps over the last number of their names, with intervals [points]."""

    at: Numbers
    value: Numbers
    low: Numbers
    high: Numbers

    def per(self, count: float | Numbers) -> Reading:
        """Seconds per one of `count` items of a call."""
        return Reading(self.at, self.value / count, self.low / count, self.high / count)


def reading(outcome: Outcome, prefix: str) -> Reading | None:
    """The steps of `outcome` called "prefix N", by N; None where there are none."""
    names = [name for name in outcome.steps if name.rpartition(" ")[0] == prefix and name.split()[-1].isdecimal()]
    if not names:
        return None
    made = [measurement(outcome, name) for name in names]
    at = np.array([float(name.rpartition(" ")[2]) for name in names])
    value, low, high = (np.array([getattr(m, field) for m in made]) for field in ("value", "low", "high"))
    return Reading(at, value, low, high)


@dataclass(frozen=True)
class Levels:
    """Per level of cache: latency, the working set up to which it serves, and bandwidth; latency beyond the last."""

    latencies: tuple[Quantity | None, ...]
    effective: tuple[Quantity | None, ...]
    bandwidths: tuple[Quantity | None, ...]
    beyond: Quantity | None


def levels(runs: Runs, level_bytes: tuple[float, ...]) -> Levels:
    """Latencies and effective sizes from dependent loads on large pages, which translation hardly disturbs.

    Bandwidths of one core from reading in order.
    """
    nothing = (None,) * len(level_bytes)
    bandwidths = _bandwidths(runs, level_bytes)
    unknown = Levels(nothing, nothing, bandwidths, None)
    loads = reading(runs.outcome(LARGE), "bytes")
    if loads is None:
        return unknown
    loads = loads.per(probes.LOADS)
    curves = (loads.value, loads.low, loads.high)
    plateaus = [fits.level_latencies(loads.at, curve, level_bytes) for curve in curves]
    if any(found is None for found in plateaus):
        return unknown
    value, low, high = (found for found in plateaus if found is not None)
    latencies = tuple(
        _measured(1e9 * v, 1e9 * a, 1e9 * b, "ns", "dependent loads, large pages")
        for v, a, b in zip(value, low, high, strict=True)
    )
    edges = [fits.effective_sizes(loads.at, curve, value) for curve in curves]
    effective = tuple(_edge(*three) for three in zip(*edges, strict=True))
    return Levels(latencies[:-1], effective, bandwidths, latencies[-1])


def _bandwidths(runs: Runs, level_bytes: tuple[float, ...]) -> tuple[Quantity | None, ...]:
    """Bytes per second that one core reads from each level."""
    found = reading(runs.outcome(LARGE), "read")
    if found is None:
        return (None,) * len(level_bytes)
    speed = _speed(found, _read_bytes(found.at))
    ends = (fits.level_bandwidths(speed.at, curve, level_bytes) for curve in (speed.value, speed.low, speed.high))
    source = "one core adds up an array in order, large pages; the quickest working set within the level"
    return tuple(
        None if value is None or low is None or high is None else _measured(value, low, high, "GB/s", source, 1e-9)
        for value, low, high in zip(*ends, strict=True)
    )


def _read_bytes(sizes: Numbers) -> Numbers:
    """Bytes that one call of "read N" reads, by N."""
    return np.array([size // 8 * 8 * probes.passes(int(size)) for size in sizes])


def _edge(value: float | None, quicker: float | None, slower: float | None) -> Quantity | None:
    if value is None:
        return None
    bounds = [edge for edge in (value, quicker, slower) if edge is not None]
    return _measured(
        value / 2**20,
        min(bounds) / 2**20,
        max(bounds) / 2**20,
        "MiB",
        "working set at which dependent loads take the geometric mean of this level's and the next one's time",
    )


def translation(runs: Runs) -> TlbLevel | None:
    """Reach and penalty of translating pages of 4 KiB: one load per page against as many loads on dense lines."""
    outcome = runs.outcome(SMALL)
    sparse, dense = reading(outcome, "pages"), reading(outcome, "bytes")
    if sparse is None or dense is None:
        return None

    def excess(pages: Numbers, lines: Numbers) -> Numbers:
        packed = np.interp(np.log(sparse.at * probes.LINE), np.log(dense.at), lines)
        return np.maximum(pages - packed, 1e-12) / probes.LOADS

    value = excess(sparse.value, dense.value)
    low, high = excess(sparse.low, dense.high), excess(sparse.high, dense.low)
    peak = int(np.argmax(value))
    reach = fits.crossing(sparse.at[: peak + 1], value[: peak + 1], float(value[peak] / 2))
    penalty = 1e9 * value[peak], 1e9 * min(low[peak], value[peak]), 1e9 * max(high[peak], value[peak])
    return TlbLevel(
        page=Quantity(4, "KiB", "assumed", "the system's small page"),
        reach=None
        if reach is None
        else Quantity(reach * probes.PAGE / 2**20, "MiB", "measured", "pages at which half of the penalty shows"),
        penalty=_measured(*penalty, "ns", "one load per page against as many on dense lines"),
    )


def clock(runs: Runs) -> Quantity | None:
    """Cycles per second of one busy core, from a chain of multiplications."""
    outcome = runs.outcome(SMALL)
    if "clock" not in outcome.steps:
        return None
    cycles = probes.LOADS * probes.MULTIPLY_CYCLES
    found = measurement(outcome, "clock")
    return _measured(
        1e-9 * cycles / found.value,
        1e-9 * cycles / found.high,
        1e-9 * cycles / found.low,
        "GHz",
        f"a chain of multiplications and exclusive ors, {probes.MULTIPLY_CYCLES} cycles each",
    )


def curves(runs: Runs) -> tuple[Curve, ...]:
    """Every curve that was measured: latency, pages, gather, stream, bags, products."""
    return tuple(chain.from_iterable(_curves(outcome) for outcome in runs.outcomes if outcome.processes))


def _curves(outcome: Outcome) -> list[Curve]:
    made = []
    for prefix in dict.fromkeys(name.rpartition(" ")[0] for name in outcome.steps):
        words = prefix.split()
        if words and words[0] in ("MKL", "oneDNN"):
            made += _products(outcome, *words)
        elif (found := reading(outcome, prefix)) is not None:
            made.append(_one_curve(outcome, words, found))
    return made


def _one_curve(outcome: Outcome, words: list[str], found: Reading) -> Curve:
    """The curve of one family of steps, by the words of its name."""
    match words:
        case ["bytes"]:
            large = int(outcome.configuration.name == LARGE)
            return _curve(outcome, "latency", "bytes", "s", found.per(probes.LOADS), large_pages=large)
        case ["pages"]:
            return _curve(outcome, "pages", "pages", "s", found.per(probes.LOADS))
        case ["gather", row]:
            speed = _speed(found, probes.gathered_bytes(int(row)))
            return _curve(outcome, "gather", "bytes of table", "B/s", speed, row_bytes=int(row))
        case ["read"]:
            return _curve(outcome, "read", "bytes", "B/s", _speed(found, _read_bytes(found.at)))
        case ["stream"]:
            return _curve(outcome, "stream", "bytes", "B/s", _speed(found, found.at // 12 * 12))
        case _:
            return _curve(outcome, " ".join(words), "bags of one row", "s", found)


def _products(outcome: Outcome, library: str, precision: str) -> list[Curve]:
    """FLOP/s over the batch at each width; steps are called "library precision batch×inputs×outputs"."""
    by_width: dict[tuple[int, int], list[str]] = {}
    for name in outcome.steps:
        if name.startswith(f"{library} {precision} "):
            _, inputs, outputs = map(int, name.rpartition(" ")[2].split("×"))
            by_width.setdefault((inputs, outputs), []).append(name)
    made = []
    for (inputs, outputs), names in by_width.items():
        found = [measurement(outcome, name) for name in names]
        at = np.array([float(name.rpartition(" ")[2].partition("×")[0]) for name in names])
        value, low, high = (np.array([getattr(m, field) for m in found]) for field in ("value", "low", "high"))
        speed = _speed(Reading(at, value, low, high), 2 * at * inputs * outputs)
        detail: dict[str, str | int] = {
            "library": library,
            "precision": precision,
            "inputs": inputs,
            "outputs": outputs,
        }
        made.append(_curve(outcome, "products", "batch", "FLOP/s", speed, **detail))
    return made


def _speed(found: Reading, work: float | Numbers) -> Reading:
    return Reading(found.at, work / found.value, work / found.high, work / found.low)


def _curve(outcome: Outcome, what: str, over: str, unit: str, found: Reading, **detail: str | int) -> Curve:
    configuration = outcome.configuration
    order = np.argsort(found.at)
    value, low, high = (
        tuple(float(f"{x:.5g}") for x in column[order]) for column in (found.value, found.low, found.high)
    )
    return Curve(
        what=what,
        over=over,
        unit=unit,
        isa=configuration.isa,
        threads=configuration.threads,
        at=tuple(found.at[order].tolist()),
        value=value,
        low=low,
        high=high,
        detail=detail,
    )


def call_costs(runs: Runs) -> dict[str, Quantity]:
    """Per call and per bag of embedding_bag, at every width and thread count; fitted per process."""
    costs: dict[str, Quantity] = {}
    for outcome in runs.outcomes:
        names = [name for name in outcome.steps if name.startswith("bags ")]
        if len(names) < 2:
            continue
        counts = np.array([float(name.split()[1]) for name in names])
        seconds = np.stack([process_values(outcome, name, "median")[0][: len(outcome.processes)] for name in names])
        fitted = np.array([fits.cost(counts, column) for column in seconds.T])
        configuration = outcome.configuration
        for k, (item, unit, factor) in enumerate((("call", "us", 1e6), ("bag of one row", "ns", 1e9))):
            values = factor * fitted[:, k]
            key = f"embedding_bag per {item}, {configuration.isa}, {configuration.threads} threads"
            middle, low, high = float(np.median(values)), float(values.min()), float(values.max())
            costs[key] = _measured(middle, low, high, unit, "fit over bags; range of the processes")
    return costs


def compute(runs: Runs, cycles: Quantity) -> dict[str, Compute]:
    """The fastest layer of each width and precision on one core, as FLOP per cycle; intervals are those of its time."""
    best: dict[str, Compute] = {}
    for curve in curves(runs):
        if curve.what != "products" or curve.threads > 1:
            continue
        k = int(np.argmax(curve.value))
        name = f"{curve.isa} {curve.detail['precision']}"
        peak = _measured(
            curve.value[k] / cycles.base,
            curve.low[k] / cycles.base,
            curve.high[k] / cycles.base,
            "FLOP/cycle",
            f"{curve.detail['library']}, layer {curve.at[k]:.0f}×{curve.detail['inputs']}×{curve.detail['outputs']}",
        )
        if name not in best or peak.value > best[name].peak.value:
            best[name] = Compute("bf16" if name.endswith("bf16") else "fp32", "vector", peak, curve.isa)
    return best


def stream(runs: Runs) -> Quantity | None:
    """Bandwidth of the largest stream with most threads."""
    found = [curve for curve in curves(runs) if curve.what == "stream"]
    if not found:
        return None
    most = max(found, key=lambda curve: (curve.threads, curve.value[-1]))
    source = f"c = a + b over {most.at[-1] / 2**20:.0f} MiB, {most.threads} threads, {most.isa}"
    return _measured(1e-9 * most.value[-1], 1e-9 * most.low[-1], 1e-9 * most.high[-1], "GB/s", source)


def contended_share(runs: Runs) -> float:
    """Share of all measured points that were disturbed throughout."""
    flags = [
        process_values(outcome, step, "median")[1]
        for outcome in runs.outcomes
        if outcome.processes
        for step in outcome.steps
    ]
    return round(float(np.mean(flags)), 3) if flags else 1.0


def warnings(sizes: tuple[tuple[str, float], ...], found: Levels) -> list[str]:
    """Where a level's measured and reported size differ by more than half; sizes: (name, reported bytes)."""
    said = []
    for (name, reported), effective in zip(sizes, found.effective, strict=True):
        if effective is None:
            said.append(f"{name}: no edge found; the system reports {reported / 2**20:.3g} MiB")
        elif not 1 / DISAGREES < effective.base / reported < DISAGREES:
            said.append(
                f"{name}: serves working sets up to {effective.value:.3g} MiB, "
                f"the system reports {reported / 2**20:.3g} MiB; trust the measured size"
            )
    return said


def _measured(value: float, low: float, high: float, unit: str, source: str, factor: float = 1.0) -> Quantity:
    bounds = sorted((low, high))
    numbers = [float(f"{factor * x:.4g}") for x in (value, min(bounds[0], value), max(bounds[1], value))]
    return Quantity(numbers[0], unit, "measured", source, min(numbers), max(numbers))
