"""Foreign models: the benchmark's checkpoints come in, code does not."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from hotrow import HotrowError
from hotrow.models.config import ModelConfig, TableConfig
from hotrow.models.dlrm import DLRM
from hotrow.models.training.foreign import load_any_model
from hotrow.models.training.state import save_model

CONFIG = ModelConfig("m", 3, (4,), (1,), "dot", (TableConfig("a", 9, 4), TableConfig("b", 5, 4)))


class Code:
    """Runs code where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return (open, (str(self.mark), "w"))


def checkpoint(model: DLRM) -> dict:
    """As the benchmark writes it, numpy scalars included."""
    names = {"tables": "emb_l", "bottom": "bot_l", "top": "top_l"}
    state = {}
    for name, value in model.state_dict().items():
        part, _, rest = name.partition(".")
        state[f"{names[part]}.{rest}"] = value
    return {
        "nepochs": 1,
        "test_acc": np.float64(0.78),
        "test_auc": np.float32(0.8),
        "iter": np.int64(3),
        "train_loss": np.float64(0.45),
        "state_dict": state,
        "opt_state_dict": {"state": {}, "param_groups": [{"lr": 0.1, "params": [0, 1]}]},
    }


def test_the_benchmarks_checkpoint(tmp_path: Path) -> None:
    model, other = DLRM(CONFIG, 1), DLRM(CONFIG, 2)
    torch.save(checkpoint(model), tmp_path / "dlrm.pt")
    load_any_model(tmp_path / "dlrm.pt", other)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))


def test_our_own(tmp_path: Path) -> None:
    model, other = DLRM(CONFIG, 1), DLRM(CONFIG, 2)
    save_model(tmp_path / "own.pt", model)
    load_any_model(tmp_path / "own.pt", other)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("write", [torch.save, lambda value, path: Path(path).write_bytes(pickle.dumps(value))])
def test_code_is_refused_and_does_not_run(tmp_path: Path, write: object) -> None:
    assert callable(write)
    path, mark = tmp_path / "evil.pt", tmp_path / "mark"
    write({"state_dict": {}, "x": Code(mark)}, path)
    before = path.read_bytes()
    with pytest.raises(HotrowError, match=r"evil\.pt: (refused, it holds more than data|not a whole file)"):
        load_any_model(path, DLRM(CONFIG))
    assert not mark.exists()
    assert path.read_bytes() == before


def test_missing_and_unexpected_are_named(tmp_path: Path) -> None:
    saved = checkpoint(DLRM(CONFIG))
    del saved["state_dict"]["emb_l.1.weight"]
    saved["state_dict"]["emb_l.7.weight"] = torch.zeros(2, 4)
    torch.save(saved, tmp_path / "dlrm.pt")
    with pytest.raises(HotrowError, match=r"missing tables\.1\.weight; unexpected tables\.7\.weight"):
        load_any_model(tmp_path / "dlrm.pt", DLRM(CONFIG))
    torch.save({"state_dict": {"conv.weight": torch.zeros(1)}}, tmp_path / "other.pt")
    with pytest.raises(HotrowError, match=r"unexpected conv\.weight"):
        load_any_model(tmp_path / "other.pt", DLRM(CONFIG))


def test_what_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(HotrowError, match="no such file"):
        load_any_model(tmp_path / "none.pt", DLRM(CONFIG))
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(HotrowError, match="holds a list; a dict"):
        load_any_model(tmp_path / "list.pt", DLRM(CONFIG))
    (tmp_path / "cut.pt").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(HotrowError, match="not a whole file"):
        load_any_model(tmp_path / "cut.pt", DLRM(CONFIG))


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ({"state_dict": {"emb_l.0.weight": "text"}}, "emb_l.0.weight: a str where a weight is needed"),
        ({"state_dict": [1]}, "a list, not weights by name"),
        ({3: torch.zeros(1)}, "unexpected 3"),
    ],
)
def test_what_holds_no_weights(tmp_path: Path, content: object, rule: str) -> None:
    torch.save(content, tmp_path / "c.pt")
    with pytest.raises(HotrowError, match=rule):
        load_any_model(tmp_path / "c.pt", DLRM(CONFIG))
