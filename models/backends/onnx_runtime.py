"""ONNX Runtime as a backend, and the check of a written ONNX file by running it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ... import HotrowError
from ..dlrm import DLRM
from ..embedding import check_lookups
from ..fast.inference import Predict
from ..inputs import Batch
from .onnx_graph import feeds, save_onnx

NEAR = 1e-5  # what probabilities may differ by


def onnx_runtime(model: DLRM, one_hot: bool) -> Predict:
    """The model in ONNX Runtime, on as many threads as torch has; the file is gone once it is read."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        save_onnx(model, path, one_hot)
        session = _session(path)

    def predict(dense: Tensor, indices: Sequence[Tensor], offsets: Sequence[Tensor]) -> Tensor:
        model.check(dense, indices, offsets)
        try:
            (probability,) = session.run(None, feeds(one_hot, dense, indices, offsets))
        except Exception as error:  # onnxruntime's own kinds of RuntimeError and ValueError
            for config, rows, starts in zip(model.config.tables, indices, offsets, strict=True):
                check_lookups(config, rows, starts)
            raise HotrowError(f"ONNX Runtime refuses this batch: {str(error).splitlines()[0]}") from error
        return torch.from_numpy(probability)

    return predict


def check_onnx(path: str | Path, model: DLRM, batch: Batch, one_hot: bool) -> float:
    """Run a written file on a batch; the largest difference from the model's probabilities.

    Raises HotrowError where that exceeds 1e-5, or where onnxruntime is not installed.
    """
    (probability,) = _session(Path(path)).run(None, feeds(one_hot, batch.dense, batch.indices, batch.offsets))
    with torch.inference_mode():
        expected = model(batch.dense, batch.indices, batch.offsets)
    difference = float((torch.from_numpy(probability) - expected).abs().max())
    if not difference <= NEAR:
        raise HotrowError(f"{path}: its probabilities differ from the model's by {difference:.2g}, more than {NEAR}")
    return difference


def _session(path: Path) -> Any:
    try:
        import onnxruntime  # type: ignore[import-untyped, import-not-found, unused-ignore]
    except ImportError as error:
        raise HotrowError("running ONNX needs the package onnxruntime: pip install 'hotrow[export]'") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
