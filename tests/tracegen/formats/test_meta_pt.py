"""Meta's .pt tuple: the layout by its description, code refused, and every way in which a file can be broken."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow import HotrowError
from hotrow.tests.tracegen.strategies import renamed, traces
from hotrow.tracegen import files
from hotrow.tracegen.formats import meta_pt
from hotrow.tracegen.formats.torch_file import write_tensors
from hotrow.tracegen.trace import TableLookups, Trace, concatenate

SMALL = Trace(
    (TableLookups("a", 9, np.array([1, 2, 3])), TableLookups("b", 9, np.array([4, 5, 6]), np.array([0, 0, 3, 3])))
)


@settings(max_examples=30, deadline=None)
@given(traces(values=False), st.sampled_from([".pt", ".pt.gz"]), st.integers(1, 4))
def test_exact_round_trip(tmp_path_factory: pytest.TempPathFactory, trace: Trace, suffix: str, samples: int) -> None:
    path = tmp_path_factory.mktemp("trace") / f"trace{suffix}"
    files.write([trace.samples_between(0, 2), trace.samples_between(2, trace.samples)], path)
    wanted = renamed(trace, ones_are_one_hot=True)
    assert files.read(path).equals(wanted)
    assert concatenate(list(files.scan(path, samples=samples))).equals(wanted)


@settings(max_examples=20, deadline=None)
@given(traces(values=False))
def test_a_file_of_ours_is_what_the_description_says(tmp_path_factory: pytest.TempPathFactory, trace: Trace) -> None:
    path = tmp_path_factory.mktemp("trace") / "trace.pt"
    files.write(trace, path)
    for mmap in (True, False):
        indices, offsets, lengths = torch.load(path, weights_only=True, mmap=mmap)
        assert {tensor.dtype for tensor in (indices, offsets, lengths)} == {torch.int64}
        assert lengths.shape == (len(trace.tables), trace.samples)
        assert offsets.shape == (lengths.numel() + 1,)
        for t, table in enumerate(trace.tables):
            start, stop = offsets[t * trace.samples], offsets[(t + 1) * trace.samples]
            assert np.array_equal(indices[start:stop], table.indices)
            assert np.array_equal(lengths[t], table.bag_sizes())
        assert np.array_equal(offsets.diff(), lengths.flatten())
        assert all(tensor.data_ptr() % 64 == 0 for tensor in (indices, offsets, lengths))


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
@pytest.mark.parametrize("form", ["zip", "legacy", "gzip", "list"])
def test_files_of_torch_save(tmp_path: Path, dtype: torch.dtype, form: str) -> None:
    path = tmp_path / ("trace.pt.gz" if form == "gzip" else "trace.pt")
    made: Any = (torch.tensor([1, 2, 3]), torch.tensor([0, 2, 2, 3, 3]), torch.tensor([[2, 0], [1, 0]]))
    made = tuple(tensor.to(dtype) for tensor in made)
    torch.save(list(made) if form == "list" else made, path, _use_new_zipfile_serialization=form != "legacy")
    if form == "gzip":
        path.write_bytes(gzip.compress(path.read_bytes()))
    trace = files.read(path, format="meta_pt")
    assert [table.indices.tolist() for table in trace.tables] == [[1, 2], [3]]
    assert [table.bag_sizes().tolist() for table in trace.tables] == [[2, 0], [1, 0]]


def test_the_mapping_is_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meta_pt, "REMAP_BYTES", 1)
    files.write(SMALL, tmp_path / "trace.pt")
    assert concatenate(list(files.scan(tmp_path / "trace.pt", samples=1))).equals(renamed(SMALL))


class Hostile:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("form", ["zip", "legacy", "gzip"])
def test_code_is_refused_and_not_run(tmp_path: Path, form: str) -> None:
    path, mark = tmp_path / "bad.pt", tmp_path / "it ran"
    tensors = (torch.tensor([1]), torch.tensor([0, 1]), Hostile(mark))
    torch.save(tensors, path, _use_new_zipfile_serialization=form != "legacy")
    if form == "gzip":
        path.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(HotrowError, match=r"bad.pt: refused: it asks to run [\w.]+; only tensors are loaded"):
        files.read(path, format="meta_pt")
    assert not mark.exists()


ids, two = torch.tensor([1, 2, 3]), torch.tensor([[2, 1]])
BROKEN: dict[str, tuple[Any, str]] = {
    "a dict": ({"indices": ids}, "holds a dict; it must be a tuple"),
    "two tensors": ((ids, ids), "holds a tuple"),
    "a number": ((ids, ids, 3), "lengths must be a dense tensor"),
    "float indices": ((ids / 2, torch.tensor([0, 2, 3]), two), "indices must be a dense tensor of signed integers, 1-"),
    "flat lengths": ((ids, torch.tensor([0, 2, 3]), torch.tensor([2, 1])), "lengths must be .* 2-dimensional"),
    "expanded": ((torch.tensor([1]).expand(2**40), torch.tensor([0, 2**40]), two), "indices must be a dense tensor"),
    "no tables": ((ids, torch.tensor([0]), torch.empty(0, 5, dtype=torch.int64)), "lengths has no rows"),
    "too few offsets": ((ids, torch.tensor([0, 3]), two), "2 offsets for 2 lengths; there must be one more"),
    "start": ((ids, torch.tensor([1, 2, 3]), two), "offsets go from 1 to 3; they must go from 0"),
    "end": ((ids, torch.tensor([0, 2, 9]), two), "offsets go from 0 to 9; .* the number of indices, 3"),
    "disagree": ((ids, torch.tensor([0, 1, 3]), two), "table 'f0', sample 0: offsets 0 and 1 but length 2"),
    "fall": ((ids, torch.tensor([0, 4, 3]), torch.tensor([[4, -1]])), "sample 1: offsets 4 and 3 but length -1"),
    "negative": ((-ids, torch.tensor([0, 2, 3]), two), "table 'f0', sample 0: index -2|sample 1: index -3"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_wrong_is_named(tmp_path: Path, case: str) -> None:
    value, message = BROKEN[case]
    torch.save(value, tmp_path / "bad.pt")
    with pytest.raises(HotrowError, match=rf"bad.pt: .*({message})"):
        files.read(tmp_path / "bad.pt")


@pytest.mark.parametrize("suffix", [".pt", ".pt.gz"])
def test_a_file_cut_off_is_one_clear_line(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"bad{suffix}"
    files.write(SMALL, path)
    whole = path.read_bytes()
    for cut in range(1, len(whole), 37):
        path.write_bytes(whole[:cut])
        with pytest.raises(HotrowError, match=r"bad.pt.*make or copy") as raised:
            files.read(path)
        assert "\n" not in str(raised.value)


def test_a_header_that_promises_terabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.pt"
    with path.open("wb") as file:
        write_tensors(file, [((2**40,), [np.arange(5)]), ((3,), [np.array([0, 1, 5])]), ((1, 2), [np.array([1, 4])])])
    with pytest.raises(HotrowError, match=r"bad.pt: not a whole PyTorch file"):
        files.read(path)


def test_what_it_cannot_hold_is_refused(tmp_path: Path) -> None:
    trace = Trace(SMALL.tables, time=np.arange(3), dense=np.zeros((3, 1)))
    with pytest.raises(HotrowError, match="meta_pt cannot hold time, dense; allow the loss"):
        files.write(trace, tmp_path / "trace.pt")
    files.write(trace, tmp_path / "trace.pt", lossy=True)
    assert files.read(tmp_path / "trace.pt").equals(renamed(SMALL))
