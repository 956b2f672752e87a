"""Write beside, then rename: a file is there whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import HotrowError


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; rename it to `path` if the block ends well.

    If the block raises (Ctrl-C included), what it wrote is removed and an older `path` stays as it was.
    Raises HotrowError where the folder does not exist and cannot be made, or cannot be written.
    """
    path = Path(path)
    if path.is_dir():
        raise HotrowError(f"{path}: is a folder; name a file to write")
    beside = path.with_name(f".partial-{os.getpid()}-{path.name}")  # its suffix stays
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.touch()
    except OSError as error:
        raise HotrowError(f"{path}: cannot be written ({error.strerror}); choose another place") from error
    try:
        yield beside
        os.replace(beside, path)
    finally:
        if beside.is_dir():
            shutil.rmtree(beside)
        beside.unlink(missing_ok=True)
