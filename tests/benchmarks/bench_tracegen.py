"""Speed of measuring, fitting and generating, in lookups per second of one core, beside the DLRM benchmark's generator.

The peer is the benchmark's algorithm as published (a list of rows, one removal and insertion per lookup); pure Python.
"""

import time
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from hotrow.analysis.certificate import select_table
from hotrow.tracegen.baselines import StackProfile, generate_from_stack, stack_profile
from hotrow.tracegen.generate import calibrated, synthesize, table_rng
from hotrow.tracegen.privacy import PrivacyBudget
from hotrow.tracegen.profile import Variant, characterize
from hotrow.tracegen.release import release_with_cuts
from hotrow.tracegen.scenarios import sessions
from hotrow.tracegen.trace import Trace

LOOKUPS = 500_000
PEER_LOOKUPS = 5_000


@pytest.fixture(scope="module")
def trace() -> Trace:
    return Trace.from_ids(sessions(LOOKUPS, 3), 2**20)


def peer(profile: StackProfile, lookups: int, rng: np.random.Generator) -> list[int]:
    """Move the row at each drawn depth to the top of a list."""
    stack: list[int] = []
    fresh = iter(profile.rows.tolist())
    out = []
    for u in rng.random(lookups):
        depth = int(profile.distances[np.searchsorted(profile.cumulated, u)])
        row = next(fresh) if depth == 0 or depth > len(stack) else stack.pop(-depth)
        stack.append(row)
        out.append(row)
    return out


def cpu(run: Callable[[], Any]) -> float:
    start = time.thread_time()
    run()
    return time.thread_time() - start


def rate(benchmark: Any, run: Callable[[], Any], lookups: int = LOOKUPS) -> None:
    run()  # compile
    benchmark.pedantic(run, rounds=3, iterations=1)
    millions = lookups / np.median([cpu(run) for _ in range(3)]) / 1e6
    benchmark.extra_info["million lookups per CPU second"] = round(float(millions), 3)


def test_measure(benchmark: Any, trace: Trace) -> None:
    rate(benchmark, lambda: characterize(trace))


def test_release(benchmark: Any, trace: Trace) -> None:
    seconds = release_with_cuts(trace, PrivacyBudget(1.0))[1].seconds_of_noise
    benchmark.extra_info["seconds of noise alone"] = round(seconds, 2)
    rate(benchmark, lambda: release_with_cuts(trace, PrivacyBudget(1.0)))


@pytest.mark.parametrize("design", ["independent", "renewal", "depthband"])
def test_generate(benchmark: Any, trace: Trace, design: str) -> None:
    table = msgspec.structs.replace(characterize(trace).tables[0], variant=Variant(design))
    ready = calibrated(table, table_rng(0, 0, 1))  # as a fitted profile is
    rate(benchmark, lambda: synthesize(ready, table_rng(0, 0, 1)))


def test_calibrate(benchmark: Any, trace: Trace) -> None:
    table = msgspec.structs.replace(characterize(trace).tables[0], variant=Variant("renewal"))
    rate(benchmark, lambda: calibrated(table, table_rng(0, 0, 1)))


def test_fit_with_selection(benchmark: Any, trace: Trace) -> None:
    rate(benchmark, lambda: select_table(characterize(trace).tables[0]))


def test_lru_stack_against_a_list(benchmark: Any, trace: Trace) -> None:
    profile = stack_profile(trace.tables[0].indices.astype(np.int64))
    rng = np.random.default_rng(0)
    rate(benchmark, lambda: generate_from_stack(profile, LOOKUPS, rng))
    theirs = PEER_LOOKUPS / cpu(lambda: peer(profile, PEER_LOOKUPS, rng)) / 1e6
    ratio = benchmark.extra_info["million lookups per CPU second"] / theirs
    benchmark.extra_info["times a list"] = round(ratio, 1)
    benchmark.extra_info["list, million lookups per CPU second"] = round(theirs, 3)
