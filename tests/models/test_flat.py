"""Flat memory: tables stand next to each other, aligned, and hold what is put into them."""

import copy
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from hotrow.models.config import ModelConfig, TableConfig
from hotrow.models.dlrm import DLRM
from hotrow.models.flat import HUGE_PAGE, LINE, FlatTables, flat_memory


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_tables_are_neighbours_and_keep_their_own_rows(dtype: torch.dtype) -> None:
    shapes = [(3, 5), (1000, 16), (1, 1), (7, 3)]
    flat = FlatTables(shapes, dtype)
    tables = [flat(rows, dim).fill_(k) for k, (rows, dim) in enumerate(shapes)]
    for k, (table, shape) in enumerate(zip(tables, shapes, strict=True)):
        assert table.shape == shape
        assert table.data_ptr() % LINE == 0
        assert bool((table == k).all())
    starts = [table.data_ptr() for table in tables]
    assert starts == sorted(starts)
    assert starts[-1] - starts[0] < sum(rows * dim * dtype.itemsize + LINE for rows, dim in shapes)


@pytest.mark.parametrize("nbytes", [0, 1, HUGE_PAGE - 1, HUGE_PAGE, 3 * HUGE_PAGE + 5])
def test_memory_is_as_large_as_asked_for_and_writable(nbytes: int) -> None:
    memory = flat_memory(nbytes).fill_(7)
    assert memory.shape == (nbytes,)
    assert int(memory.sum(dtype=torch.int64)) == 7 * nbytes


def test_large_memory_begins_at_a_huge_page() -> None:
    assert flat_memory(2 * HUGE_PAGE).data_ptr() % HUGE_PAGE == 0


def test_a_models_tables_can_be_copied_and_saved(tmp_path: Path) -> None:
    tables = (TableConfig("a", 70_000, 8), TableConfig("b", 9, 8))
    model = DLRM(ModelConfig("m", 2, (8,), (1,), "cat", tables))
    one, other = model.tables
    assert one.weight.data_ptr() < other.weight.data_ptr() < one.weight.data_ptr() + 70_000 * 8 * 4 + 2 * LINE
    twin = copy.deepcopy(model)
    save_file(model.state_dict(), tmp_path / "m")
    twin.tables[1].weight.detach().zero_()
    assert torch.equal(load_file(tmp_path / "m")["tables.1.weight"], other.weight)
    assert bool(other.weight.any())


def test_large_tables_lie_on_huge_pages_where_the_system_has_them() -> None:
    setting = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not setting.exists() or "[never]" in setting.read_text():
        pytest.skip("this system has no transparent huge pages")

    def huge() -> int:
        text = Path("/proc/self/smaps_rollup").read_text()
        return 1024 * int(text.partition("AnonHugePages:")[2].split()[0])

    before = huge()
    memory = flat_memory(64 * HUGE_PAGE)
    memory.zero_()
    assert huge() - before > 32 * HUGE_PAGE
