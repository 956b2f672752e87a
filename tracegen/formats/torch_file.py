"""A PyTorch file of int64 tensors written block by block: a stored zip of a pickle and one record per tensor.

torch.save needs every tensor in memory. The layout is torch.save's since PyTorch 1.6: data.pkl, byteorder, data/<k>,
version; records begin at multiples of 64 bytes, so that they can be mapped.
"""

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterable
from math import prod
from typing import IO, Any

from numpy.typing import NDArray

FOLDER = "archive"
ALIGNMENT = 64
LOCAL_HEADER_BYTES = 30
ZIP64_BYTES = 20  # what zipfile adds to a local header for sizes of 64 bits
PAD_MARK = b"FB"  # the extra field that PyTorch pads with


class _Tensor:
    """Stands for tensor number `k` of this shape when the tuple is pickled."""

    def __init__(self, k: int, shape: tuple[int, ...]) -> None:
        self.k, self.shape = k, shape

    def __reduce__(self) -> tuple[Any, ...]:
        from torch._utils import _rebuild_tensor_v2  # the name by which every such file calls it

        strides = tuple(prod(self.shape[axis + 1 :]) for axis in range(len(self.shape)))
        return _rebuild_tensor_v2, (_Storage(self.k, prod(self.shape)), 0, self.shape, strides, False, OrderedDict())


class _Storage:
    def __init__(self, k: int, size: int) -> None:
        self.k, self.size = k, size


class _Pickler(pickle.Pickler):
    def persistent_id(self, value: Any) -> Any:
        import torch

        if isinstance(value, _Storage):
            return ("storage", torch.LongStorage, str(value.k), "cpu", value.size)
        return None


def write_tensors(file: IO[bytes], tensors: Iterable[tuple[tuple[int, ...], Iterable[NDArray[Any]]]]) -> None:
    """Write a tuple of int64 tensors, each given by its shape and blocks of its values."""
    tensors = list(tensors)
    pickled = io.BytesIO()
    _Pickler(pickled, protocol=2).dump(tuple(_Tensor(k, shape) for k, (shape, _) in enumerate(tensors)))
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(f"{FOLDER}/data.pkl", pickled.getvalue())
        archive.writestr(f"{FOLDER}/byteorder", "little")
        for k, (_, blocks) in enumerate(tensors):
            info = zipfile.ZipInfo(f"{FOLDER}/data/{k}")
            begin = file.tell() + LOCAL_HEADER_BYTES + len(info.filename) + len(PAD_MARK) + 2 + ZIP64_BYTES
            padding = -begin % ALIGNMENT
            info.extra = PAD_MARK + padding.to_bytes(2, "little") + bytes(padding)
            with archive.open(info, "w", force_zip64=True) as record:
                for block in blocks:
                    record.write(block.astype("<i8", copy=False).data)
        archive.writestr(f"{FOLDER}/version", "3\n")
