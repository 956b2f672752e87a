"""When each id of a sequence comes again, in bounded memory: ids wait on disk, parted by hash."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...jit import kernel
from ..vocabulary import WideVocabulary

BUCKETS = 64  # memory is that of one bucket's distinct ids, about 50 bytes each
BLOCK = 1 << 18  # ids
ENTRY = np.dtype([("id", "<i8"), ("position", "<i8")])


class NextAccess:
    """Takes ids in order; then tells, in the same order, at which position each comes next.

    Positions count from 1; −1 says never again. Uses 25 bytes per id in `folder`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def append(self, ids: NDArray[np.int64]) -> None:
        """Put ids at the end of the sequence."""
        for start in range(0, len(ids), BLOCK):
            some = ids[start : start + BLOCK]
            buckets = (some ^ (some >> 32) ^ (some >> 11)).astype(np.uint8) % BUCKETS
            with self._file("buckets").open("ab") as file:
                buckets.tofile(file)
            order = np.argsort(buckets, kind="stable")
            entries = np.empty(len(some), ENTRY)
            entries["id"], entries["position"] = some[order], self._count + order + 1
            for bucket, (first, last) in _ranges(buckets):
                with self._file(f"entries-{bucket}").open("ab") as file:
                    entries[first:last].tofile(file)
            self._count += len(some)

    def blocks(self) -> Iterator[NDArray[np.int64]]:
        """The next positions of all ids, block by block."""
        for bucket in range(BUCKETS):
            if self._file(f"entries-{bucket}").exists():
                self._link(bucket)
        taken = np.zeros(BUCKETS, np.int64)
        for start in range(0, self._count, BLOCK):
            buckets = np.fromfile(self._file("buckets"), np.uint8, BLOCK, offset=start)
            following = np.empty(len(buckets), np.int64)
            order = np.argsort(buckets, kind="stable")
            for bucket, (first, last) in _ranges(buckets):
                file = self._file(f"next-{bucket}")
                following[order[first:last]] = np.fromfile(file, np.int64, last - first, offset=8 * taken[bucket])
                taken[bucket] += last - first
            yield following

    def _link(self, bucket: int) -> None:
        """Go through a bucket from its end, remembering where each id was met last."""
        vocabulary = WideVocabulary()
        met = np.full(1024, -1, np.int64)
        source, target = self._file(f"entries-{bucket}"), self._file(f"next-{bucket}")
        count = source.stat().st_size // ENTRY.itemsize
        with target.open("wb") as file:
            for start in reversed(range(0, count, BLOCK)):
                entries = np.fromfile(source, ENTRY, BLOCK, offset=start * ENTRY.itemsize)[::-1]
                numbers = vocabulary.number(np.ascontiguousarray(entries["id"]))
                if vocabulary.size > len(met):
                    grown = np.full(2 * vocabulary.size, -1, np.int64)
                    grown[: len(met)] = met
                    met = grown
                following = np.empty(len(entries), np.int64)
                _follow(numbers, np.ascontiguousarray(entries["position"]), met, following)
                file.seek(8 * start)
                file.write(following[::-1].tobytes())
        source.unlink()

    def _file(self, name: str) -> Path:
        return self._folder / f"next-access-{name}"


def _ranges(buckets: NDArray[np.uint8]) -> Iterator[tuple[int, tuple[int, int]]]:
    """(bucket, its first and last place + 1 once sorted) for every bucket that occurs."""
    ends = np.cumsum(np.bincount(buckets, minlength=BUCKETS)).tolist()
    for bucket, (first, last) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        if last > first:
            yield bucket, (first, last)


@kernel
def _follow(numbers: Any, positions: Any, met: Any, following: Any) -> None:
    for i in range(len(numbers)):
        following[i] = met[numbers[i]]
        met[numbers[i]] = positions[i]
