"""The machines that ship with hotrow: complete, sourced, and simulated as they are."""

import tomllib
from pathlib import Path

import pytest

from hotrow import HotrowError
from hotrow.analysis.memory.levels import levels_of
from hotrow.profiling.machine_files import MACHINES, load_machine, machines, plain

WANTED = {
    *("big-basin", "haswell", "broadwell", "skylake", "cascade-lake", "ice-lake", "sapphire-rapids", "emerald-rapids"),
    *("rome", "milan", "genoa", "turin", "graviton3", "graviton4"),
    *("gtx-1080-ti", "t4", "v100", "a100", "l40s", "h100", "h200", "b200"),
}


def quantities(value: object) -> list[dict[str, object]]:
    if isinstance(value, dict):
        own = [value] if "value" in value else []
        return own + [found for inside in value.values() for found in quantities(inside)]
    return []


def test_every_machine_asked_for_is_there() -> None:
    assert set(machines()) >= WANTED


@pytest.mark.parametrize("name", machines())
def test_every_number_says_where_it_comes_from(name: str) -> None:
    found = quantities(plain(load_machine(name)))
    assert len(found) > 10
    for quantity in found:
        if quantity != {"value": 1.0}:  # one socket, one thread a core: what a file need not say
            assert quantity.get("source"), quantity


@pytest.mark.parametrize("name", machines())
def test_every_processor_can_be_simulated(name: str) -> None:
    machine = load_machine(name)
    assert machine.peak("fp32") > 1e11
    if machine.kind == "cpu":
        levels, inclusion = levels_of(machine)
        assert len(levels) == len(inclusion) + 1


def test_big_basin_holds_eight_of_a_machine_that_exists() -> None:
    machine = load_machine("big-basin")
    assert machine.accelerators is not None
    assert (machine.accelerator, machine.accelerators.value) == ("v100", 8)
    assert load_machine(machine.accelerator).kind == "gpu"


def test_a_faster_tier_added_to_a_base_comes_first(tmp_path: Path) -> None:
    path = tmp_path / "hbm.toml"
    path.write_text('base = "skylake"\n[memory.HBM]\ncapacity = "64 GiB"\nbandwidth = "1000 GB/s"\n')
    assert list(load_machine(path).memory) == ["HBM", "DRAM"]


def test_files_change_only_what_they_name() -> None:
    base, changed = load_machine("h100"), load_machine("h200")
    assert changed.compute == base.compute
    assert changed.memory["HBM3"].bandwidth.base == 4.8e12
    assert "base" in tomllib.loads((MACHINES / "h200.toml").read_text())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('base = "skylake"\n[caches.L3]\nsize = "512 KiB"\n', r"caches\.L2\.size is 1024 KiB, more than caches\.L3"),
        ('base = "skylake"\n[memory.DRAM]\nbandwidth = "0 GB/s"\n', r"memory\.DRAM\.bandwidth is 0 GB/s"),
        ('base = "skylake"\n[memory.DRAM]\nbandwidth = "85 GBps"\n', r"memory\.DRAM\.bandwidth: unknown unit 'GBps'"),
        ('base = "skylake"\n[memory.DRAM]\nbandwith = "85 GB/s"\n', r"memory\.DRAM\.bandwith: unknown key"),
        ('base = "skylark"\n', r"base: unknown machine 'skylark'; did you mean 'skylake'"),
        ('base = "skylake"\noutstanding = "-1"\n', r"outstanding is -1"),
        ('base = "h100"\nlaunch = "5 GB"\n', r"launch has the unit 'GB'"),
        ('base = "skylake"\nclock = {value = nan, unit = "GHz"}\n', "clock: nan GHz; a value must be finite"),
        ('base = "skylake"\nclock = {value = inf, unit = "GHz"}\n', "a value must be finite"),
        ('base = "skylake"\n[caches.L1]\nsize = "2 MiB"\n', r"caches\.L1\.size is 2 MiB, more than caches\.L2"),
        ('base = "skylake"\nname = " "\n', "name is empty"),
        ('base = "skylake"\ncores = "20.5"\n', r"cores is 20\.5; it must be a whole number"),
        ('base = "skylake"\nmark = "guessed"\nclock = "3 GHz"\n', "clock: mark: Invalid enum value 'guessed'"),
        ('base = "skylake"\naccelerator = "v1000"\n', "accelerator: unknown machine 'v1000'"),
        ('base = "mine.toml"\n', "the machine is its own base"),
        ('base = "skylake"\n[memory.DRAM]\nbandwidth = "inf GB/s"\n', "is no quantity"),
    ],
)
def test_a_wrong_file_names_file_key_and_rule(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(HotrowError, match=said) as raised:
        load_machine(path)
    assert "mine.toml" in str(raised.value)
    assert "\n" not in str(raised.value)
