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
