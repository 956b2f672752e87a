"""Backends behind one call: the same weights run by eager PyTorch, hotrow's kernels, compilers and ONNX Runtime.

What Caffe2, PyTorch and Glow were to the DLRM benchmark: one model, compared by who runs it.
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ... import HotrowError
from ..dlrm import DLRM
from ..fast.inference import FastInference, Predict
from ..inputs import Batch


@dataclass(frozen=True)
class Backend:
    """A way to run a frozen model. make: from the model and a batch like those to come; missing: what it lacks here."""

    name: str
    text: str
    make: Callable[[DLRM, Batch], Predict]
    missing: Callable[[], str | None]


def backends() -> tuple[Backend, ...]:
    """All backends, whether they can run here or not."""
    return (
        Backend("eager", "PyTorch, operator by operator", _eager, _nothing),
        Backend("fast", "hotrow's kernels", lambda model, batch: FastInference(model), _nothing),
        Backend("compile", "torch.compile, generated C++", _compiled, _needs_compiler),
        Backend("aot", "AOTInductor, compiled ahead into a library", _ahead, _needs_compiler),
        Backend("onnx", "ONNX Runtime", _onnx, lambda: _needs_packages("onnx", "onnxruntime")),
        Backend("jax", "JAX, compiled by XLA", _jax, lambda: _needs_packages("jax")),
    )


def make_backend(name: str, model: DLRM, batch: Batch) -> Predict:
    """The model as backend `name` runs it, called as the model is.

    batch: one like those to come; compilers trace it, and bags of one id each may then be all it takes. Raises
    HotrowError for an unknown name, or one that cannot run here or is not for this model.
    """
    by_name = {backend.name: backend for backend in backends()}
    if name not in by_name:
        raise HotrowError(f"unknown backend {name!r}; known are {', '.join(by_name)}")
    if lacking := by_name[name].missing():
        raise HotrowError(f"backend {name!r} {lacking}")
    if model.dtype != torch.float32:
        raise HotrowError(f"model {model.config.name!r} is {model.dtype}; backends are compared in float32")
    return by_name[name].make(model, batch)


def one_id_each(batch: Batch) -> bool:
    """Whether every bag of every table holds one id."""
    return all(
        len(rows) == batch.samples and bool((starts[: batch.samples] == torch.arange(batch.samples)).all())
        for rows, starts in zip(batch.indices, batch.offsets, strict=True)
    )


def _eager(model: DLRM, batch: Batch) -> Predict:
    @torch.inference_mode()
    def predict(dense: Tensor, indices: Sequence[Tensor], offsets: Sequence[Tensor]) -> Tensor:
        result: Tensor = model(dense, indices, offsets)
        return result

    return predict


def _compiled(model: DLRM, batch: Batch) -> Predict:
    from .compilers import compiled

    return compiled(model, batch)


def _ahead(model: DLRM, batch: Batch) -> Predict:
    from .compilers import ahead_of_time

    return ahead_of_time(model, batch)


def _onnx(model: DLRM, batch: Batch) -> Predict:
    from .onnx_runtime import onnx_runtime

    return onnx_runtime(model, one_id_each(batch))


def _jax(model: DLRM, batch: Batch) -> Predict:
    from .jax_model import jax_model

    return jax_model(model, one_id_each(batch))


def _nothing() -> str | None:
    return None


def _needs_compiler() -> str | None:
    return None if shutil.which("g++") or shutil.which("clang++") else "needs a C++ compiler (g++)"


def _needs_packages(*names: str) -> str | None:
    lacking = [name for name in names if importlib.util.find_spec(name) is None]
    return f"needs {' and '.join(lacking)}: pip install {' '.join(lacking)}" if lacking else None
