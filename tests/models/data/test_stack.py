"""Stack distances: the file's forms, and lookups whose distances are those asked for, over bags and batches."""

import json
from pathlib import Path

import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.analysis.reuse_distance import stack_distances
from hotrow.models.config import ModelConfig, TableConfig
from hotrow.models.data.distributions import Pooling
from hotrow.models.data.stack import StackDistances, read_stack_distances, stack_trace

PLAIN = "1, 2, 3, 4, 5, 6\n0, 1, 3, 4, 5\n0.5, 0.625, 0.75, 0.875, 1.0\n"


def test_files_of_either_numpy(shared: Path, tmp_path: Path) -> None:
    forms = json.loads((shared / "golden" / "dlrm" / "dist_file_format.json").read_text())
    for name in ("plain", "as_written_with_numpy2", "shipped_dist_emb_0"):
        (tmp_path / name).write_text(forms[name])
        read = read_stack_distances(tmp_path / name)
        assert read.ids.tolist() == [1, 2, 3, 4, 5, 6]
        assert read.distances.tolist() == [0, 1, 3, 4, 5]


def test_distances_are_those_asked_for() -> None:
    config = ModelConfig("m", 2, (4,), (1,), "dot", (TableConfig("a", 100, 4),))
    source = StackDistances(np.arange(50), np.array([0, 1, 5, 20]), np.array([0.01, 0.41, 0.71, 1.0]))
    trace = stack_trace(config, [source], 3000, Pooling(5, True), seed=1)
    (table,) = trace.tables
    found = stack_distances(table.indices)
    later = found[len(found) // 2 :] + 1  # this program's distance 0 is the benchmark's 1
    shares = [np.mean(later == d) for d in (1, 5, 20)]
    assert shares == pytest.approx([0.4, 0.3, 0.29], abs=0.03)
    assert set(np.unique(table.bag_sizes())) == {1, 2, 3, 4, 5}
    assert trace.equals(stack_trace(config, [source], 3000, Pooling(5, True), seed=1))


def test_ids_are_folded(tmp_path: Path) -> None:
    (tmp_path / "d").write_text(PLAIN)
    config = ModelConfig("m", 2, (4,), (1,), "dot", (TableConfig("a", 3, 4),))
    trace = stack_trace(config, [read_stack_distances(tmp_path / "d")], 50, Pooling(2), seed=1)
    assert set(trace.tables[0].indices.tolist()) == {0, 1, 2}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("1, 2\n", "2 lines|1 lines"),
        ("1, x\n0\n1.0\n", "line 1"),
        ("1, 2\n0, 1\n1.0\n", "line 3: 1 probabilities; line 2 has 2"),
        ("1, 2\n1, 0\n0.5, 1.0\n", "line 2: distances must rise"),
        ("1, 2\n0, 9\n0.5, 1.0\n", "at most 2"),
        ("1, 2\n0, 1\n0.5, 0.9\n", "line 3: cumulated"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, rule: str) -> None:
    (tmp_path / "d").write_text(text)
    with pytest.raises(HotrowError, match=rule):
        read_stack_distances(tmp_path / "d")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(HotrowError, match="cannot be read"):
        read_stack_distances(tmp_path / "none")
