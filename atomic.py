"""Write beside, then rename: a file is there whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import HotrowError


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; rename it to `path` if the block ends well.

    If the block raises (Ctrl-C included), what it wrote is removed and an older `path` stays as it was; a link stays,
    and what it points to is replaced. Raises HotrowError where `path` is no plain file, or where the folder does not
    exist and cannot be made, or cannot be written.
    """
    path = Path(path)
    _check_kind(path)
    target = path.resolve()
    beside = target.with_name(f".partial-{os.getpid()}-{target.name}")  # its suffix stays
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        beside.touch()
    except OSError as error:
        raise HotrowError(f"{path}: cannot be written ({error.strerror}); choose another place") from error
    try:
        yield beside
        os.replace(beside, target)
    finally:
        if beside.is_dir():
            shutil.rmtree(beside)
        beside.unlink(missing_ok=True)


def check_writable(path: str | Path, folder: bool = False) -> None:
    """HotrowError where `path`, a file or a `folder`, could not be written: to know before the work, not after it."""
    path = Path(path)
    if not folder:
        _check_kind(path)
    place = path.absolute() if folder else path.resolve().parent
    while not place.exists():
        place = place.parent
    if not place.is_dir():
        raise HotrowError(f"{path}: cannot be written ({place} is a file); choose another place")
    try:  # permission bits say nothing of /proc or of a file system mounted read-only
        tempfile.TemporaryFile(dir=place).close()
    except OSError as error:
        reason = f"no file can be made in {place}: {error.strerror}"
        raise HotrowError(f"{path}: cannot be written ({reason}); choose another place") from error


def _check_kind(path: Path) -> None:
    if path.is_dir():
        raise HotrowError(f"{path}: is a folder; name a file to write")
    if path.exists() and not path.is_file():
        raise HotrowError(f"{path}: is a device or a pipe, which cannot be replaced; name a file to write")
