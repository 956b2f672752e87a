"""Inference and training of a DLRM against a module per table in eager PyTorch, on one thread."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import torch

from hotrow.models.backends.backends import backends, make_backend
from hotrow.models.config import ModelConfig, TableConfig
from hotrow.models.data.distributions import Pooling
from hotrow.models.data.random_source import RandomSource
from hotrow.models.dlrm import DLRM
from hotrow.models.fast.inference import FastInference
from hotrow.models.fast.training import FastForward
from hotrow.models.inputs import Batch
from hotrow.models.loss import click_loss
from hotrow.models.quantization.inference import quantized, quantized_bytes
from hotrow.models.training.optimizers import make_optimizer

_spec = importlib.util.spec_from_file_location("peer_dlrm", Path(__file__).with_name("peer_dlrm.py"))
assert _spec is not None
assert _spec.loader is not None
peer_dlrm = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(peer_dlrm)

KAGGLE = (1460, 583, 10131227, 2202608, 305, 24, 12517, 633, 3, 93145, 5683, 8351593, 3194, 27, 14992, 5461306, 10)
KAGGLE += (5652, 2173, 4, 7046547, 18, 15, 286181, 105, 142572)
CAP = 100_000


def model(dense: int, bottom: tuple[int, ...], top: tuple[int, ...], rows: list[int], pooling: float) -> ModelConfig:
    tables = tuple(TableConfig(f"f{k}", n, bottom[-1], pooling) for k, n in enumerate(rows))
    return ModelConfig("bench", dense, bottom, top, "dot", tables)


CRITEO_16 = model(13, (512, 256, 64, 16), (512, 256, 1), [min(n, CAP) for n in KAGGLE], 1)
CRITEO_64 = model(13, (512, 256, 64), (512, 256, 1), [min(n, CAP) for n in KAGGLE], 1)
LARGE = model(512, (512, 64), (1024, 1024, 1024, 1), [1_000_000] * 8, 50)
SHAPES = [(CRITEO_16, 16, Pooling()), (CRITEO_64, 64, Pooling()), (LARGE, 64, Pooling(50))]
NAMES = ["criteo, dim 16", "criteo, dim 64", "8 x 1 M x 64, pooling 50"]


def batches(config: ModelConfig, size: int, pooling: Pooling, number: int) -> list[Batch]:
    source = RandomSource(config, size * number, size, 1, (pooling,) * len(config.tables))
    return [source.batch(0, k) for k in range(number)]


def peer_of(network: DLRM) -> Any:
    config = network.config
    peer = peer_dlrm.PeerDLRM(config.dense, config.bottom, config.top, [table.rows for table in config.tables])
    peer_dlrm.copy_weights(peer, network)
    return peer


def interleaved(ways: dict[str, Callable[[], Any]], rounds: int, calls: int) -> dict[str, float]:
    """Median CPU seconds of one call of every way, taken in turns."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for work in ways.values():
        work()
    for _ in range(rounds):
        for name, work in ways.items():
            begin = time.process_time()
            for _ in range(calls):
                work()
            times[name].append((time.process_time() - begin) / calls)
    return {name: median(values) for name, values in times.items()}


def in_turn(inputs: list[Any], work: Callable[[Any], Any]) -> Callable[[], Any]:
    """Work on one input after the other, over and over."""
    position = -1

    def step() -> Any:
        nonlocal position
        position = (position + 1) % len(inputs)
        return work(inputs[position])

    return step


def report(benchmark: Any, seconds: dict[str, float], peer: str) -> None:
    for way, spent in seconds.items():
        benchmark.extra_info[f"{way} µs"] = round(1e6 * spent, 1)
        if way != peer:
            benchmark.extra_info[f"{way}, times as fast"] = round(seconds[peer] / spent, 2)


@pytest.mark.benchmark(group="inference")
@pytest.mark.parametrize("size", [1, 16, 128, 2048])
@pytest.mark.parametrize("shape", range(len(SHAPES)), ids=NAMES)
def test_inference_against_a_module_per_table(benchmark: Any, shape: int, size: int) -> None:
    torch.set_num_threads(1)
    config, _, pooling = SHAPES[shape]
    network = DLRM(config)
    peer = peer_of(network)
    made = batches(config, size, pooling, 8)
    opened = [(b.dense, b.indices, tuple(starts[:-1] for starts in b.offsets)) for b in made]
    fast = FastInference(network)
    with torch.inference_mode():
        torch.testing.assert_close(fast(*opened[0]), peer(*opened[0]), rtol=1e-5, atol=1e-5)
        ways = {
            "module per table": in_turn(opened, lambda b: peer(*b)),
            "eager": in_turn(made, lambda b: network(b.dense, b.indices, b.offsets)),
            "fast": in_turn(made, lambda b: fast(b.dense, b.indices, b.offsets)),
        }
        seconds = interleaved(ways, 7, max(1, min(200, 4096 // size)))
        report(benchmark, seconds, "module per table")
        benchmark.pedantic(ways["fast"], rounds=5)


def jax_one_hot(network: DLRM) -> Callable[..., Any]:
    """The peer in JAX: one jitted function of dense features and row numbers [samples, tables]."""
    jax = pytest.importorskip("jax")
    jnp = jax.numpy
    state = {name: jnp.asarray(value.numpy()) for name, value in network.state_dict().items()}
    tables = jnp.concatenate([state[f"tables.{k}.weight"] for k in range(len(network.tables))])
    rows = [table.rows for table in network.config.tables]
    starts = jnp.asarray([sum(rows[:k]) for k in range(len(rows))])
    pairs = jnp.tril_indices(len(rows) + 1, -1)

    def mlp(name: str, x: Any, count: int, last_relu: bool) -> Any:
        for k in range(0, 2 * count, 2):
            x = x @ state[f"{name}.{k}.weight"].T + state[f"{name}.{k}.bias"]
            x = jax.nn.relu(x) if last_relu or k < 2 * count - 2 else x
        return x

    @jax.jit
    def run(dense: Any, ids: Any) -> Any:
        x = mlp("bottom", dense, len(network.config.bottom), True)
        vectors = jnp.concatenate([x[:, None], tables[ids + starts]], axis=1)
        products = jnp.einsum("bid,bjd->bij", vectors, vectors)
        mixed = jnp.concatenate([x, products[:, pairs[0], pairs[1]]], axis=1)
        return jax.nn.sigmoid(mlp("top", mixed, len(network.config.top), False)[:, 0])

    return run


@cache
def built(shape: int) -> dict[str, Callable[[Batch], Any]]:
    """Every way to run one model on a batch; compilers compile it for any number of samples."""
    config, _, pooling = SHAPES[shape]
    network = DLRM(config).requires_grad_(False)
    peer = peer_of(network)
    example = batches(config, 16, pooling, 1)[0]
    ways: dict[str, Callable[[Batch], Any]] = {
        "module per table": lambda b: peer(b.dense, b.indices, [starts[:-1] for starts in b.offsets])
    }
    for backend in backends():
        if backend.missing() is None and backend.name != "compile":  # the same code as aot's
            run = make_backend(backend.name, network, example)
            ways[backend.name] = lambda b, run=run: run(b.dense, b.indices, b.offsets)
    jax = jax_one_hot(network)
    ways["jax"] = lambda b: jax(b.dense.numpy(), torch.stack(b.indices, 1).numpy()).block_until_ready()
    return ways


@pytest.mark.benchmark(group="backends")
@pytest.mark.parametrize("shape", [0, 1], ids=NAMES[:2])
@pytest.mark.parametrize("size", [1, 16, 128, 2048])
def test_backends_against_a_module_per_table(benchmark: Any, shape: int, size: int) -> None:
    torch.set_num_threads(1)
    config, _, pooling = SHAPES[shape]
    made = batches(config, size, pooling, 8)
    ways = {name: in_turn(made, run) for name, run in built(shape).items()}
    with torch.inference_mode():
        seconds = interleaved(ways, 7, max(1, min(50, 2048 // size)))
    report(benchmark, seconds, "module per table")
    benchmark.pedantic(ways["fast"], rounds=5)


@pytest.mark.benchmark(group="precisions")
@pytest.mark.parametrize("shape", range(len(SHAPES)), ids=NAMES)
def test_precisions_of_tables_and_mlps(benchmark: Any, shape: int) -> None:
    torch.set_num_threads(1)
    config, _, pooling = SHAPES[shape]
    network = DLRM(config)
    made = batches(config, 512, pooling, 4)
    ways = {}
    for bits in ((32, 32), (8, 32), (4, 32), (32, 16), (32, 8), (4, 8)):
        run = quantized(network, *bits)
        ways[f"tables {bits[0]}, MLPs {bits[1]}"] = in_turn(made, lambda b, run=run: run(b.dense, b.indices, b.offsets))
        share = quantized_bytes(config, *bits) / config.bytes
        benchmark.extra_info[f"tables {bits[0]}, MLPs {bits[1]}, share of bytes"] = round(share, 4)
    report(benchmark, interleaved(ways, 5, 2), "tables 32, MLPs 32")
    benchmark.pedantic(ways["tables 4, MLPs 8"], rounds=3)


@pytest.mark.benchmark(group="training")
@pytest.mark.parametrize(("shape", "size"), [(0, 128), (0, 2048), (1, 128), (1, 2048), (2, 2048)])
def test_training_against_a_module_per_table(benchmark: Any, shape: int, size: int) -> None:
    torch.set_num_threads(1)
    config, _, pooling = SHAPES[shape]
    network = DLRM(config)
    made = batches(config, size, pooling, 4)
    peer = peer_of(network)
    sgd = torch.optim.SGD(peer.parameters(), lr=0.01)
    forward, optimizer = FastForward(network), make_optimizer("sgd", network)

    def ours(batch: Batch) -> float:
        loss = click_loss(forward(batch), batch.label)
        loss.backward()
        optimizer.step(0.01, forward.taken())
        return loss.item()

    def theirs(batch: Batch) -> float:
        probability = peer(batch.dense, batch.indices, [starts[:-1] for starts in batch.offsets])
        loss = torch.nn.functional.binary_cross_entropy(probability, batch.label)
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        return loss.item()

    for batch in made:
        assert ours(batch) == pytest.approx(theirs(batch), rel=1e-4)
    ways = {"module per table": in_turn(made, theirs), "fast": in_turn(made, ours)}
    seconds = interleaved(ways, 7, 10 if size == 128 else 1)
    report(benchmark, seconds, "module per table")
    benchmark.pedantic(ways["fast"], rounds=3)
