"""kernel: compiled once, kept on disk, and said when it happens."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import logging, sys
logging.basicConfig(format="%(message)s")
from hotrow.analysis.miss_ratio import lru_curve
print(lru_curve([1, 2, 1]).hits(2))
"""
NOWHERE = """
import numba.core.caching
numba.core.caching.CacheImpl._locator_classes = []
"""


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled then")
def test_a_first_call_says_that_it_compiles_and_the_next_process_does_not(tmp_path: Path) -> None:
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    said = []
    for _ in range(2):
        ran = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
        )
        assert ran.stdout == "1\n"
        said.append(ran.stderr.count("compiling kernels for this processor; kept on disk for the next time"))
    assert said == [1, 0]


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled then")
def test_without_a_writable_folder_kernels_run_and_say_that_they_are_not_kept() -> None:
    program = PROGRAM.replace("from hotrow", NOWHERE + "from hotrow", 1)
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "1\n"
    assert "not kept: set NUMBA_CACHE_DIR to a writable folder" in ran.stderr
