"""Address traces: what a simulator reads is what the trace touches."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.analysis.hierarchy import Level, simulate, simulate_trace
from hotrow.analysis.memory import address_trace
from hotrow.analysis.memory.address_trace import Converted, convert_to_addresses, write_address_trace
from hotrow.analysis.memory.layout import Layout, Placed
from hotrow.tracegen import files
from hotrow.tracegen.trace import TableLookups, Trace


def read_back(path: Path) -> tuple[list[str], list[int]]:
    pairs = [line.split(" ") for line in path.read_text().splitlines()]
    return [label for label, _ in pairs], [int(address, 16) for _, address in pairs]


@pytest.mark.parametrize(("format", "labels"), [("din", ("0", "1")), ("ramulator2", ("LD", "ST"))])
def test_lines_of_text(tmp_path: Path, format: str, labels: tuple[str, str]) -> None:
    trace = Trace.from_ids([1, 0])
    layout = Layout((Placed("f0", 2, 128, 0xF00),))
    path = tmp_path / "out.trace"
    assert write_address_trace(trace, layout, path, format, update_every=2) == 8
    found, addresses = read_back(path)
    assert found == [labels[0]] * 4 + [labels[1]] * 4
    assert addresses == [0xF80, 0xFC0, 0xF00, 0xF40] * 2


def test_how_both_formats_look(tmp_path: Path) -> None:
    trace = Trace.from_ids([0, 1])
    layout = Layout((Placed("f0", 2, 2**47, 0),))
    for format, text in (("din", "0 0\n0 800000000000\n"), ("ramulator2", "LD 0x0\nLD 0x800000000000\n")):
        write_address_trace(trace, layout, tmp_path / format, format, line_bytes=2**47)
        assert (tmp_path / format).read_bytes() == text.encode()


@pytest.mark.parametrize("lines", [1, 7, 2**18])
def test_a_simulator_that_reads_it_counts_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: int) -> None:
    monkeypatch.setattr(address_trace, "_LINES", lines)
    rng = np.random.default_rng(3)
    bags = TableLookups("bags", 500, rng.integers(0, 500, 900), np.arange(0, 901, 3))
    trace = Trace((bags, TableLookups("single", 40, rng.integers(0, 40, 300))))
    layout = Layout.of_rows(trace, [100, 256], start=2**55)
    path = tmp_path / "out.din"
    count = write_address_trace(trace, layout, path, update_every=16)
    labels, addresses = read_back(path)
    assert count == len(addresses)
    levels = [Level("L1", 8, 4), Level("L2", 64, 8)]
    read = simulate(addresses, levels, writes=[label == "1" for label in labels])
    assert read == simulate_trace(trace, layout, levels, update_every=16)


def test_parts_join_and_no_lookup_is_an_empty_file(tmp_path: Path) -> None:
    trace = Trace.from_ids(np.arange(10))
    layout = Layout.of_rows(trace, 64)
    write_address_trace(trace, layout, tmp_path / "whole")
    write_address_trace((trace.samples_between(k, k + 5) for k in (0, 5)), layout, tmp_path / "parts")
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "parts").read_bytes()
    assert write_address_trace(trace.samples_between(0, 0), layout, tmp_path / "none") == 0
    assert (tmp_path / "none").read_bytes() == b""


def test_a_file_becomes_addresses(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    bags = TableLookups("bags", 500, rng.integers(0, 500, 900), np.arange(0, 901, 3))
    trace = Trace((bags, TableLookups("single", 40, rng.integers(0, 40, 300))))
    files.write(trace, tmp_path / "in.parquet")
    seen: list[int] = []
    for update_every in (None, 16):
        made = convert_to_addresses(
            tmp_path / "in.parquet", tmp_path / "out", "ramulator2", [64, 128], update_every, advance=seen.append
        )
        count = write_address_trace(
            trace, Layout.of_rows(trace, [64, 128]), tmp_path / "expected", "ramulator2", update_every=update_every
        )
        assert made == Converted(300, 1200, count)
        assert (tmp_path / "out").read_bytes() == (tmp_path / "expected").read_bytes()
    assert sum(seen) == 4 * 300  # both readings advance


def test_declared_rows_that_rise_are_all_placed(tmp_path: Path) -> None:
    """Criteo's rows are known at the end alone: the second table's place depends on them."""
    lines = ["1" + "\t" * 13 + "\t" + "\t".join(f"{k:08x}" for _ in range(26)) for k in range(40)]
    (tmp_path / "day.tsv").write_text("\n".join(lines) + "\n")
    made = convert_to_addresses(tmp_path / "day.tsv", tmp_path / "out", row_bytes=256)
    trace = files.read(tmp_path / "day.tsv")
    write_address_trace(trace, Layout.of_rows(trace, 256), tmp_path / "expected")
    assert made.samples == 40
    assert (tmp_path / "out").read_bytes() == (tmp_path / "expected").read_bytes()


def test_a_broken_source_leaves_the_old_file(tmp_path: Path) -> None:
    trace = Trace.from_ids(np.arange(10))
    path = tmp_path / "out.din"
    path.write_text("old")

    def breaks() -> Iterator[Trace]:
        yield trace
        raise HotrowError("the source broke")

    with pytest.raises(HotrowError, match="the source broke"):
        write_address_trace(breaks(), Layout.of_rows(trace, 64), path)
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["out.din"]


def test_mistakes_are_told(tmp_path: Path) -> None:
    trace = Trace.from_ids([0])
    layout = Layout.of_rows(trace, 64)
    with pytest.raises(HotrowError, match="unknown address format 'champsim'; known are din, ramulator2"):
        write_address_trace(trace, layout, tmp_path / "out", "champsim")
    with pytest.raises(HotrowError, match="lines: 100 bytes"):
        write_address_trace(trace, layout, tmp_path / "out", line_bytes=100)
    with pytest.raises(HotrowError, match="no table 'f0'"):
        write_address_trace(trace, Layout((Placed("other", 1, 64, 0),)), tmp_path / "out")
    with pytest.raises(HotrowError, match="is a folder"):
        write_address_trace(trace, layout, tmp_path)
    assert list(tmp_path.iterdir()) == []
