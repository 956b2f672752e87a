"""Batches made ahead: the same, in order, errors in their place, and no thread left behind."""

import threading

import pytest
import torch

from hotrow.models.data.prefetch import AHEAD, prepared
from hotrow.models.inputs import Batch


class Numbers:
    """Batch k is the number k; batch `bad` cannot be made."""

    def __init__(self, samples: int, bad: int = -1) -> None:
        self.samples, self.size, self.bad, self.made, self.notes = samples, 1, bad, 0, ()

    def batch(self, epoch: int, k: int) -> Batch:
        if k == self.bad:
            raise KeyError(f"batch {k}")
        self.made += 1
        return Batch(torch.tensor([[10.0 * epoch + k]]), (), (), torch.zeros(1))


def threads() -> int:
    return sum(thread.name == "batches" for thread in threading.enumerate())


def test_the_same_batches_in_order() -> None:
    assert [b.dense.item() for b in prepared(Numbers(20), 2)] == [20.0 + k for k in range(20)]
    assert [b.dense.item() for b in prepared(Numbers(20), 0, first=17)] == [17, 18, 19]
    assert list(prepared(Numbers(3), 0, first=3)) == []
    assert threads() == 0


def test_an_error_comes_where_its_batch_would_have() -> None:
    got = []
    with pytest.raises(KeyError, match="batch 3"):
        for batch in prepared(Numbers(9, bad=3), 0):
            got.append(batch.dense.item())
    assert got == [0, 1, 2]
    assert threads() == 0


def test_whoever_leaves_takes_the_thread_along() -> None:
    source = Numbers(1000)
    stream = prepared(source, 0)
    next(stream)
    stream.close()
    assert threads() == 0
    assert source.made <= AHEAD + 3
