"""`make bench` prints the numbers: what a benchmark measured stands at the end of the run."""

import shutil
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parent / "benchmarks"
BENCH = """
import pytest

class Benchmark:
    def __init__(self):
        self.extra_info = {}

@pytest.fixture
def benchmark():
    return Benchmark()

def test_speed(benchmark):
    benchmark.extra_info["ratio to the peer"] = 12.3456
    benchmark.extra_info["rate 0.01"] = {"M/s": 76.0, "error": 0.0025}
    print("captured")

def test_that_fails(benchmark):
    benchmark.extra_info["ratio of the failed"] = 7
    assert False

def test_without_numbers():
    pass
"""


def test_a_run_ends_with_every_number(tmp_path: Path) -> None:
    shutil.copy(BENCHMARKS / "conftest.py", tmp_path)
    (tmp_path / "bench_made.py").write_text(BENCH)
    command = [sys.executable, "-m", "pytest", str(tmp_path), "-o", "python_files=bench_*.py", "-p", "no:benchmark"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    summary = done.stdout[done.stdout.index("numbers and ratios") :].splitlines()
    for line in (
        "test_speed",
        "  ratio to the peer: 12.35",
        "  rate 0.01: M/s 76, error 0.0025",
        "  ratio of the failed: 7",
    ):
        assert line in summary
    assert "test_without_numbers" not in summary


def test_benchmarks_time_what_they_measure() -> None:
    """The table of times is about the work itself."""
    for path in BENCHMARKS.glob("bench_*.py"):
        assert "pedantic(int" not in path.read_text(), path
