"""SIMD width as an axis: four libraries, a knob for each, and for each a way to see what was in effect.

ATen (relu, sigmoid, copies) tells its capability; FBGEMM (embedding_bag) tells its instruction set; oneDNN (bf16 and
packed linear layers) and MKL (fp32 matrix products) print what they do. A knob that was turned is not believed:
what a library did is looked at in the process that ran, and what could not be seen is "unverified".
"""

from __future__ import annotations

import ctypes
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

NATIVE = "native"
WIDTHS = ("scalar", "avx2", "avx512")  # of x86, narrowest first
ARM_WIDTHS = ("neon", "sve256")
LIBRARIES = ("ATen", "FBGEMM", "oneDNN", "MKL")
UNVERIFIED = "unverified"
NOT_SETTABLE = "not settable"

# library → width → the variable that asks for it; a width that is missing cannot be asked for.
SETTINGS: dict[str, dict[str, tuple[str, str]]] = {
    "ATen": {
        "scalar": ("ATEN_CPU_CAPABILITY", "default"),
        "avx2": ("ATEN_CPU_CAPABILITY", "avx2"),
        "avx512": ("ATEN_CPU_CAPABILITY", "avx512"),
        "neon": ("ATEN_CPU_CAPABILITY", "default"),
        "sve256": ("ATEN_CPU_CAPABILITY", "sve256"),
    },
    "FBGEMM": {
        "avx2": ("FBGEMM_ENABLE_INSTRUCTIONS", "AVX2"),
        "avx512": ("FBGEMM_ENABLE_INSTRUCTIONS", "AVX512"),
    },
    "oneDNN": {
        "scalar": ("ONEDNN_MAX_CPU_ISA", "SSE41"),  # its narrowest
        "avx2": ("ONEDNN_MAX_CPU_ISA", "AVX2"),
        "avx512": ("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16"),
    },
    "MKL": {
        "scalar": ("MKL_CBWR", "COMPATIBLE"),  # SSE2 at most
        "avx2": ("MKL_CBWR", "AVX2"),
        "avx512": ("MKL_CBWR", "AVX512"),
    },
}
ISA_KNOBS = (
    "ATEN_CPU_CAPABILITY",
    "FBGEMM_ENABLE_INSTRUCTIONS",
    "ONEDNN_MAX_CPU_ISA",
    "DNNL_MAX_CPU_ISA",
    "MKL_CBWR",
    "MKL_ENABLE_INSTRUCTIONS",
)
NEEDS = {"avx2": ("avx2",), "avx512": ("avx512f", "avx512bw", "avx512vl", "avx512dq"), "sve256": ("sve",)}

# fbgemm::inst_set_t in FBGEMM's Utils.h
FBGEMM_SETS = ("anyarch", "AVX2", "AVX512", "AVX512 (256 bits)", "AVX512 VNNI", "AVX512 VNNI (256 bits)", "SVE", "SVE2")


class Verified(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one library did: the width asked for, what was seen, and by which method.

    holds: True where what was seen is the width asked for, False where it is another, None where it is not known
    or nothing was asked.
    """

    library: str
    asked: str
    seen: str
    method: str
    holds: bool | None

    @property
    def words(self) -> str:
        """The library's state in a few words: what was seen, or that nothing could be."""
        if self.holds is False:
            return f"{self.seen} (asked {self.asked})"
        return self.seen


def widths(simd: tuple[str, ...]) -> tuple[str, ...]:
    """Widths to sweep on a processor with these extensions, narrowest first."""
    family = ARM_WIDTHS if {"asimd", "neon"} & set(simd) else WIDTHS
    return tuple(width for width in family if why_not(width, simd) is None)


def why_not(width: str, simd: tuple[str, ...]) -> str | None:
    """Why a processor with these extensions cannot run at `width`, or None."""
    if width == NATIVE:
        return None
    if width not in (*WIDTHS, *ARM_WIDTHS):
        return f"SIMD width {width!r}; known are {', '.join((NATIVE, *WIDTHS, *ARM_WIDTHS))}"
    arm = bool({"asimd", "neon"} & set(simd))
    if arm != (width in ARM_WIDTHS):
        return f"SIMD width {width!r} is not of this processor's family"
    missing = [flag for flag in NEEDS.get(width, ()) if flag not in simd]
    return f"this processor lacks {', '.join(missing)}, which {width} needs" if missing else None


def environment_for(width: str) -> dict[str, str]:
    """Variables that ask every library that has a knob for `width`; none for "native"."""
    return dict(knobs[width] for knobs in SETTINGS.values() if width in knobs)


def settable(library: str, width: str) -> bool:
    """Whether `library` can be asked for `width`."""
    return width == NATIVE or width in SETTINGS[library]


def verify(width: str) -> tuple[Verified, ...]:
    """What each library does in this process; runs a small product of each kind."""
    return tuple(_verified(library, width, *PROBES[library]) for library in LIBRARIES)


def _verified(library: str, width: str, method: str, probe: Callable[[], str | None]) -> Verified:
    asked = width if settable(library, width) else NOT_SETTABLE
    try:
        seen = probe()
    except (OSError, RuntimeError, AttributeError, TypeError, ValueError):
        seen = None
    holds = None if seen is None or asked in (NATIVE, NOT_SETTABLE) else judge(library, asked, seen)
    return Verified(library, asked, seen or UNVERIFIED, method, holds)


def judge(library: str, asked: str, seen: str) -> bool:
    """Whether `seen`, in the library's words, is the width asked for."""
    if library == "MKL":
        return {"scalar": "CNR COMPATIBLE", "avx2": "CNR AVX2", "avx512": "CNR AVX512"}[asked] in seen
    word = seen.lower().replace("-", "").replace("_", "").replace(" ", "")
    found = "avx512" if "avx512" in word else "avx2" if "avx2" in word else "sve256" if "sve256" in word else "narrow"
    return found == (asked if asked in ("avx2", "avx512", "sve256") else "narrow")


def _aten() -> str:
    import torch

    return str(torch.backends.cpu.get_cpu_capability())


def _fbgemm() -> str:
    import torch

    library = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"))
    query = library._ZN6fbgemm20fbgemmInstructionSetEv
    query.restype = ctypes.c_int
    return FBGEMM_SETS[query()]


def _onednn() -> str | None:
    """The implementation that a packed fp32 linear layer ran."""
    import torch

    weight, x = torch.rand(96, 128), torch.rand(64, 128)

    def run() -> Any:
        with torch.no_grad(), torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON):
            packed = torch.ops.mkldnn._reorder_linear_weight(weight, len(x))
            return torch.ops.mkldnn._linear_pointwise(x, packed, None, "none", [], "")

    lines = [line for line in printed(run).splitlines() if ",exec,cpu," in line and ",reorder," not in line]
    return onednn_implementation(lines[-1]) if lines else None


def onednn_implementation(line: str) -> str | None:
    """The implementation's name in a line of oneDNN's verbose mode: …,exec,cpu,matmul,brg_matmul:avx2,…"""
    match = re.search(r",exec,cpu,\w+,([^,]+),", line)
    return match.group(1) if match else None


def _mkl() -> str | None:
    """The processor MKL takes this one for, and its branch mode ("CNR"), from a small fp32 product."""
    import torch

    x = torch.rand(64, 128)

    def run() -> Any:
        with torch.backends.mkl.verbose(torch.backends.mkl.VERBOSE_ON):
            return x @ x.t()

    return mkl_branch(printed(run))


def mkl_branch(text: str) -> str | None:
    """What MKL's verbose lines say: "AVX-512, CNR OFF"; "generic" where it names no extension."""
    mode = re.search(r"CNR:(\S+)", text)
    if mode is None:
        return None
    banner = re.search(r"^MKL_VERBOSE .*Product build.*$", text, re.MULTILINE)
    extension = re.findall(r"\(Intel\(R\) (AVX\S*|SSE\S*)\)", banner.group(0)) if banner else []
    return f"{extension[-1] if extension else 'generic'}, CNR {mode.group(1)}"


def printed(run: Callable[[], Any]) -> str:
    """What native code writes to standard output during `run`."""
    kept = os.dup(1)
    with tempfile.TemporaryFile() as file:
        try:
            os.dup2(file.fileno(), 1)
            run()
            ctypes.CDLL(None).fflush(None)
        finally:
            os.dup2(kept, 1)
            os.close(kept)
        file.seek(0)
        return file.read().decode(errors="replace")


PROBES: dict[str, tuple[str, Callable[[], str | None]]] = {
    "ATen": ("torch.backends.cpu.get_cpu_capability()", _aten),
    "FBGEMM": ("fbgemm::fbgemmInstructionSet()", _fbgemm),
    "oneDNN": ("the implementation named in its verbose lines", _onednn),
    "MKL": ("the processor and branch named in its verbose lines", _mkl),
}
