"""Predictions: sums of parts, bounds that make sense, and answers that move the right way."""

import msgspec
import numba
import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.analysis import decisions, sharding
from hotrow.analysis.predict import check_fits, predict
from hotrow.analysis.prediction.coefficients import datasheet
from hotrow.analysis.prediction.operators import Setting, crowd
from hotrow.analysis.prediction.steps import operators
from hotrow.analysis.prediction.traffic import Traffic, traffic_of
from hotrow.analysis.prediction.vary import vary, with_last_cache
from hotrow.analysis.roofline import roof
from hotrow.models.config import ModelConfig, load_preset
from hotrow.models.cost import forward_cost, total, uniform_bags
from hotrow.models.inputs import uniform_trace
from hotrow.profiling.machine import Machine, MemoryTier
from hotrow.profiling.machine_files import load_machine, machines
from hotrow.profiling.units import Quantity

pytestmark = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="minutes in the interpreter")


@pytest.fixture(scope="module")
def rm2() -> ModelConfig:
    return load_preset("rm2").scaled(0.02)


@pytest.fixture(scope="module")
def traffic(rm2: ModelConfig) -> Traffic:
    return traffic_of(uniform_trace(rm2, 64), rm2, 16)


@pytest.mark.parametrize("name", machines())
@pytest.mark.parametrize("mode", ["inference", "training"])
def test_every_machine_predicts_a_step(rm2: ModelConfig, traffic: Traffic, name: str, mode: str) -> None:
    made = predict(rm2, traffic, datasheet(load_machine(name)), mode)
    assert made.seconds == pytest.approx(sum(sum(each.parts.values()) for each in made.operators))
    assert made.low < made.seconds < made.high
    assert made.seconds == pytest.approx(sum(each.seconds for each in made.by_role().values()))
    for each in made.operators:
        assert each.low <= each.seconds <= each.high
        assert not each.parts or each.bound


def test_training_takes_longer_than_inference(rm2: ModelConfig, traffic: Traffic) -> None:
    costs = datasheet(load_machine("skylake"))
    assert predict(rm2, traffic, costs, "training").seconds > predict(rm2, traffic, costs).seconds


def test_operators_count_the_products_that_costs_count(rm2: ModelConfig) -> None:
    for name in ("rm1", "dlrm-benchmark", "mlperf-dcnv2"):
        config = load_preset(name)
        ours = operators(config, tuple(table.pooling for table in config.tables), 32, "inference")
        products = sum(op.flops for op in ours if op.kind in ("linear", "product"))
        assert products == pytest.approx(2 * total(forward_cost(config, uniform_bags(config, 32))).multiply_adds)


def test_a_larger_cache_never_takes_longer(rm2: ModelConfig, traffic: Traffic) -> None:
    costs = datasheet(load_machine("skylake"))
    times = [predict(rm2, traffic, with_last_cache(costs, mib * 2**20)).seconds for mib in (8, 32, 128, 512)]
    assert times == sorted(times, reverse=True)
    assert times[0] > times[-1]


def test_wider_vectors_and_more_bandwidth_never_take_longer(rm2: ModelConfig, traffic: Traffic) -> None:
    for name in ("skylake", "h100"):
        costs = datasheet(load_machine(name))
        here = predict(rm2, traffic, costs).seconds
        assert predict(rm2, traffic, vary(costs, "memory bandwidth", 4)).seconds <= here
        assert predict(rm2, traffic, vary(costs, "SIMD width", 2)).seconds <= here
    with pytest.raises(HotrowError, match="must be above 0"):
        vary(costs, "SIMD width", 0)


def test_neighbours_share_bandwidth_and_cache(rm2: ModelConfig, traffic: Traffic) -> None:
    costs = datasheet(load_machine("skylake"))
    times = [predict(rm2, traffic, costs, setting=Setting(1, models)).seconds for models in (1, 10, 40)]
    assert times == sorted(times)
    assert times[-1] > times[0]
    with pytest.raises(HotrowError, match="41 models of 1 threads; machine 'skylake' has 40 cores"):
        predict(rm2, traffic, costs, setting=Setting(1, 41))


def test_what_was_measured_on_one_thread_says_less_of_several(rm2: ModelConfig, traffic: Traffic) -> None:
    costs = msgspec.structs.replace(datasheet(load_machine("skylake")), mode="fitted")
    one, two = (predict(rm2, traffic, costs, setting=Setting(threads)) for threads in (1, 2))
    assert two.high / two.seconds == pytest.approx(1.25 * one.high / one.seconds)
    assert two.low / two.seconds == pytest.approx(one.low / one.seconds / 1.25)


def test_threads_shorten_a_step_but_not_its_overhead(rm2: ModelConfig, traffic: Traffic) -> None:
    costs = datasheet(load_machine("skylake"))
    one, many = (predict(rm2, traffic, costs, setting=Setting(threads)) for threads in (1, 8))
    assert one.seconds / 8 < many.seconds < one.seconds


def test_a_gpu_is_bound_by_launches_at_small_batches(rm2: ModelConfig) -> None:
    costs = datasheet(load_machine("h100"))
    trace = uniform_trace(rm2, 256)
    small = predict(rm2, traffic_of(trace, rm2, 1), costs).by_role()
    assert small["bottom"].bound == "overhead"
    large = predict(rm2, traffic_of(trace, rm2, 256), costs)
    assert large.seconds < 256 * sum(each.seconds for each in small.values())


def test_a_model_too_large_says_what_is_missing() -> None:
    config = load_preset("mlperf-dcnv2")
    with pytest.raises(HotrowError, match=r"'gtx-1080-ti' has 10\.2 GiB, 87\.2 GiB too little"):
        check_fits(config, load_machine("gtx-1080-ti"))
    check_fits(config, load_machine("skylake"))


def test_decisions_hold_the_limit(rm2: ModelConfig, traffic: Traffic) -> None:
    machine = load_machine("skylake")
    costs = datasheet(machine)
    one = predict(rm2, traffic, costs)
    found = decisions.best_throughput(rm2, {16: traffic}, costs, 2 * one.high)
    assert found is not None
    assert found.prediction.high <= 2 * one.high
    assert found.samples_per_second == pytest.approx(found.models * 16 / found.prediction.seconds)
    assert decisions.best_throughput(rm2, {16: traffic}, costs, one.seconds / 100) is None
    assert decisions.most_models(rm2, traffic, costs, one.high / 2, 40) == 0
    economy = decisions.economy(machine, traffic, found)
    assert economy is not None
    assert economy.joules > economy.memory_joules > 0
    assert economy.joules * economy.per_watt == pytest.approx(1)


def test_tiers_hold_the_whole_model_and_serve_every_miss() -> None:
    config = load_preset("rm1").scaled(0.001)
    traffic = traffic_of(uniform_trace(config, 512), config, 16)
    used = decisions.tiers(config, traffic, load_machine("tiered"), 1e5)
    assert [tier.name for tier in used] == ["DRAM"]
    tiny = load_machine("tiered")
    small = msgspec.structs.replace(tiny.memory["DRAM"].capacity, value=0.001)
    memory = tiny.memory | {"DRAM": msgspec.structs.replace(tiny.memory["DRAM"], capacity=small)}
    used = decisions.tiers(config, traffic, msgspec.structs.replace(tiny, memory=memory), 1e5)
    assert [tier.name for tier in used] == ["DRAM", "CXL"]
    assert sum(tier.bytes for tier in used) == pytest.approx(config.bytes)
    assert all(0 <= tier.share <= 1 for tier in used)


def tier(bandwidth: float, latency: float, capacity: float) -> MemoryTier:
    return MemoryTier(Quantity(capacity, "B"), Quantity(bandwidth, "B/s"), Quantity(latency, "s"))


def with_memory(small: float) -> Machine:
    """Skylake with `small` bytes of DRAM and slow memory behind it."""
    machine = load_machine("skylake")
    dram = msgspec.structs.replace(machine.memory["DRAM"], capacity=Quantity(small, "B"))
    return msgspec.structs.replace(machine, memory={"DRAM": dram, "CXL": tier(20e9, 1e-6, 2**40)})


def test_tables_beyond_the_first_tier_are_served_by_the_next(rm2: ModelConfig, traffic: Traffic) -> None:
    roomy, short, none = (
        predict(rm2, traffic, datasheet(with_memory(share * rm2.bytes))) for share in (1.01, 0.5, 0.001)
    )
    assert roomy.seconds == pytest.approx(predict(rm2, traffic, datasheet(load_machine("skylake"))).seconds)
    assert roomy.seconds < short.seconds < none.seconds
    parts = short.by_role()["embedding"].parts
    assert parts["CXL"] > 0
    assert parts["DRAM"] > 0


def test_copies_side_by_side_fit_the_memory(rm2: ModelConfig, traffic: Traffic) -> None:
    machine = load_machine("skylake")
    dram = msgspec.structs.replace(machine.memory["DRAM"], capacity=Quantity(3.5 * rm2.bytes, "B"))
    costs = datasheet(msgspec.structs.replace(machine, memory={"DRAM": dram}))
    found = decisions.best_throughput(rm2, {16: traffic}, costs, 1.0)
    assert found is not None
    assert found.models == 3


def test_models_and_threads_share_what_they_use_and_no_more() -> None:
    costs = datasheet(load_machine("skylake"))
    l2, l3, dram = costs.levels[1:]
    assert crowd(costs, l2, Setting(1, 40)) == 1  # a cache of one's own
    assert crowd(costs, dram, Setting(1, 1)) == 1
    assert crowd(costs, dram, Setting(1, 40)) == 20  # on two sockets
    assert crowd(costs, dram, Setting(20)) == 1
    assert crowd(costs, dram, Setting(40)) == 0.5  # one model on both sockets
    assert (dram.bandwidth, dram.sharers) == (85e9, 20)
    assert l3.sharers == 20


def test_a_gpus_power_holds_its_memorys(rm2: ModelConfig, traffic: Traffic) -> None:
    machine = load_machine("h100")
    found = decisions.best_throughput(rm2, {16: traffic}, datasheet(machine), 1.0)
    assert found is not None
    economy = decisions.economy(machine, traffic, found)
    assert economy is not None
    assert economy.joules == pytest.approx(machine.power.base / found.samples_per_second)


def test_idle_cores_draw_idle_power(rm2: ModelConfig, traffic: Traffic) -> None:
    machine = load_machine("skylake")
    costs = datasheet(machine)
    one, all_of_them = (
        decisions.Throughput(16, n, n * 16 / made.seconds, made)
        for n in (1, 40)
        for made in (predict(rm2, traffic, costs, setting=Setting(1, n)),)
    )
    lone, full = (decisions.economy(machine, traffic, found) for found in (one, all_of_them))
    assert lone is not None
    assert full is not None
    watts = (lone.joules - lone.memory_joules) * one.samples_per_second
    assert watts == pytest.approx(88 + (250 - 88) / 40)
    assert (full.joules - full.memory_joules) * all_of_them.samples_per_second == pytest.approx(250)


def test_a_comparison_keeps_mode_and_threads(rm2: ModelConfig) -> None:
    trace = uniform_trace(rm2, 256)
    cpu, gpu = (datasheet(load_machine(name)) for name in ("skylake", "h100"))
    batches = {64: traffic_of(trace, rm2, 64)}
    one = decisions.crossover(rm2, batches.__getitem__, cpu, gpu, (64,))[1][64]
    many = decisions.crossover(rm2, batches.__getitem__, cpu, gpu, (64,), "inference", Setting(8))[1][64]
    trained = decisions.crossover(rm2, batches.__getitem__, cpu, gpu, (64,), "training")[1][64]
    assert many < one
    assert trained != one


def test_crossover_is_the_first_batch_at_which_the_gpu_wins(rm2: ModelConfig) -> None:
    trace = uniform_trace(rm2, 256)
    cpu, gpu = (datasheet(load_machine(name)) for name in ("skylake", "h100"))
    batch, ratios = decisions.crossover(rm2, lambda b: traffic_of(trace, rm2, b), cpu, gpu, (1, 16, 256))
    assert list(ratios) == [1, 16, 256]
    assert batch == next(b for b, ratio in ratios.items() if ratio >= 1)


def test_a_wider_machine_is_bound_elsewhere() -> None:
    config = load_preset("rm3").scaled(0.001)
    traffic = traffic_of(uniform_trace(config, 256), config, 64)
    bounds = decisions.bounds_by_width(config, traffic, datasheet(load_machine("skylake")))
    assert bounds[128]["bottom"] == "compute"
    assert set(bounds) == set(decisions.WIDTHS)


def test_a_plan_by_lookups_is_balanced_and_whole() -> None:
    config = load_preset("mlperf-dcnv2")
    per_table = tuple(table.pooling for table in config.tables)
    by_lookups = sharding.plan(config, per_table, 4)
    round_robin = sharding.plan(config, per_table, 4, rule="round-robin")
    assert by_lookups.balance < round_robin.balance
    assert sorted(k for own in by_lookups.devices for k in own) == list(range(26))
    assert sum(by_lookups.held) == pytest.approx(sum(4 * table.parameters for table in config.tables))
    with pytest.raises(HotrowError, match="finds no room on 4 devices"):
        sharding.plan(config, per_table, 4, 10 * 2**30)
    with pytest.raises(HotrowError, match="0 devices"):
        sharding.plan(config, per_table, 0)


def test_constraints_name_every_table_and_its_curve(rm2: ModelConfig, traffic: Traffic) -> None:
    made = sharding.torchrec_constraints(rm2, traffic, sharding.plan(rm2, traffic.per_table, 2))
    names = [table.name for table in rm2.tables]
    assert list(made["constraints"]) == list(made["device"]) == list(made["miss_ratio"]) == names
    for own in made["miss_ratio"].values():
        curve = list(own.values())
        assert curve == sorted(curve, reverse=True)
        assert 0 <= curve[-1] <= curve[0] <= 1
    fields = {"sharding_types", "pooling_factors", "num_poolings"}  # of TorchRec's ParameterConstraints
    for own in made["constraints"].values():
        assert set(own) == fields
        assert own["pooling_factors"] == [pytest.approx(120)]
    assert set(made["device"].values()) == {0, 1}


def test_a_roofline_bends_at_its_ridge() -> None:
    made = roof(load_machine("skylake"))
    assert made.flops == pytest.approx(40 * 64 * 2e9)
    assert made.attainable(made.ridge / 10) == pytest.approx(made.flops / 10)
    assert made.attainable(1e9) == made.flops
    assert np.isclose(made.bandwidth, 170e9)
