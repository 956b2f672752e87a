"""Meta's embedding-bag data sets: a PyTorch file (.pt, or gzip: .pt.gz) of the tuple (indices, offsets, lengths).

lengths is [T, B]: the bag sizes of B samples in T tables. offsets has T·B + 1 entries, and table t's lookups are
indices[offsets[t·B] : offsets[(t+1)·B]]. A table whose bags all hold one lookup is one-hot. Format: the data sets at
https://github.com/facebookresearch/dlrm_datasets.

Files are loaded with weights_only, so nothing in them runs; they are memory-mapped, a .pt.gz after decompression into
the folder for temporary files (TMPDIR).
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import HotrowError
from ..trace import SampleError, TableLookups, Trace
from .archive import Spool, spooling
from .format import PART_LOOKUPS, Format, Holds
from .streams import COMPRESSIONS, first_bytes, is_compressed, reading, writing
from .torch_file import write_tensors

REMAP_BYTES = 1 << 27  # pages of a mapping count as memory until it is dropped
Arrays = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]


def scan(path: Path, *, samples: int) -> Iterator[Trace]:
    """Yield parts of at most `samples` samples; memory does not grow with the file, unless it predates PyTorch 1.6."""
    with _plain(path) as plain:
        indices, offsets, lengths = _load(plain, path)
        count, total = lengths.shape
        one_hot = [bool((lengths[t] == 1).all()) for t in range(count)]
        rows = [0] * count
        size = min(samples, max(1, PART_LOOKUPS * total // max(len(indices), 1)))
        mapped = 0
        for start in range(0, max(total, 1), size):
            stop = min(start + size, total)
            tables = []
            for t in range(count):
                bounds = _bounds(t, start, offsets[t * total + start : t * total + stop + 1], lengths[t, start:stop])
                ids = np.array(indices[bounds[0] : bounds[-1]])
                rows[t] = max(rows[t], int(ids.max()) + 1 if len(ids) else 0)
                tables.append(TableLookups(f"f{t}", rows[t], ids, None if one_hot[t] else bounds - bounds[0]))
                mapped += ids.nbytes + 2 * bounds.nbytes
            yield Trace(tuple(tables))
            if mapped > REMAP_BYTES:
                indices, offsets, lengths = _load(plain, path)
                mapped = 0


def _bounds(t: int, start: int, offsets: NDArray[Any], lengths: NDArray[Any]) -> NDArray[np.int64]:
    """A copy of `offsets` [n + 1], checked against `lengths` [n]; SampleError where they disagree."""
    bounds = np.array(offsets, np.int64)
    sizes = np.diff(bounds)
    wrong = np.flatnonzero((sizes != lengths) | (sizes < 0))
    if len(wrong):
        s = int(wrong[0])
        rule = f"offsets {bounds[s]} and {bounds[s + 1]} but length {lengths[s]}; they must agree and not fall"
        raise SampleError(f"table 'f{t}'", s, rule)
    return bounds


@contextmanager
def _plain(path: Path) -> Iterator[Path]:
    """A file that can be mapped: `path`, or its content decompressed into the folder for temporary files."""
    if not is_compressed(path):
        yield path
        return
    with TemporaryDirectory(prefix="hotrow-") as folder:
        plain = Path(folder) / "trace.pt"
        with reading(path) as source, plain.open("wb") as target:
            copyfileobj(source, target, 1 << 20)
        yield plain


def _load(file: Path, path: Path) -> Arrays:
    """(indices, offsets, lengths) of a file, mapped where it can be; errors name `path`."""
    import torch

    try:
        mapped = torch.load(file, map_location="cpu", weights_only=True, mmap=_is_zip(file))
    except Exception as error:  # whatever PyTorch's reader makes of damaged or hostile bytes
        found = re.search(r"(?:GLOBAL|global) ([\w.]+)", str(error))
        if found:
            raise HotrowError(f"{path}: refused: it asks to run {found[1]}; only tensors are loaded") from None
        raise HotrowError(
            f"{path}: not a whole PyTorch file ({type(error).__name__}); make or copy it again"
        ) from error
    if not isinstance(mapped, tuple | list) or len(mapped) != 3:
        raise HotrowError(f"{path}: holds a {type(mapped).__name__}; it must be a tuple (indices, offsets, lengths)")
    arrays = []
    for name, dimensions, tensor in zip(("indices", "offsets", "lengths"), (1, 1, 2), mapped, strict=True):
        is_tensor = isinstance(tensor, torch.Tensor) and tensor.layout == torch.strided and tensor.is_contiguous()
        array = tensor.detach().numpy() if is_tensor and tensor.dtype.is_signed else None
        if array is None or array.ndim != dimensions or array.dtype.kind != "i":
            raise HotrowError(f"{path}: {name} must be a dense tensor of signed integers, {dimensions}-dimensional")
        arrays.append(array)
    indices, offsets, lengths = arrays
    if lengths.shape[0] == 0:
        raise HotrowError(f"{path}: lengths has no rows; every table needs one")
    if len(offsets) != lengths.size + 1:
        raise HotrowError(f"{path}: {len(offsets)} offsets for {lengths.size} lengths; there must be one more")
    if offsets[0] != 0 or offsets[-1] != len(indices):
        wrong = f"offsets go from {offsets[0]} to {offsets[-1]}"
        raise HotrowError(f"{path}: {wrong}; they must go from 0 to the number of indices, {len(indices)}")
    return indices, offsets, lengths


def write(parts: Iterable[Trace], path: Path, *, lossy: bool = False) -> None:
    """Write the parts as one file; the tables, which it holds one after the other, lie on disk until the end."""
    tables = samples = 0
    with spooling(path) as spool:
        for part in parts:
            tables, samples = len(part.tables), samples + part.samples
            for t, table in enumerate(part.tables):
                spool.append(f"indices {t}", table.indices.astype(np.int64, copy=False))
                spool.append(f"lengths {t}", table.bag_sizes())
        plain = spool.folder / "trace.pt" if path.suffix.lower() in COMPRESSIONS else path
        accesses = sum(spool.lengths[f"indices {t}"] for t in range(tables))
        with plain.open("wb") as file:
            arrays = (
                ((accesses,), _joined(spool, "indices", tables)),
                ((tables * samples + 1,), _offsets(_joined(spool, "lengths", tables))),
                ((tables, samples), _joined(spool, "lengths", tables)),
            )
            write_tensors(file, arrays)
        if plain != path:
            with plain.open("rb") as source, writing(path) as target:
                copyfileobj(source, target, 1 << 20)


def _joined(spool: Spool, name: str, tables: int) -> Iterator[NDArray[np.int64]]:
    for t in range(tables):
        yield from spool.blocks(f"{name} {t}")


def _offsets(lengths: Iterator[NDArray[np.int64]]) -> Iterator[NDArray[np.int64]]:
    end = 0
    yield np.zeros(1, np.int64)
    for block in lengths:
        ends = end + np.cumsum(block)
        end = int(ends[-1])
        yield ends


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"PK"


def _sniff(path: Path, head: bytes) -> bool:
    first = first_bytes(path, head)
    return first.startswith(b"PK") and b"/data.pkl" in first[:256]


FORMAT = Format(
    name="meta_pt",
    summary="Meta's embedding-bag tuple (indices, offsets, lengths)",
    suffixes=(".pt", ".pt.gz"),
    holds=Holds(rows=False, names=False, time=False, user=False, dense=False, label=False),
    sniff=_sniff,
    scan=scan,
    write=write,
)
