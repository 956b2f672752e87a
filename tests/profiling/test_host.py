"""Facts about a machine: a made-up Linux to the digit, an unknown system without error."""

from pathlib import Path

import msgspec

from hotrow.profiling.host import Cache, Host, host_facts


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_a_linux_machine(tmp_path: Path) -> None:
    cache = "sys/devices/system/cpu/cpu0/cache/index0/"
    root = write(
        tmp_path,
        {
            "proc/cpuinfo": "processor : 0\nmodel name\t: Acme 9000\nflags\t: fpu avx2 sse4_2 avx512_bf16 avxtra\n",
            "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
            cache + "level": "3\n",
            cache + "type": "Unified\n",
            cache + "size": "32768K\n",
            cache + "ways_of_associativity": "16\n",
            cache + "coherency_line_size": "64\n",
            cache + "number_of_sets": "32768\n",
            cache + "shared_cpu_list": "0-3,8\n",
        },
    )
    host = host_facts(root)
    assert host.cpu == "Acme 9000"
    assert host.simd == ("avx2", "avx512_bf16", "sse4_2")
    assert host.caches == (Cache(3, "unified", 32 * 2**20, 16, 64, 32768, 5),)
    assert host.huge_pages == "madvise"


def test_a_system_that_says_nothing(tmp_path: Path) -> None:
    host = host_facts(tmp_path)
    assert (host.simd, host.caches, host.huge_pages) == ((), (), None)


def test_odd_cache_files_are_unknown_not_wrong(tmp_path: Path) -> None:
    cache = "sys/devices/system/cpu/cpu0/cache/index0/"
    root = write(tmp_path, {cache + "level": "1", cache + "size": "unknown", cache + "shared_cpu_list": "all"})
    assert host_facts(root).caches == (Cache(1, "unknown", None, None, None, None, None),)


def test_this_machine() -> None:
    host = host_facts()
    assert host.memory_bytes > 0
    assert host.packages["numpy"]
    assert host.processors is None or host.processors >= 1
    assert msgspec.json.decode(msgspec.json.encode(host), type=Host) == host
