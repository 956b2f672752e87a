"""Packed: an array of integers in a JSON file, readable and short: "5 0*17 -3" is 5, seventeen zeros, −3."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray


class Packed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Integers in row-major order. Raises ValueError where the values do not fill the shape."""

    shape: tuple[int, ...]
    values: str

    def __post_init__(self) -> None:
        size = 1
        for length in self.shape:
            if length < 0:
                raise ValueError(f"shape {self.shape}; lengths are not negative")
            size *= length
        found = int(_runs(self.values)[1].sum())
        if found != size:
            raise ValueError(f"{found} values for shape {self.shape}; it needs {size}")

    @classmethod
    def of(cls, array: NDArray[Any]) -> Packed:
        """The packed form of an integer array."""
        words = []
        for value, run in groupby(array.ravel().tolist()):
            times = sum(1 for _ in run)
            words.append(f"{value}*{times}" if times > 1 else f"{value}")
        return cls(tuple(array.shape), " ".join(words))

    def array(self) -> NDArray[np.int64]:
        """The integers again, int64, in their shape."""
        return np.repeat(*_runs(self.values)).reshape(self.shape)


def _runs(text: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Values, and how often each is repeated; few words have a star, so only those are taken apart one by one."""
    words = text.split()
    times = np.ones(len(words), np.int64)
    for k, word in enumerate(words):
        if "*" in word:
            words[k], _, repeated = word.partition("*")
            times[k] = int(repeated)
    if times.size and times.min() < 0:
        raise ValueError(f"{times.min()} repetitions of a value; they are not negative")
    return np.array(list(map(int, words)), np.int64), times
