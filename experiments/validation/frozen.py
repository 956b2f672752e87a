"""The frozen list: what validation measures, drawn once from a seed and kept, so that no model chooses its own test.

Machines differ from day to day, so configurations are frozen and times are not. `develop` may be looked at and fitted;
`test` is only ever predicted.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Literal

import msgspec
import numpy as np

Part = Literal["develop", "test"]
Library = Literal["MKL", "oneDNN"]
Mode = Literal["inference", "training"]

SEED = 20261124
BAGS = {"develop": 300, "test": 100}
SHAPES = 84
MODELS = {"develop": 24, "test": 40}
DIMS = (8, 16, 32, 64, 128)
POOLINGS = (1, 20, 80)
BATCHES = (1, 4, 16, 64, 256, 512, 1024, 2048)
FEWEST_ROWS, MOST_ROWS = 1_000, 2_000_000
DEVELOP_TRACES = ("c2k_web07", "completejourney_75k", "meta-2021")
TEST_TRACES = ("c2k_orm_busy", "nycflights17", "meta-2022")  # none of which is developed on
ZIPF = ("zipf 0.6", "zipf 0.9", "zipf 1.05", "zipf 1.2")
LINEAR_BATCHES = (1, 2, 16, 64, 256, 1024)
WIDTHS = (1, 13, 16, 32, 64, 128, 256, 367, 512, 1024, 2048)
MODEL_BATCHES = (1, 4, 16, 64, 256, 1024)
MODEL_BYTES = 256 * 2**20


class Bag(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """embedding_bag: `batch` sums of `pooling` rows from a table [rows, dim]; ids uniform, "zipf s", or of a trace."""

    name: str
    part: Part
    rows: int
    dim: int
    pooling: int
    batch: int
    ids: str

    @property
    def lookups(self) -> int:
        """Rows asked for in one call."""
        return self.batch * self.pooling


class Layer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A linear layer without bias, fp32, in either library."""

    name: str
    part: Part
    batch: int
    inputs: int
    outputs: int


class Whole(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole model's step: tables of these rows, all of one pooling, ids as in Bag."""

    name: str
    part: Part
    mode: Mode
    batch: int
    dense: int
    bottom: tuple[int, ...]
    top: tuple[int, ...]
    interaction: Literal["cat", "dot"]
    rows: tuple[int, ...]
    pooling: int
    ids: str


class Frozen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every configuration, with the seed that drew them."""

    seed: int
    bags: tuple[Bag, ...]
    layers: tuple[Layer, ...]
    models: tuple[Whole, ...]


@cache
def frozen() -> Frozen:
    """The list as it is kept in frozen.json."""
    return msgspec.json.decode((resources.files(__package__) / "frozen.json").read_bytes(), type=Frozen)


def draw(seed: int = SEED) -> Frozen:
    """The list that this seed gives."""
    streams = [np.random.default_rng(stream) for stream in np.random.SeedSequence(seed).spawn(5)]
    parts: tuple[Part, Part] = ("develop", "test")
    bags = [_bag(f"bag {p} {k}", p, rng) for p, rng in zip(parts, streams[:2], strict=True) for k in range(BAGS[p])]
    layers = _layers(streams[2])
    models = [
        _model(f"model {p} {k}", p, k, rng) for p, rng in zip(parts, streams[3:], strict=True) for k in range(MODELS[p])
    ]
    return Frozen(seed, tuple(bags), tuple(layers), tuple(models))


def _bag(name: str, part: Part, rng: np.random.Generator) -> Bag:
    traces = DEVELOP_TRACES if part == "develop" else TEST_TRACES
    kind = rng.random()
    ids = "uniform" if kind < 0.35 else str(rng.choice(ZIPF if kind < 0.7 else traces))
    return Bag(
        name=name,
        part=part,
        rows=round(float(np.exp(rng.uniform(np.log(FEWEST_ROWS), np.log(MOST_ROWS))))),
        dim=int(rng.choice(DIMS)),
        pooling=int(rng.choice(POOLINGS)),
        batch=int(rng.choice(BATCHES)),
        ids=ids,
    )


def _layers(rng: np.random.Generator) -> list[Layer]:
    """Distinct shapes; every second one, in the order drawn, to develop on."""
    made: dict[tuple[int, int, int], Layer] = {}
    while len(made) < SHAPES:
        batch, inputs, outputs = (int(rng.choice(choices)) for choices in (LINEAR_BATCHES, WIDTHS[1:], WIDTHS))
        shape = batch, inputs, outputs
        if shape not in made:
            part: Part = "test" if len(made) % 2 else "develop"
            made[shape] = Layer(f"layer {part} {len(made)}", part, *shape)
    return list(made.values())


def _model(name: str, part: Part, k: int, rng: np.random.Generator) -> Whole:
    dim = int(rng.choice((16, 32, 64)))
    count = int(rng.integers(4, 27))
    most = MODEL_BYTES / (4 * dim * count)
    rows = np.exp(rng.uniform(np.log(FEWEST_ROWS), np.log(2 * most), count)).astype(int)
    wide = int(rng.choice((64, 128, 256, 512)))
    traces = DEVELOP_TRACES if part == "develop" else TEST_TRACES
    return Whole(
        name=name,
        part=part,
        mode="training" if k % 2 else "inference",
        batch=int(rng.choice(MODEL_BATCHES)),
        dense=int(rng.choice((13, 64, 256))),
        bottom=(wide, max(dim, wide // 2), dim),
        top=(int(rng.choice((128, 256, 512))), int(rng.choice((64, 128, 256))), 1),
        interaction="dot" if rng.random() < 0.5 else "cat",
        rows=tuple(map(int, rows)),
        pooling=int(rng.choice((1, 5, 20))),
        ids=str(rng.choice(("uniform", *ZIPF, *traces))),
    )
