"""Machines: units, rules, files with bases; what is wrong is said by file, key and rule."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow import HotrowError
from hotrow.profiling.machine import Calibration, Curve, Machine
from hotrow.profiling.machine_files import load_machine, save_machine
from hotrow.profiling.units import UNITS, Quantity, parse

TEXT = """
name = "Acme 9000"
kind = "cpu"
mark = "published"
source = "Acme data sheet"
cores = "4"
sockets = 2
clock = "2 GHz"
power = { value = 100, unit = "W", mark = "datasheet", source = "the back of the box" }

[caches.L1]
size = "32 KiB"
ways = "8"
line = "64 B"
latency = "2 ns"

[caches.L2]
mark = "measured"
source = "by hand"
size = { value = 1, unit = "MiB", low = 0.9, high = 1.1 }
shared_by = "4"
latency = "5 ns"

[compute]
mark = "assumed"
[compute.avx2]
precision = "fp32"
unit = "vector"
isa = "avx2"
peak = "32 FLOP/cycle"

[memory.DRAM]
capacity = "64 GiB"
bandwidth = "40 GB/s"
price = "3 USD/GiB"
energy = "20 pJ/bit"

[tlb.L1]
page = "4 KiB"
entries = "64"

[links.PCIe]
bandwidth = "32 GB/s"
"""


def written(folder: Path, text: str, name: str = "acme") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(text)
    return path


def test_quantities_carry_unit_mark_and_source(tmp_path: Path) -> None:
    machine = load_machine(written(tmp_path, TEXT))
    assert (machine.clock.base, machine.clock.mark, machine.clock.source) == (2e9, "published", "Acme data sheet")
    assert machine.caches["L2"].size.bounds == (0.9 * 2**20, 1.1 * 2**20)
    assert machine.caches["L2"].size.mark == "measured"
    assert machine.compute["avx2"].peak.mark == "assumed"
    assert machine.power is not None
    assert machine.power.source == "the back of the box"
    assert machine.caches["L1"].sets == 64
    assert machine.memory["DRAM"].energy is not None
    assert machine.memory["DRAM"].energy.base == pytest.approx(160e-12)
    assert machine.all_cores == 8
    assert machine.peak("fp32") == 32 * 2e9 * 8
    assert machine.peak("fp32", cores=1, isa="avx2") == 64e9
    with pytest.raises(HotrowError, match="names no unit for int8"):
        machine.peak("int8")
    with pytest.raises(HotrowError, match="no calibrated curve 'gather'"):
        machine.curve("gather", threads=1)


def test_files_bring_everything_back(tmp_path: Path) -> None:
    curve = Curve("gather", "bytes", "B/s", "avx2", 1, (1.0, 2.0), (3.0, 4.0), (2.0, 4.0), (3.0, 5.0), {"row": 64})
    calibration = Calibration(
        "here", "Acme", "2026-11-24", 60.0, 0.5, curves=(curve,), overheads={"call": parse("2 us", "measured", "")}
    )
    machine = msgspec.structs.replace(load_machine(written(tmp_path, TEXT)), calibration=calibration)
    save_machine(machine, tmp_path / "back.toml")
    assert load_machine(tmp_path / "back.toml") == machine
    assert machine.curve("gather", row=64, threads=1) == curve


def test_an_imagined_machine_changes_what_it_names(tmp_path: Path) -> None:
    written(tmp_path, TEXT)
    text = (
        'base = "acme.toml"\nsource = "a wish"\n[caches.L2]\nsize = "512 MiB"\n'
        '[memory.CXL]\ncapacity = "1 TiB"\nbandwidth = "20 GB/s"\n'
    )
    machine = load_machine(written(tmp_path, text, "big"))
    assert machine.name == "big"
    assert machine.caches["L2"].size == Quantity(512, "MiB", "assumed", "a wish")
    assert machine.caches["L2"].latency == Quantity(5, "ns", "measured", "by hand")
    assert list(machine.memory) == ["DRAM", "CXL"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"32 KiB"', '"2 MiB"', r"caches.L1.size is 2 MiB, more than caches.L2.size 1 MiB; a further level"),
        ('"40 GB/s"', '"0 GB/s"', r"memory.DRAM.bandwidth is 0 GB/s; it must be above 0"),
        ('"40 GB/s"', '"40 furlongs"', r"memory.DRAM.bandwidth: unknown unit 'furlongs'; known are B, KiB"),
        ('"40 GB/s"', '"40 GiB"', r"memory.DRAM.bandwidth has the unit 'GiB'; it is measured in B/s"),
        ('"40 GB/s"', '"fast"', r"memory.DRAM.bandwidth: 'fast' is no quantity"),
        ('"2 GHz"', '"-2 GHz"', r"clock is -2 GHz; it must be above 0"),
        ('"2 GHz"', "[2]", r"clock is \[2\]; it must be a table"),
        ("sockets = 2", "sockets = 0", r"sockets is 0; it must be above 0"),
        ("high = 1.1", "high = 0.95", r"caches.L2.size: 1.0 MiB lies outside its interval"),
        ('"5 ns"', '"1 ns"', r"caches.L1.latency exceeds caches.L2.latency"),
        ('shared_by = "4"', 'shared_by = "5"', r"caches.L2.shared_by exceeds the processors of a socket"),
        ('kind = "cpu"', 'kind = "abacus"', r"kind: .*abacus"),
        ('kind = "cpu"', "", r"missing required field `kind`"),
        ('"64 GiB"', '"64 GiB"\ncolour = "red"', r"memory.DRAM.colour: unknown key; known are capacity"),
        ('precision = "fp32"', 'precision = "fp3"', r"fp3"),
        ("[memory.DRAM]", "[memory]\nDRAM = 3\n[memory.X]", r"memory.DRAM is 3; it must be a table"),
        ('name = "Acme', "name = Acme", r"not TOML"),
    ],
)
def test_impossible_values_name_file_key_and_rule(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in TEXT
    path = written(tmp_path, TEXT.replace(old, new))
    with pytest.raises(HotrowError, match=message) as caught:
        load_machine(path)
    assert str(caught.value).startswith(str(path))


def test_bases_that_do_not_stand(tmp_path: Path) -> None:
    with pytest.raises(HotrowError, match="its own base"):
        load_machine(written(tmp_path, 'base = "acme.toml"'))
    with pytest.raises(HotrowError, match="base: unknown machine 'nowhere'"):
        load_machine(written(tmp_path, 'base = "nowhere"'))
    with pytest.raises(HotrowError, match="cannot be read"):
        load_machine(tmp_path / "none.toml")
    with pytest.raises(HotrowError, match="unknown machine"):
        load_machine("no such machine")


UNIT = st.sampled_from([unit for units in UNITS.values() for unit in units])


@given(st.floats(1e-6, 1e12), UNIT)
@settings(max_examples=50, deadline=None)
def test_short_forms_mean_what_they_say(value: float, unit: str) -> None:
    made = parse(f"{value!r} {unit}", "published", "s")
    assert (made.value, made.unit) == (value, unit)
    assert made.base == pytest.approx(value * made.factor)
    assert made.words.endswith("published")


def test_a_machine_needs_no_file() -> None:
    with pytest.raises(HotrowError, match="clock has the unit 'B'"):
        Machine("m", "cpu", Quantity(1), Quantity(1, "B"), {}, {})
    with pytest.raises(HotrowError, match="differ in length"):
        Curve("gather", "bytes", "B/s", "avx2", 1, (1.0,), (), (), ())
    with pytest.raises(HotrowError, match="outside its interval"):
        Curve("gather", "bytes", "B/s", "avx2", 1, (1.0,), (1.0,), (2.0,), (3.0,))
