"""Byte streams of trace files: plain, gzip or zstd, whole lines at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import HotrowError

BLOCK = 1 << 22  # bytes
COMPRESSIONS = {".gz": ("gzip", b"\x1f\x8b"), ".zst": ("zstd", b"\x28\xb5\x2f\xfd")}


@contextmanager
def reading(path: Path) -> Iterator[Any]:
    """A binary stream of the file's content, decompressed where its first bytes say so.

    Raises HotrowError where the compressed data is cut off or damaged.
    """
    with path.open("rb") as file:
        head = file.read(4)
    compression = _compression(head)
    if compression is None:
        with path.open("rb", buffering=0) as file:
            yield file
        return
    import pyarrow as pa

    try:
        with pa.input_stream(str(path), compression=compression) as stream:
            yield stream
    except OSError as error:
        reason = str(error).splitlines()[0]
        raise HotrowError(
            f"{path}: its {compression} data is damaged ({reason}); make or copy the file again"
        ) from error


def is_compressed(path: Path) -> bool:
    """Whether a file's first bytes are those of gzip or zstd."""
    with path.open("rb") as file:
        return _compression(file.read(4)) is not None


def _compression(head: bytes) -> str | None:
    """Which compression a file begins with; a file cut off within the mark counts as well."""
    fits = (name for name, magic in COMPRESSIONS.values() if head and magic.startswith(head[: len(magic)]))
    return next(fits, None)


@contextmanager
def writing(path: Path) -> Iterator[Any]:
    """A binary stream into a new file, compressed as its suffix says."""
    import pyarrow as pa

    name, _ = COMPRESSIONS.get(path.suffix.lower(), (None, b""))
    with pa.output_stream(str(path), compression=name) as stream:
        yield stream


def first_bytes(path: Path, head: bytes, count: int = 4096) -> bytes:
    """What a file begins with once it is decompressed; `head` are its first bytes as they are; b"" where damaged."""
    if _compression(head) is None:
        return head
    try:
        with reading(path) as stream:
            return bytes(stream.read(count))
    except HotrowError:
        return b""


def line_blocks(path: Path, size: int = BLOCK) -> Iterator[NDArray[np.uint8]]:
    """Yield the file in blocks of whole lines, each of which ends with a newline; a block is gone with the next.

    Raises HotrowError where a line is longer than `size` bytes.
    """
    store = bytearray(size + 1)
    buffer = np.frombuffer(store, np.uint8)
    held = offset = 0
    with reading(path) as stream:
        while got := stream.readinto(memoryview(store)[held:size]):
            held += got
            end = store.rfind(b"\n", 0, held) + 1
            if end == 0:
                if held == size:
                    raise HotrowError(f"{path}, byte {offset}: no line ends within {size} bytes; this is no text file")
                continue
            yield buffer[:end]
            offset += end
            held -= end
            buffer[:held] = buffer[end : end + held].copy()
    if held:
        store[held] = ord("\n")
        yield buffer[: held + 1]
