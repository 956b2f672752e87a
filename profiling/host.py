"""Facts about this machine, as its operating system reports them; what a system does not say is None."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec
import psutil

SIMD_FLAG = re.compile(
    r"(ssse3|sse4_[12a]|sse4a|avx|avx2|fma|f16c|avx512\w*|avx_\w+|amx_\w+|asimd\w*|sve\w*|neon|bf16)"
)
PACKAGES = ("numpy", "torch")


class Cache(msgspec.Struct, frozen=True):
    """One cache that the first core sees: bytes, associativity, line, and how many logical cores share it."""

    level: int
    kind: str
    bytes: int | None
    ways: int | None
    line_bytes: int | None
    sets: int | None
    shared_by: int | None


class Host(msgspec.Struct, frozen=True):
    """One machine at one moment.

    cores: physical. processors: logical cores this process may use. simd: the processor's vector extensions;
    which of them a library uses is another matter. huge_pages: the transparent huge page setting. load: of the
    last minute. threads: of torch, where it is loaded. commit: of a checkout of hotrow, + if files were changed.
    """

    node: str
    system: str
    architecture: str
    cpu: str | None
    cores: int | None
    processors: int | None
    simd: tuple[str, ...]
    caches: tuple[Cache, ...]
    memory_bytes: int
    huge_pages: str | None
    load: float | None
    python: str
    packages: dict[str, str | None]
    threads: int | None
    commit: str | None


def host_facts(root: Path = Path("/")) -> Host:
    """This machine; on Linux the details come from /proc and /sys below `root`."""
    cpuinfo = _text(root / "proc/cpuinfo") or ""
    simd = SIMD_FLAG.fullmatch
    flags = _field(cpuinfo, "flags") or _field(cpuinfo, "Features") or ""
    return Host(
        node=platform.node(),
        system=f"{platform.system()} {platform.release()}",
        architecture=platform.machine(),
        cpu=_field(cpuinfo, "model name") or platform.processor() or None,
        cores=psutil.cpu_count(logical=False),
        processors=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        simd=tuple(sorted(flag for flag in flags.split() if simd(flag))),
        caches=_caches(root / "sys/devices/system/cpu/cpu0/cache"),
        memory_bytes=int(psutil.virtual_memory().total),
        huge_pages=_chosen(_text(root / "sys/kernel/mm/transparent_hugepage/enabled")),
        load=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        python=platform.python_version(),
        packages={name: _version(name) for name in PACKAGES},
        threads=sys.modules["torch"].get_num_threads() if "torch" in sys.modules else None,
        commit=_commit(Path(__file__).parents[1]),
    )


def _caches(folder: Path) -> tuple[Cache, ...]:
    return tuple(
        Cache(
            level=_number(_text(index / "level")) or 0,
            kind=(_text(index / "type") or "unknown").lower(),
            bytes=_size(_text(index / "size")),
            ways=_number(_text(index / "ways_of_associativity")),
            line_bytes=_number(_text(index / "coherency_line_size")),
            sets=_number(_text(index / "number_of_sets")),
            shared_by=_members(_text(index / "shared_cpu_list")),
        )
        for index in sorted(folder.glob("index*"))
    )


def _text(path: Path) -> str | None:
    try:
        return path.read_text("utf-8", errors="replace").strip()
    except OSError:
        return None


def _field(cpuinfo: str, name: str) -> str | None:
    match = re.search(rf"^{name}\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return match.group(1).strip() if match else None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _size(text: str | None) -> int | None:
    """Bytes of the kernel's "32K" or "1M"."""
    match = re.fullmatch(r"(\d+)([KMG]?)", text or "")
    return int(match.group(1)) << {"": 0, "K": 10, "M": 20, "G": 30}[match.group(2)] if match else None


def _members(text: str | None) -> int | None:
    """How many processors a list like "0-3,8" names."""
    if not text or not re.fullmatch(r"\d+(-\d+)?(,\d+(-\d+)?)*", text):
        return None
    ends = [part.split("-") for part in text.split(",")]
    return sum(int(end[-1]) - int(end[0]) + 1 for end in ends)


def _chosen(text: str | None) -> str | None:
    """The word in brackets of "always [madvise] never"."""
    match = re.search(r"\[(\w+)\]", text or "")
    return match.group(1) if match else None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit(checkout: Path) -> str | None:
    """The checkout's commit, None where the package is installed without its history."""
    if not (checkout / ".git").exists():
        return None
    commit = _git(checkout, "rev-parse", "--short=12", "HEAD")
    changed = _git(checkout, "status", "--porcelain", "--untracked-files=no")
    return f"{commit}{'+' if changed else ''}" if commit else None


def _git(checkout: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(checkout), *words], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
