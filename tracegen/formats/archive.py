"""NumPy archives (.npz) array by array: read front to back, written from columns that grow on disk."""

import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ... import HotrowError

DEFLATE_LIMIT = 1032  # deflate expands by no more than this factor; a header that promises more lies
DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, RuntimeError, OSError, SyntaxError)
COPY_BYTES = 1 << 20
COMPRESSION_LEVEL = 1  # integers gain little from more, and it takes three times as long


@dataclass
class Column:
    """One array of an archive, read front to back; shape and dtype are its header's.

    by_columns: the stream holds a matrix column by column (Fortran order) and can be sought.
    """

    name: str
    stream: IO[bytes]
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    by_columns: bool = False
    taken: int = 0

    def take(self, count: int) -> NDArray[Any]:
        """The next `count` entries along the first axis; HotrowError where the array ends before."""
        values = np.empty((count, *self.shape[1:]), self.dtype)
        if self.by_columns:
            part = np.empty((self.shape[1], count), self.dtype)
            for column, row in enumerate(part):
                self.stream.seek((column * self.shape[0] + self.taken) * self.dtype.itemsize)
                self._fill(row)
            values[:] = part.T
        else:
            self._fill(values)
        self.taken += count
        return values

    def _fill(self, values: NDArray[Any]) -> None:
        target = memoryview(values.reshape(-1).view(np.uint8).data) if values.nbytes else memoryview(b"")
        while len(target):
            got = self.stream.readinto(target)  # type: ignore[attr-defined]
            if not got:
                raise HotrowError(f"array {self.name!r} is cut off; make or copy the file again")
            target = target[got:]

    def must_be_integers(self, dimensions: int) -> None:
        """Raise HotrowError unless this is an array of integers with so many dimensions."""
        if len(self.shape) != dimensions or self.dtype.kind not in "iu":
            rule = f"it must be integers in {dimensions} dimension{'s' * (dimensions > 1)}"
            raise HotrowError(f"array {self.name!r} is {self.dtype} of shape {self.shape}; {rule}")


def names(path: Path) -> list[str]:
    """The arrays that a file claims to hold; empty if it is no zip archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except DAMAGE:
        return []


@contextmanager
def columns(path: Path, wanted: Callable[[str], bool]) -> Iterator[dict[str, Column]]:
    """The wanted arrays by name, opened for reading; nothing is unpickled.

    A matrix in Fortran order is first copied into the folder for temporary files (TMPDIR).

    Raises HotrowError where the archive is cut off or damaged or a header promises more than there is.
    """
    try:
        with zipfile.ZipFile(path) as archive, ExitStack() as stack:
            yield {
                name: _open(stack, archive, info)
                for info in archive.infolist()
                if wanted(name := info.filename.removesuffix(".npy"))
            }
    except HotrowError:
        raise
    except DAMAGE as error:
        raise HotrowError(f"{path}: not a whole npz file ({error}); make or copy it again") from error


def _open(stack: ExitStack, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Column:
    name = info.filename.removesuffix(".npy")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise HotrowError(f"array {name!r} is compressed by method {info.compress_type}; numpy only deflates or stores")
    if info.file_size > DEFLATE_LIMIT * info.compress_size + 4096:
        raise HotrowError(
            f"array {name!r} claims {info.file_size} bytes from {info.compress_size}; the file is damaged"
        )
    stream = stack.enter_context(archive.open(info))
    version = np.lib.format.read_magic(stream)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read_header(stream)
    if dtype.hasobject:
        raise HotrowError(f"array {name!r} holds pickled objects; they are not loaded, store plain numbers")
    if min(shape, default=0) < 0 or int(np.prod(shape, dtype=object)) * dtype.itemsize > info.file_size:
        raise HotrowError(
            f"array {name!r} promises shape {shape} but holds {info.file_size} bytes; the file is damaged"
        )
    by_columns = fortran and len(shape) > 1
    if by_columns and len(shape) > 2:
        raise HotrowError(f"array {name!r} has {len(shape)} dimensions in Fortran order; store it in C order")
    if by_columns:
        whole = stack.enter_context(TemporaryFile())  # noqa: SIM115
        shutil.copyfileobj(stream, whole, COPY_BYTES)
        stream = whole
    return Column(name, stream, dtype, shape, by_columns)


class Spool:
    """Arrays that grow part by part, on disk until all their lengths are known."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._kinds: dict[str, tuple[np.dtype[Any], tuple[int, ...]]] = {}
        self.lengths: dict[str, int] = {}

    def append(self, name: str, values: NDArray[Any]) -> None:
        """Put `values` at the end of the array `name`, along its first axis."""
        if not self.lengths.get(name):  # an empty part may not know its width yet
            self._kinds[name] = (values.dtype, values.shape[1:])
        dtype, _ = self._kinds[name]
        with self.file(name).open("ab") as file:
            np.ascontiguousarray(values, dtype).tofile(file)
        self.lengths[name] = self.lengths.get(name, 0) + len(values)

    def file(self, name: str) -> Path:
        """Where the raw numbers of an array lie."""
        return self.folder / f"{list(self._kinds).index(name)}.raw"

    def blocks(self, name: str) -> Iterator[NDArray[Any]]:
        """An array along its first axis, about a megabyte at a time."""
        dtype, tail = self._kinds[name]
        width = int(np.prod(tail, dtype=np.int64)) * dtype.itemsize
        with self.file(name).open("rb") as file:
            while data := file.read(max(COPY_BYTES // max(width, 1), 1) * width):
                yield np.frombuffer(bytearray(data), dtype).reshape(-1, *tail)

    def save(self, path: Path) -> None:
        """Write all arrays as one compressed archive, as numpy.savez_compressed would."""
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=COMPRESSION_LEVEL) as archive:
            for name, (dtype, tail) in self._kinds.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as target, self.file(name).open("rb") as source:
                    header = {
                        "descr": np.lib.format.dtype_to_descr(dtype),
                        "fortran_order": False,
                        "shape": (self.lengths[name], *tail),
                    }
                    np.lib.format.write_array_header_1_0(target, header)
                    shutil.copyfileobj(source, target, COPY_BYTES)


@contextmanager
def spooling(path: Path) -> Iterator[Spool]:
    """A Spool in a folder beside `path`, which is gone afterwards."""
    with TemporaryDirectory(prefix=f"{path.name}-", dir=path.parent) as folder:
        yield Spool(Path(folder))
