"""torch.compile and AOTInductor as backends: the model traced once, for any batch and bag sizes, compiled as C++."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim

from ..dlrm import DLRM
from ..embedding import check_lookups
from ..fast.inference import Predict
from ..inputs import Batch


class Traceable(nn.Module):
    """A model without its checks, which depend on values and cannot be traced; offsets are closed."""

    def __init__(self, model: DLRM) -> None:
        super().__init__()
        self.bottom, self.top, self.tables, self.interaction = model.bottom, model.top, model.tables, model.interaction
        self.sigmoid_last = model.sigmoid_last

    def forward(self, dense: Tensor, indices: list[Tensor], offsets: list[Tensor]) -> Tensor:
        """Click probability [samples]."""
        pooled = [
            table.pooled(rows, starts, True)  # type: ignore[operator]  # attributes of modules are unknown to mypy
            for table, rows, starts in zip(self.tables, indices, offsets, strict=True)
        ]
        logits = self.top(self.interaction(self.bottom(dense), pooled)).squeeze(1)
        return torch.sigmoid(logits) if self.sigmoid_last else torch.relu(logits)


def compiled(model: DLRM, batch: Batch) -> Predict:
    """The model by torch.compile, for any number of samples; compiles when called first."""
    run = torch.compile(Traceable(model), dynamic=True)
    return _checked(model, lambda *inputs: run(*inputs))


def ahead_of_time(model: DLRM, batch: Batch) -> Predict:
    """The model compiled by AOTInductor into a library, loaded from it; any number of samples from 2 on is one graph.

    A batch of one sample, which export would take as a number of its own, runs twice the sample.
    """
    samples = Dim("samples", min=2, max=2**24)
    example = _example(batch)
    shapes = ({0: samples}, [{0: Dim.DYNAMIC} for _ in batch.indices], [{0: samples + 1} for _ in batch.offsets])
    with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch's own, of its own code
        program = torch.export.export(Traceable(model).eval(), example, dynamic_shapes=shapes)
        with tempfile.TemporaryDirectory() as folder:
            package = torch._inductor.aoti_compile_and_package(program, package_path=str(Path(folder) / "model.pt2"))
            run = torch._inductor.aoti_load_package(package)

    def call(dense: Tensor, indices: list[Tensor], offsets: list[Tensor]) -> Any:
        if len(dense) < 2:
            return run(*_doubled(dense, indices, offsets))[:1]
        return run(dense, indices, offsets)

    return _checked(model, call)


def _checked(model: DLRM, run: Any) -> Predict:
    @torch.inference_mode()
    def predict(dense: Tensor, indices: Sequence[Tensor], offsets: Sequence[Tensor]) -> Tensor:
        model.check(dense, indices, offsets)
        for config, rows, starts in zip(model.config.tables, indices, offsets, strict=True):
            least, most = torch.aminmax(rows) if len(rows) else (0, 0)
            if least < 0 or most >= config.rows:  # compiled code need not look
                check_lookups(config, rows, starts)
        result: Tensor = run(*_closed(dense, indices, offsets))
        return result

    return predict


def _closed(
    dense: Tensor, indices: Sequence[Tensor], offsets: Sequence[Tensor]
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Offsets with the end of the last bag."""
    starts = [
        ends if len(ends) > len(dense) else torch.cat([ends, ends.new_tensor([len(rows)])])
        for rows, ends in zip(indices, offsets, strict=True)
    ]
    return dense, list(indices), starts


def _example(batch: Batch) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Three samples of these types, and a number of ids of its own for every table, lest one stand for another."""
    counts = [5 + k for k in range(len(batch.indices))]
    return (
        torch.zeros(3, batch.dense.shape[1]),
        [rows.new_zeros(count) for rows, count in zip(batch.indices, counts, strict=True)],
        [ends.new_tensor([0, 1, 2, count]) for ends, count in zip(batch.offsets, counts, strict=True)],
    )


def _doubled(dense: Tensor, indices: list[Tensor], offsets: list[Tensor]) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """One sample twice."""
    return (
        dense.repeat(2, 1),
        [rows.repeat(2) for rows in indices],
        [torch.stack([ends[0], ends[1], 2 * ends[1]]) for ends in offsets],
    )
