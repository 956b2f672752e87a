"""Work over time: the parts of a profiled step beside what the model costs."""

from hotrow.experiments.measured.bottlenecks import prepared, rates
from hotrow.models.config import ModelConfig, TableConfig
from hotrow.models.cost import bag_statistics
from hotrow.models.dlrm import DLRM
from hotrow.models.inputs import Batches, uniform_trace
from hotrow.models.workload import forward_step, training_step
from hotrow.profiling.profilers.torch_profiler import profile_operators

CONFIG = ModelConfig("tiny", 4, (8, 4), (8, 1), "dot", (TableConfig("a", 50, 4), TableConfig("b", 20, 4, 3.0)))
FORWARD = {"bottom", "embedding", "interaction", "top"}


def test_every_part_whose_cost_is_known_has_a_rate() -> None:
    trace = uniform_trace(CONFIG, 64)
    batches = prepared(Batches(CONFIG, trace, 16, 3))
    model = DLRM(CONFIG, 3)
    forward = profile_operators("inference", forward_step(model, batches), seconds=0.02, traced=3)
    training = profile_operators("training", training_step(model, batches), seconds=0.02, traced=3)
    bags = bag_statistics(trace, 16)
    by_role = {rate.role: rate for rate in rates(training, CONFIG, bags)}
    assert by_role.keys() >= {f"{role} backward" for role in FORWARD} | {"loss", "optimizer"}
    assert by_role["embedding"].work.lookups == sum(bags.lookups)
    assert by_role["top backward"].flops_per_second > 0
    assert by_role["optimizer"].bytes_per_second > 0
    assert {rate.role for rate in rates(forward, CONFIG, bags)} == FORWARD


def test_batches_are_prepared_within_a_limit() -> None:
    batches = Batches(CONFIG, uniform_trace(CONFIG, 64), 16, 3)
    assert len(prepared(batches)) == 4
    assert len(prepared(batches, most=2)) == 2
    assert len(prepared(batches, sharers=10**9)) == 1
