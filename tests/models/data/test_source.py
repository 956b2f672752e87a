"""Batches from samples: every sample once per epoch, its lookups with it, in an order of seed and epoch alone."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow import HotrowError
from hotrow.models.config import ModelConfig, TableConfig
from hotrow.models.data.source import Columns, Source, TraceSource, batches
from hotrow.tracegen.trace import TableLookups, Trace

CONFIG = ModelConfig("m", 2, (4,), (1,), "dot", (TableConfig("a", 1000, 4), TableConfig("b", 50, 4)))


def log(samples: int, features: bool = True) -> Trace:
    """Sample s looks up row s of a, and s, s + 1, … (s mod 4 of them) of b."""
    sizes = np.arange(samples) % 4
    offsets = np.concatenate(([0], np.cumsum(sizes)))
    bags = np.concatenate([[(s + k) % 50 for k in range(s % 4)] for s in range(samples)]).astype(np.int64)
    tables = (TableLookups("a", 1000, np.arange(samples)), TableLookups("b", 50, bags, offsets))
    if not features:
        return Trace(tables)
    return Trace(tables, dense=np.arange(2.0 * samples).reshape(-1, 2), label=np.arange(samples) % 2)


def gathered(source: Source, epoch: int) -> list[tuple]:
    """(row of a, rows of b, dense, label) of every sample of an epoch."""
    found = []
    for k in range(batches(source)):
        b = source.batch(epoch, k)
        assert all(rows.dtype == starts.dtype for rows, starts in zip(b.indices, b.offsets, strict=True))
        for s in range(b.samples):
            parts = [
                rows[starts[s] : starts[s + 1]].tolist() for rows, starts in zip(b.indices, b.offsets, strict=True)
            ]
            found.append((tuple(parts[0]), tuple(parts[1]), tuple(b.dense[s].tolist()), b.label[s].item()))
    return found


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 30), st.integers(1, 9), st.sampled_from(["none", "day", "total"]), st.booleans())
def test_every_sample_once_with_its_own(samples: int, size: int, order: str, features: bool) -> None:
    columns = Columns.of(log(samples, features))
    days = (samples // 2, samples - samples // 2) if samples > 1 else (samples,)
    source = TraceSource(CONFIG, columns, size, 3, order, days)  # type: ignore[arg-type]
    plain = gathered(TraceSource(CONFIG, columns, samples, 3), 0)
    for epoch in (0, 1):
        found = gathered(source, epoch)
        assert sorted(found) == sorted(plain)
        if order == "none":
            assert found == plain
        if order == "day":
            assert sorted(found[: days[0]]) == sorted(plain[: days[0]])
        assert found == gathered(TraceSource(CONFIG, columns, size, 3, order, days), epoch)  # type: ignore[arg-type]


def test_epochs_and_seeds_shuffle_differently() -> None:
    columns = Columns.of(log(30))
    orders = [gathered(TraceSource(CONFIG, columns, 8, seed, "total"), epoch) for seed in (0, 1) for epoch in (0, 1)]
    assert all(a != b for k, a in enumerate(orders) for b in orders[:k])


def test_what_is_added_is_said() -> None:
    small = ModelConfig("m", 3, (4,), (1,), "dot", (TableConfig("a", 7, 4), TableConfig("b", 50, 4)))
    source = TraceSource(small, Columns.of(log(9, features=False)), 4, 1)
    assert [note.split(":")[0] for note in source.notes] == [
        "the data have no dense features",
        "the data have no labels",
        "ids modulo the model's rows in 1 of 2 tables",
    ]
    batch = source.batch(0, 2)
    assert batch.indices[0].tolist() == [8 % 7]
    assert batch.dense.shape == (1, 3)
    assert batch.label.item() in (0, 1)
    assert TraceSource(CONFIG, Columns.of(log(9)), 4).notes == ()


def test_a_part_of_the_columns() -> None:
    part = Columns.of(log(20)).between(5, 9)
    assert part.samples == 4
    assert gathered(TraceSource(CONFIG, part, 3), 0) == gathered(TraceSource(CONFIG, Columns.of(log(20)), 3), 0)[5:9]


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (
            {"config": ModelConfig("m", 2, (4,), (1,), "dot", (TableConfig("a", 9, 4),))},
            "has 1 tables but the data have 2",
        ),
        (
            {"config": ModelConfig("m", 5, (4,), (1,), "dot", CONFIG.tables)},
            "takes 5 dense features but the data have 2",
        ),
        ({"size": 0}, "batches of 0 samples"),
        ({"order": "random"}, "unknown order 'random'; known are none, day, total"),
        ({"days": (3, 4)}, "days of 7 samples; the data have 9"),
        ({"columns": Columns.of(log(9)).between(3, 3)}, "no samples to train or test on"),
        ({"columns": replace(Columns.of(log(9)), label=np.arange(9, dtype=np.float32))}, "sample 8: label 8; a click"),
    ],
)
def test_what_is_refused(change: dict, rule: str) -> None:
    with pytest.raises(HotrowError, match=rule):
        TraceSource(**({"config": CONFIG, "columns": Columns.of(log(9)), "size": 2} | change))
