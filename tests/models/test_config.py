"""Configurations: what fits, what does not, presets and scaling."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow import HotrowError
from hotrow.models.config import ModelConfig, TableConfig, for_trace, load_preset, presets
from hotrow.models.tables import QuotientRemainder
from hotrow.tracegen.trace import TableLookups, Trace

TINY = ModelConfig("tiny", 3, (4, 2), (5, 1), "dot", (TableConfig("a", 10, 2), TableConfig("b", 7, 2, 3.5)))


def test_presets_have_their_published_sizes() -> None:
    assert {"rm1", "rm2", "rm3", "criteo-kaggle"} <= set(presets())
    rm2 = load_preset("rm2")
    assert (len(rm2.tables), rm2.dim, rm2.lookups, rm2.interaction_width) == (32, 64, 3840, 33 * 64)
    assert sum(table.parameters for table in rm2.tables) == 32 * 500_000 * 64
    kaggle = load_preset("criteo-kaggle")
    assert len(kaggle.tables) == 26
    assert sum(table.rows for table in kaggle.tables) == 33_762_577  # the count the challenge's users report
    assert kaggle.interaction_width == 16 + 27 * 26 // 2
    assert all(load_preset(name).source for name in presets())


def test_parameters_count_every_weight() -> None:
    bottom, top = (3 + 1) * 4 + (4 + 1) * 2, (5 + 1) * 5 + (5 + 1) * 1
    assert TINY.interaction_width == 5
    assert TINY.parameters == bottom + top + 20 + 14
    assert TINY.bytes == 4 * TINY.parameters
    itself = msgspec.structs.replace(TINY, interaction_itself=True)
    assert itself.interaction_width == 2 + 6
    assert msgspec.structs.replace(TINY, interaction="cat").interaction_width == 6


@given(st.floats(1e-6, 4), st.lists(st.integers(1, 10**7), min_size=1, max_size=5))
@settings(max_examples=50, deadline=None)
def test_scaling_rounds_rows_and_keeps_at_least_one(factor: float, rows: list[int]) -> None:
    tables = tuple(TableConfig(str(k), n, 2) for k, n in enumerate(rows))
    scaled = msgspec.structs.replace(TINY, tables=tables).scaled(factor)
    for n, table in zip(rows, scaled.tables, strict=True):
        assert table.rows == max(1, round(n * factor))
    assert scaled.top == TINY.top
    assert factor == 1 or f"{factor:g}" in scaled.name


def test_the_tables_of_a_trace_replace_those_of_a_preset() -> None:
    trace = Trace(
        (TableLookups("x", 9, np.array([0, 8, 3])), TableLookups("y", 0, np.zeros(0, int), np.zeros(4, int))),
        dense=np.zeros((3, 6), np.float32),
    )
    config = for_trace(load_preset("criteo-kaggle"), trace)
    assert [(t.name, t.rows, t.dim, t.pooling) for t in config.tables] == [("x", 9, 16, 1.0), ("y", 1, 16, 0.0)]
    assert config.dense == 6
    assert config.bottom == load_preset("criteo-kaggle").bottom


def test_a_configuration_survives_json() -> None:
    assert msgspec.json.decode(msgspec.json.encode(TINY), type=ModelConfig) == TINY


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tables": (TableConfig("wide", 3, 8),)}, r"'wide' has dim 8 but the bottom MLP ends in 2"),
        ({"top": (5, 2)}, "ends in 2; it must end in 1"),
        ({"top": ()}, "top is \\[\\]"),
        ({"bottom": (0, 2)}, "at least 1 wide"),
        ({"dense": 0}, "0 dense"),
        ({"tables": ()}, "no tables"),
        ({"tables": TINY.tables * 2}, "'a' stands twice"),
        ({"interaction": "cat", "interaction_itself": True}, "belongs to dot"),
        ({"interaction": "dcnv2", "cross_layers": 2}, "cross_layers 2 and cross_rank 0; dcnv2 needs both"),
        ({"cross_rank": 2}, "no other interaction has them"),
        ({"sigmoid_bottom": 2}, "sigmoid_bottom is 2; its layers are 0 to 1"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(HotrowError, match=message):
        msgspec.structs.replace(TINY, **change)


@pytest.mark.parametrize("factor", [0, -1, float("nan"), float("inf")])
def test_a_scale_must_be_positive(factor: float) -> None:
    with pytest.raises(HotrowError, match="scale"):
        TINY.scaled(factor)


def test_a_table_without_rows_or_with_nan_pooling_is_refused() -> None:
    with pytest.raises(HotrowError, match="rows is 0"):
        TableConfig("t", 0, 2)
    with pytest.raises(HotrowError, match="pooling is nan"):
        TableConfig("t", 1, 2, float("nan"))


def test_an_unknown_preset_suggests_the_nearest() -> None:
    with pytest.raises(HotrowError, match="did you mean 'criteo-kaggle'"):
        load_preset("criteo_kagle")


GOOD = 'dense = 2\nbottom = [4]\ntop = [1]\ninteraction = "cat"\n[[tables]]\nrows = [5, 6]\npooling = 2\n'


def test_a_preset_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(GOOD)
    own = load_preset(tmp_path / "own.toml")
    assert own.name == "own"
    assert [(t.name, t.rows, t.pooling) for t in own.tables] == [("f0", 5, 2.0), ("f1", 6, 2.0)]


def test_a_preset_may_compress_its_tables(tmp_path: Path) -> None:
    storage = 'storage = { type = "quotient-remainder", collisions = 2 }\nweights = "learned"\ndim = 3\n'
    (tmp_path / "own.toml").write_text(GOOD + storage)
    table = load_preset(tmp_path / "own.toml").tables[0]
    assert table == TableConfig("f0", 5, 3, 2.0, QuotientRemainder(2), "learned")
    assert (table.stored_rows, table.parameters) == ((3, 2), 5 * 3 + 5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace("[5, 6]", "[5, 6]\ncount = 3"), "differ in length"),
        (GOOD.replace('"cat"', '"dcn"'), r"own.toml: .*interaction"),
        (GOOD.replace("dense", "dens"), "own.toml: .*dens"),
        (GOOD.replace("[4]", "[]"), "bottom is"),
        (GOOD.replace("[5, 6]", '"many"'), r"own.toml: .*rows"),
        (GOOD.replace("[5, 6]", "0"), "rows is 0"),
        (GOOD + 'storage = { type = "tensor-train" }', r"own.toml: .*storage"),
        (GOOD + 'storage = { type = "hashed", buckets = 0 }', "buckets is 0"),
        (GOOD + "dim = 9", "dim 9 but the bottom MLP ends in 4"),
        ("dense = ", "not TOML"),
    ],
)
def test_a_faulty_preset_names_file_and_field(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "own.toml").write_text(text)
    with pytest.raises(HotrowError, match=message):
        load_preset(tmp_path / "own.toml")


def test_a_missing_preset_file(tmp_path: Path) -> None:
    with pytest.raises(HotrowError, match=r"none\.toml: cannot be read"):
        load_preset(tmp_path / "none.toml")
