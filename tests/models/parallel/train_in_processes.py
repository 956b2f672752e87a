"""Trains several models in the processes of torchrun; rank 0 writes losses, tests, weights and times to argv[1]."""

import json
import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from hotrow.models.config import ModelConfig, TableConfig
from hotrow.models.data.distributions import Pooling
from hotrow.models.data.random_source import RandomSource
from hotrow.models.parallel.model import ParallelDLRM
from hotrow.models.parallel.placement import place
from hotrow.models.parallel.training import ParallelTrainer, all_times, process_group
from hotrow.models.tables import Hashed, QuotientRemainder
from hotrow.models.training.schedule import Schedule
from hotrow.models.training.state import resume_training, save_training
from hotrow.models.training.train import Trainer, Training

PLAIN = tuple(TableConfig(f"t{k}", 5 + 7 * k, 8) for k in range(5))
MIXED = (
    TableConfig("a", 30, 8, weights="learned"),
    TableConfig("b", 40, 4),
    TableConfig("c", 30, 8, storage=Hashed(7)),
    TableConfig("d", 20, 8, storage=QuotientRemainder(3)),
)
# name: interaction, tables, batch size, accumulated batches, optimizer, placement
CASES: dict[str, tuple[dict[str, Any], tuple[TableConfig, ...], int, int, Any, Any]] = {
    "dot": ({"interaction": "dot"}, PLAIN, 8, 1, "sgd", "bytes"),
    "cat": ({"interaction": "cat"}, PLAIN, 8, 2, "sgd", "round-robin"),
    "bags": ({"interaction": "dot", "interaction_itself": True}, MIXED, 8, 1, "rwsadagrad", "bytes"),
    "uneven": ({"interaction": "dcnv2", "cross_layers": 1, "cross_rank": 2}, PLAIN[:3], 3, 1, "adagrad", "round-robin"),
}


def trainer(name: str, parallel: bool) -> Trainer:
    kind, tables, size, accumulate, optimizer, rule = CASES[name]
    config = ModelConfig("m", 3, (9, 8), (10, 1), tables=tables, **kind)
    bags = (Pooling(),) * len(tables) if name != "bags" else (Pooling(4, True),) * len(tables)
    source, test = (RandomSource(config, 22, size, seed, bags, round_labels=True) for seed in (1, 2))
    training = Training(Schedule(0.02), 2, optimizer, accumulate=accumulate, test_every=2)
    if parallel:
        model = ParallelDLRM(config, place(config, dist.get_world_size(), rule), 3)
        return ParallelTrainer(model, source, training, test)
    from hotrow.models.dlrm import DLRM

    return Trainer(DLRM(config, 3), source, training, test)


def outcome(made: Trainer) -> dict[str, Any]:
    list(made.run())
    progress = made.progress
    return {
        "losses": [point.loss for point in progress.points],
        "tests": [[test.metrics.loss, test.metrics.auc, test.metrics.accuracy] for test in progress.tests],
    }


def resumed(state: Path) -> dict[str, Any]:
    """Numbers of a training kept at its third batch and gone on with in a new model, and of the whole one."""
    whole, part, again = (trainer("bags", True) for _ in range(3))
    expected = outcome(whole)
    for number, _ in enumerate(part.run(), start=1):
        if number == 3:
            save_training(state, part, {})
            break
    dist.barrier()
    for parameter in again.model.parameters():
        parameter.detach().fill_(9)
    resume_training(state, again, {})
    return {"whole": expected, "again": outcome(again)}


def main(out: Path) -> None:
    torch.set_num_threads(1)
    with process_group():
        results = {"resumed": resumed(out.with_name("state.safetensors"))}
        for name in CASES:
            made = trainer(name, True)
            assert isinstance(made, ParallelTrainer)
            results[name] = outcome(made)
            state, times = made.weights(), all_times(made.parallel)
            results[name]["times"] = times
            if state is not None:
                results[name]["weights"] = {key: value.flatten().tolist() for key, value in state.items()}
        if dist.get_rank() == 0:
            out.write_text(json.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
