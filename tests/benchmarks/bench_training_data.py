"""Preparing batches: random data against the DLRM benchmark's way, and its share of a training step."""

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import pytest
import torch

from hotrow.models.config import ModelConfig, TableConfig
from hotrow.models.data.distributions import Pooling
from hotrow.models.data.random_source import RandomSource
from hotrow.models.data.recipe import RecipeSource
from hotrow.models.data.source import Columns, Source, TraceSource
from hotrow.models.dlrm import DLRM
from hotrow.models.loss import click_loss
from hotrow.models.training.optimizers import make_optimizer
from hotrow.models.training.schedule import Schedule
from hotrow.models.training.train import Trainer, Training

KAGGLE = (1460, 583, 10131227, 2202608, 305, 24, 12517, 633, 3, 93145, 5683, 8351593, 3194, 27, 14992, 5461306, 10)
KAGGLE += (5652, 2173, 4, 7046547, 18, 15, 286181, 105, 142572)
CAP = 100_000


def model(dense: int, bottom: tuple[int, ...], top: tuple[int, ...], rows: list[int], pooling: float) -> ModelConfig:
    tables = tuple(TableConfig(f"f{k}", n, bottom[-1], pooling) for k, n in enumerate(rows))
    return ModelConfig("bench", dense, bottom, top, "dot", tables)


CRITEO = model(13, (512, 256, 64, 16), (512, 256, 1), [min(n, CAP) for n in KAGGLE], 1)
LARGE = model(512, (512, 64), (1024, 1024, 1024, 1), [1_000_000] * 8, 50.5)
SHAPES = [
    ("criteo, batch 128", CRITEO, 128, Pooling()),
    ("criteo, batch 2048", CRITEO, 2048, Pooling()),
    ("8 x 1 M x 64, batch 2048", LARGE, 2048, Pooling(100, True)),
]


def seconds(work: Callable[[], Any]) -> float:
    begin = time.thread_time()
    work()
    return time.thread_time() - begin


@pytest.mark.benchmark(group="random data")
@pytest.mark.parametrize(("name", "config", "size", "pooling"), SHAPES, ids=[name for name, *_ in SHAPES])
def test_random_data_against_the_benchmarks_way(
    benchmark: Any, name: str, config: ModelConfig, size: int, pooling: Pooling
) -> None:
    rounds = 12
    ours = RandomSource(config, size * rounds, size, 1, (pooling,) * len(config.tables))
    theirs = RecipeSource(config, size * rounds, size, 1, pooling)
    ours.batch(0, 0)  # compiles
    fast, slow = [], []
    for k in range(3):
        slow.append(seconds(lambda k=k: theirs.batch(0, k)))
        fast += [seconds(lambda k=k: ours.batch(0, k)) for k in range(rounds)]
    ratio = median(slow) / median(fast)
    benchmark.extra_info |= {
        "hotrow ms": round(1e3 * median(fast), 3),
        "benchmark's way ms": round(1e3 * median(slow), 1),
        "times as fast": round(ratio, 1),
    }
    benchmark.pedantic(lambda: ours.batch(0, 1), rounds=5)
    assert ratio >= 50


@pytest.mark.benchmark(group="share of a step")
@pytest.mark.parametrize("order", ["none", "total"])
@pytest.mark.parametrize(("name", "config", "size", "pooling"), SHAPES, ids=[name for name, *_ in SHAPES])
def test_share_of_a_training_step(
    benchmark: Any, name: str, config: ModelConfig, size: int, pooling: Pooling, order: str
) -> None:
    torch.set_num_threads(1)
    steps = 8 if config is CRITEO else 4
    drawn = RandomSource(config, size * steps, size, 1, (pooling,) * len(config.tables))
    source: Source = TraceSource(config, Columns.of(drawn.trace()), size, 1, order)  # type: ignore[arg-type]
    source.batch(0, 0)
    trainer = Trainer(DLRM(config), source, Training(Schedule(0.1), epochs=2, loss="mse"))
    begin = time.process_time()
    for _ in trainer.run():
        pass
    whole = (time.process_time() - begin) / (2 * steps)
    preparing = median(seconds(lambda k=k: source.batch(0, k)) for k in range(steps))
    share = preparing / (whole - preparing)
    benchmark.extra_info |= {
        "order": order,
        "batch ms": round(1e3 * preparing, 3),
        "share of the step": round(share, 4),
    }
    benchmark.pedantic(lambda: source.batch(0, 1), rounds=3)
    assert share < 0.05


@pytest.mark.benchmark(group="optimizer")
def test_sparse_sgd_against_torch(benchmark: Any) -> None:
    torch.set_num_threads(1)
    data = RandomSource(LARGE, 2048, 2048, 1, (Pooling(100, True),) * 8)
    batch = data.batch(0, 0)
    network = DLRM(LARGE)
    own = make_optimizer("sgd", network)
    peer = torch.optim.SGD(network.parameters(), lr=0.1)

    def timed(step: Callable[[], Any]) -> float:
        click_loss(network(batch.dense, batch.indices, batch.offsets), batch.label, "mse").backward()
        spent = seconds(step)
        peer.zero_grad()
        return spent

    timed(lambda: own.step(0.1))
    ours, theirs = [], []
    for _ in range(3):
        ours.append(timed(lambda: own.step(0.1)))
        theirs.append(timed(peer.step))
    benchmark.extra_info |= {
        "hotrow ms": round(1e3 * median(ours), 1),
        "torch ms": round(1e3 * median(theirs), 1),
        "times as fast": round(median(theirs) / median(ours), 2),
    }
    benchmark.pedantic(lambda: timed(lambda: own.step(0.1)), rounds=1)
