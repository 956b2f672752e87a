"""Models from files: hotrow's own states and the DLRM benchmark's checkpoints, none of them trusted."""

from __future__ import annotations

import codecs
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ... import HotrowError
from ..checkpoint import import_benchmark, load_state
from ..dlrm import DLRM
from .state import load_model

ZIP, PICKLE = b"PK\x03\x04", b"\x80"
STATE = "state_dict"
SCALARS = (np.float64, np.float32, np.float16, np.int64, np.int32, np.uint8, np.bool_)


def load_any_model(path: str | Path, model: DLRM) -> None:
    """Put the weights in a file into `model`: a state of hotrow train, or the benchmark's checkpoint.

    A checkpoint may hold tensors, plain values and numpy's scalars, nothing that runs code: such a file is refused
    before any of it runs. Raises HotrowError naming what is missing and what is unexpected.
    """
    path = Path(path)
    if not path.is_file():
        raise HotrowError(f"{path}: no such file; name a model to load")
    with path.open("rb") as file:
        head = file.read(4)
    if head == ZIP or head[:1] == PICKLE:
        checkpoint = read_checkpoint(path)
        try:
            load_state(model, import_benchmark(checkpoint.get(STATE, checkpoint)))
        except HotrowError as error:
            raise HotrowError(f"{path}: {error}") from error
    else:
        load_model(path, model)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The dict in a file of torch.save, without its code. Raises HotrowError where it holds more than data."""
    try:
        with torch.serialization.safe_globals(_harmless()), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of pickle protocols: what cannot be read is refused below
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        lines = [line.strip() for line in str(error).split("\n") if line.strip()]
        what = next((line for line in lines if "GLOBAL" in line or "Unsupported" in line), "an object of another kind")
        raise HotrowError(f"{path}: refused, it holds more than data and may run code ({what})") from error
    except (RuntimeError, EOFError, OSError, ValueError) as error:
        raise HotrowError(f"{path}: not a whole file of torch.save ({error})") from error
    if not isinstance(checkpoint, dict):
        raise HotrowError(f"{path}: holds a {type(checkpoint).__name__}; a dict with {STATE!r} is needed")
    return checkpoint


def _harmless() -> list[Any]:
    """numpy's scalars, under the names that numpy 1 and 2 give to what makes them."""
    make_scalar = np.float64(0).__reduce__()[0]
    return [
        (make_scalar, "numpy._core.multiarray.scalar"),
        (make_scalar, "numpy.core.multiarray.scalar"),
        (codecs.encode, "_codecs.encode"),
        np.dtype,
        *(type(np.dtype(scalar)) for scalar in SCALARS),
    ]
