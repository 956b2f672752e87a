"""Every backend gives the model's probabilities within 1e-5, in bags of one id and of any, or says what is wrong."""

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hotrow import HotrowError
from hotrow.models.backends import backends as backends_module
from hotrow.models.backends.backends import backends, make_backend, one_id_each
from hotrow.models.config import ModelConfig, TableConfig
from hotrow.models.dlrm import DLRM
from hotrow.models.inputs import Batch
from hotrow.models.tables import Hashed, QuotientRemainder

COMPILING = ("compile", "aot")
TABLES = (
    TableConfig("a", 60, 8),
    TableConfig("b", 40, 8, storage=Hashed(7)),
    TableConfig("c", 30, 8, storage=QuotientRemainder(4, "add")),
    TableConfig("d", 20, 4, weights="learned"),
    TableConfig("e", 20, 4, storage=QuotientRemainder(3, "concat")),
)
KINDS: dict[str, dict[str, Any]] = {
    "dot": {"interaction": "dot"},
    "itself": {"interaction": "dot", "interaction_itself": True},
    "cat": {"interaction": "cat"},
    "dcnv2": {"interaction": "dcnv2", "cross_layers": 2, "cross_rank": 3},
}


def config(kind: str, tables: tuple[TableConfig, ...] = TABLES) -> ModelConfig:
    return ModelConfig("m", 3, (9, 8), (10, 1), tables=tables, **KINDS[kind])


def batch(config: ModelConfig, samples: int, one_hot: bool, seed: int) -> Batch:
    rng = np.random.default_rng(seed)
    sizes = [np.ones(samples, int) if one_hot else rng.integers(0, 4, samples) for _ in config.tables]
    ends = [np.concatenate(([0], np.cumsum(size))).astype(np.int32) for size in sizes]
    ids = [rng.integers(0, t.rows, int(e[-1]), dtype=np.int32) for t, e in zip(config.tables, ends, strict=True)]
    dense = torch.from_numpy(rng.standard_normal((samples, config.dense), np.float32))
    tensors = tuple(map(torch.from_numpy, ids)), tuple(map(torch.from_numpy, ends))
    return Batch(dense, *tensors, torch.zeros(samples))


def skip_without(name: str) -> None:
    if name in COMPILING and not shutil.which("g++"):
        pytest.skip("no g++")
    if name == "onnx":
        pytest.importorskip("onnxruntime")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("one_hot", [True, False])
@pytest.mark.parametrize("name", ["eager", "fast", "onnx"])
def test_the_same_probabilities(name: str, kind: str, one_hot: bool) -> None:
    skip_without(name)
    for tables in (TABLES, TABLES[:1]):
        model = DLRM(config(kind, tables), 4)
        run = make_backend(name, model, batch(model.config, 5, one_hot, 0))
        for samples in (1, 2, 5, 40):
            one = batch(model.config, samples, one_hot, samples)
            opened = [ends[:-1] for ends in one.offsets]
            expected = model(one.dense, one.indices, one.offsets).detach()
            for offsets in (one.offsets, opened):
                torch.testing.assert_close(run(one.dense, one.indices, offsets), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", COMPILING)
def test_compilers_give_the_same_probabilities(name: str) -> None:
    skip_without(name)
    model = DLRM(config("dot"), 4)
    run = make_backend(name, model, batch(model.config, 5, False, 0))
    for samples in (1, 2, 5, 40):
        one = batch(model.config, samples, False, samples)
        expected = model(one.dense, one.indices, one.offsets).detach()
        torch.testing.assert_close(run(one.dense, one.indices, one.offsets), expected, rtol=0, atol=1e-5)
    wrong = (torch.full_like(one.indices[0], 60), *one.indices[1:])
    with pytest.raises(HotrowError, match=r"table 'a', sample \d+: index 60; the table has 60 rows"):
        run(one.dense, wrong, one.offsets)


@pytest.mark.parametrize("name", ["eager", "fast", "onnx"])
@pytest.mark.parametrize("one_hot", [True, False])
def test_an_index_out_of_range_is_named(name: str, one_hot: bool) -> None:
    skip_without(name)
    model = DLRM(config("dot", TABLES[:1]))
    one = batch(model.config, 6, one_hot, 3)
    run = make_backend(name, model, one)
    with pytest.raises(HotrowError, match=r"table 'a', sample \d: index 60; the table has 60 rows"):
        run(one.dense, [torch.full_like(one.indices[0], 60)], one.offsets)


def test_unknown_and_missing_backends_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    model = DLRM(config("cat", TABLES[:1]))
    one = batch(model.config, 2, True, 0)
    with pytest.raises(HotrowError, match="unknown backend 'glow'; known are eager, fast, compile, aot, onnx"):
        make_backend("glow", model, one)
    monkeypatch.setattr(backends_module.shutil, "which", lambda name: None)
    with pytest.raises(HotrowError, match=r"backend 'aot' needs a C\+\+ compiler"):
        make_backend("aot", model, one)
    monkeypatch.setattr(backends_module.importlib.util, "find_spec", lambda name: None)
    assert {b.name for b in backends() if b.missing() is None} == {"eager", "fast"}
    with pytest.raises(HotrowError, match="needs onnx and onnxruntime: pip install"):
        make_backend("onnx", model, one)
    with pytest.raises(HotrowError, match="compared in float32"):
        make_backend("eager", DLRM(config("cat"), dtype=torch.bfloat16), one)


def test_bags_of_one_id_each_are_told_from_others() -> None:
    model = config("cat", TABLES[:2])
    assert one_id_each(batch(model, 4, True, 0))
    one = batch(model, 4, True, 0)
    shifted = torch.tensor([0, 0, 2, 3, 4])
    assert not one_id_each(Batch(one.dense, one.indices, (one.offsets[0], shifted), one.label))


def test_a_written_file_is_checked_by_running_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    from hotrow.models.backends import onnx_graph
    from hotrow.models.backends.onnx_runtime import check_onnx

    model = DLRM(config("itself"), 1)
    one = batch(model.config, 7, False, 1)
    onnx_graph.save_onnx(model, tmp_path / "model.onnx")
    assert check_onnx(tmp_path / "model.onnx", model, one, False) <= 1e-5
    with pytest.raises(HotrowError, match="differ from the model's by"):
        check_onnx(tmp_path / "model.onnx", DLRM(config("itself"), 2), one, False)
    monkeypatch.setattr(onnx_graph, "BESIDE", 0)
    onnx_graph.save_onnx(model, tmp_path / "large.onnx")
    assert (tmp_path / "large.onnx.data").is_file()
    assert check_onnx(tmp_path / "large.onnx", model, one, False) <= 1e-5
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(HotrowError, match=r"needs the package onnx: pip install 'hotrow\[export\]'"):
        onnx_graph.save_onnx(model, tmp_path / "none.onnx")
