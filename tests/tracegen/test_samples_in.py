"""How many samples a file holds, before it is read: exact where a header says it, about where lines are counted."""

from pathlib import Path

import numpy as np
import pytest

from hotrow.tracegen import files
from hotrow.tracegen.trace import TableLookups, Trace


@pytest.mark.parametrize("suffix", [".parquet", ".npz"])
def test_headers_say_it(tmp_path: Path, suffix: str) -> None:
    files.write(Trace((TableLookups("a", 9, np.arange(6), np.array([0, 2, 2, 6])),)), tmp_path / f"t{suffix}")
    assert files.samples_in(tmp_path / f"t{suffix}") == 3


def test_lines_are_estimated_and_compressed_ones_are_not(tmp_path: Path) -> None:
    line = b"1" + b"\t7" * 13 + b"\t0000000a" * 26 + b"\n"
    (tmp_path / "t.tsv").write_bytes(line * 10_000)
    assert files.samples_in(tmp_path / "t.tsv") == pytest.approx(10_000, rel=0.01)
    (tmp_path / "t.tsv.gz").write_bytes(b"\x1f\x8b" + bytes(100))
    assert files.samples_in(tmp_path / "t.tsv.gz") is None


def test_a_damaged_file_is_nothing_to_count(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1" + bytes(50))
    assert files.samples_in(tmp_path / "t.parquet") is None
