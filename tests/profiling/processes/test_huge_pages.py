"""Huge pages are an axis only if the process that ran shows it: asked for they are there, forbidden they are not."""

from pathlib import Path

import pytest

from hotrow.profiling.host import host_facts
from hotrow.profiling.processes.configuration import Configuration
from hotrow.profiling.processes.runner import Failure, Plan, run_once

BIG = {"rows": 1 << 20, "dim": 64, "bags": 4, "pooling": 4}  # 256 MiB
QUICK = Plan(processes=1, seconds=0.0, patience=0.0, least=3, deadline=60)


def huge_bytes(asked: bool | None) -> int:
    made = run_once(Configuration("big", "hotrow.profiling.operators:embedding_bag", BIG, huge_pages=asked), QUICK)
    assert not isinstance(made, Failure), made.reason
    seen = made.facts["anonymous_huge_page_bytes"]
    assert isinstance(seen, int)
    return seen


@pytest.mark.skipif(
    host_facts().huge_pages not in ("madvise", "always") or not Path("/proc/self/smaps_rollup").exists(),
    reason="this system offers no transparent huge pages",
)
def test_the_pages_follow_the_knob() -> None:
    asked, forbidden = huge_bytes(True), huge_bytes(False)
    assert forbidden < 1 << 21
    assert asked > 10 * (1 << 21) or asked == 0  # a system short of memory may refuse
