"""A model profiled on a trace: roles of forward and training, with their costs."""

from pathlib import Path

import pytest

from hotrow import HotrowError
from hotrow.experiments.measured.bottlenecks import profile_forward_and_training, rates
from hotrow.models.config import ModelConfig, TableConfig
from hotrow.models.cost import bag_statistics
from hotrow.models.inputs import uniform_trace

CONFIG = ModelConfig("tiny", 4, (8, 4), (8, 1), "dot", (TableConfig("a", 50, 4), TableConfig("b", 20, 4, 3.0)))
FORWARD = {"bottom", "embedding", "interaction", "top"}


def test_forward_and_training(tmp_path: Path) -> None:
    trace = uniform_trace(CONFIG, 64)
    forward, training = profile_forward_and_training(
        CONFIG, trace, batch=16, seed=3, seconds=0.02, traced=3, chrome_traces=tmp_path
    )
    assert {part.role for part in forward.roles} >= FORWARD | {"data"}
    assert {part.role for part in training.roles} >= {f"{role} backward" for role in FORWARD} | {"loss", "optimizer"}
    assert training.total.value > forward.total.value
    assert training.total.metadata["batch"] == 16
    assert any("no dense features" in note for note in forward.notes)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["forward.json.gz", "training.json.gz"]

    bags = bag_statistics(trace, 16)
    by_role = {rate.role: rate for rate in rates(training, CONFIG, bags)}
    assert by_role["embedding"].work.lookups == sum(bags.lookups)
    assert by_role["top backward"].flops_per_second > 0
    assert by_role["optimizer"].bytes_per_second > 0
    assert {rate.role for rate in rates(forward, CONFIG, bags)} == FORWARD


def test_a_batch_larger_than_the_trace() -> None:
    with pytest.raises(HotrowError, match="choose --batch 1 to 8"):
        profile_forward_and_training(CONFIG, uniform_trace(CONFIG, 8), batch=9)
