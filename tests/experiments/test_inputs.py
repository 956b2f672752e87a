"""A model and a trace by their names, for every question alike."""

from pathlib import Path

import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.experiments.inputs import inputs, machine
from hotrow.tracegen import files
from hotrow.tracegen.trace import TableLookups, Trace


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(2)
    offsets = np.concatenate(([0], np.cumsum(np.arange(100) % 5)))
    bags = TableLookups("bags", 1000, rng.integers(0, 1000, int(offsets[-1])), offsets)
    files.write(Trace((TableLookups("one", 50, rng.integers(0, 50, 100)), bags)), tmp_path / "t.npz")
    return tmp_path


def test_uniform_ids_fill_the_models_own_tables() -> None:
    config, trace = inputs("rm1", None, 0.001, lookups=5000)
    assert [t.rows for t in trace.tables] == [t.rows for t in config.tables]
    assert trace.accesses == pytest.approx(5000, rel=0.2)
    assert inputs("rm1", "uniform", 0.001, lookups=5000)[1].equals(trace)
    assert inputs("rm1", None, 0.001, lookups=5000, samples=70)[1].samples == 70


def test_a_file_is_cut_but_its_model_is_the_whole_files(folder: Path) -> None:
    config, part = inputs("criteo-kaggle", "t.npz", lookups=30, folder=folder)
    assert [(t.name, t.rows, t.pooling) for t in config.tables] == [("one", 50, 1.0), ("bags", 1000, 2.0)]
    assert part.samples == 10
    assert inputs("criteo-kaggle", "t.npz", lookups=30, samples=40, folder=folder)[1].samples == 40
    assert inputs("criteo-kaggle", "t.npz", lookups=30, samples=4000, folder=folder)[1].samples == 100
    whole = inputs("criteo-kaggle", "t.npz", lookups=None, folder=folder)[1]
    assert whole.equals(files.read(folder / "t.npz"))


def test_ids_are_taken_modulo_a_smaller_models_rows(folder: Path) -> None:
    config, trace = inputs("criteo-kaggle", "t.npz", 0.1, folder=folder)
    assert [t.rows for t in config.tables] == [t.rows for t in trace.tables] == [5, 100]
    whole = files.read(folder / "t.npz")
    for own, table in zip(trace.tables, whole.tables, strict=True):
        assert np.array_equal(own.indices, table.indices % own.rows)


def test_a_built_in_profile_is_drawn_as_long_as_asked() -> None:
    config, trace = inputs("criteo-kaggle", "meta-2021", lookups=3000)
    assert trace.accesses == pytest.approx(3000, rel=0.3)
    assert len(config.tables) == len(trace.tables)


def test_models_and_machines_are_files_of_the_folder_first(folder: Path) -> None:
    (folder / "wide.toml").write_text('base = "skylake"\ncores = 99\n')
    assert machine("wide.toml", folder).cores.value == 99
    assert machine("skylake", folder).cores.value != 99
    with pytest.raises(HotrowError, match="unknown preset 'none'"):
        inputs("none", folder=folder)
    with pytest.raises(HotrowError, match="no such file"):
        inputs("rm1", "none.npz", folder=folder)
