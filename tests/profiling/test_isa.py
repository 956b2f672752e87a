"""SIMD widths: the verified one changes with the knob, and a knob that did not act is not believed."""

import os
import subprocess
import sys

import msgspec
import pytest

from hotrow.profiling import isa
from hotrow.profiling.host import host_facts
from hotrow.profiling.isa import (
    ARM_WIDTHS,
    ISA_KNOBS,
    LIBRARIES,
    NATIVE,
    NOT_SETTABLE,
    WIDTHS,
    Verified,
    environment_for,
    judge,
    mkl_branch,
    onednn_implementation,
    settable,
    verify,
    why_not,
    widths,
)

AVX512 = ("avx2", "avx512bw", "avx512dq", "avx512f", "avx512vl")
CODE = """
import sys, msgspec
from hotrow.profiling.isa import verify
print(msgspec.json.encode(verify(sys.argv[1])).decode())
"""


def verified(width: str) -> dict[str, Verified]:
    """What a process sees whose knobs stand at `width`."""
    ours = {name: value for name, value in os.environ.items() if name not in ISA_KNOBS}
    done = subprocess.run(
        [sys.executable, "-c", CODE, width], env=ours | environment_for(width), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found = msgspec.json.decode(done.stdout.splitlines()[-1], type=tuple[Verified, ...])
    return {v.library: v for v in found}


@pytest.fixture(scope="module")
def here() -> dict[str, Verified]:
    """What this process sees, whose knobs nobody turned, when told that AVX2 was asked for."""
    if "avx512" not in widths(host_facts().simd) or set(ISA_KNOBS) & set(os.environ):
        pytest.skip("needs AVX-512 and an environment without knobs")
    return {v.library: v for v in verify("avx2")}


def test_the_verified_width_changes_when_the_knob_is_turned(here: dict[str, Verified]) -> None:
    narrow = verified("avx2")
    for library in ("ATen", "FBGEMM", "oneDNN"):
        assert narrow[library].holds is True
        assert narrow[library].seen != here[library].seen


def test_a_knob_that_did_not_act_is_not_believed(here: dict[str, Verified]) -> None:
    for library in LIBRARIES:
        assert here[library].holds is False
        assert "(asked avx2)" in here[library].words


def test_what_cannot_be_seen_is_unverified(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> str:
        raise OSError("no such library")

    monkeypatch.setattr(isa, "PROBES", dict.fromkeys(LIBRARIES, ("by looking", broken)))
    for found in verify("scalar"):
        assert (found.seen, found.words, found.holds) == ("unverified", "unverified", None)


def test_scalar_where_a_library_has_it() -> None:
    if "scalar" not in widths(host_facts().simd):
        pytest.skip("not an x86 processor")
    found = verified("scalar")
    assert found["ATen"].seen == "DEFAULT"
    assert found["FBGEMM"].asked == NOT_SETTABLE
    assert found["FBGEMM"].holds is None


def test_widths_of_processors() -> None:
    assert widths(AVX512) == WIDTHS
    assert widths(("avx2",)) == ("scalar", "avx2")
    assert widths(("asimd", "sve")) == ARM_WIDTHS
    assert widths(("asimd",)) == ("neon",)
    assert "lacks avx512f" in str(why_not("avx512", ("avx2",)))
    assert "family" in str(why_not("neon", AVX512))
    assert "family" in str(why_not("avx2", ("asimd",)))
    assert "known are" in str(why_not("mmx", AVX512))
    assert why_not(NATIVE, ()) is None
    assert all(settable(library, NATIVE) for library in LIBRARIES)


BANNER = "MKL_VERBOSE oneMKL 2024.0 Update 2 Product build 20240605 for Intel(R) 64 architecture Intel(R) "


@pytest.mark.parametrize(
    ("text", "branch"),
    [
        (BANNER + "Architecture processors, Lnx\nMKL_VERBOSE SGEMM(N) 2us CNR:OFF Dyn:0", "generic, CNR OFF"),
        (
            BANNER + "Advanced Vector Extensions 512 (Intel(R) AVX-512) enabled processors\nSGEMM CNR:AVX512",
            "AVX-512, CNR AVX512",
        ),
        ("nothing of the kind", None),
    ],
)
def test_mkl_lines(text: str, branch: str | None) -> None:
    assert mkl_branch(text) == branch


def test_onednn_lines() -> None:
    line = "onednn_verbose,v1,primitive,exec,cpu,matmul,brg_matmul:avx512_core,undef,src:f32"
    assert onednn_implementation(line) == "brg_matmul:avx512_core"
    assert onednn_implementation("onednn_verbose,v1,info,cpu,isa:AVX2") is None


@pytest.mark.parametrize(
    ("library", "asked", "seen", "holds"),
    [
        ("MKL", "avx2", "generic, CNR AUTO", False),
        ("MKL", "avx2", "AVX2, CNR AVX2", True),
        ("MKL", "scalar", "generic, CNR COMPATIBLE", True),
        ("FBGEMM", "avx512", "AVX512 VNNI", True),
        ("FBGEMM", "avx2", "AVX512", False),
        ("oneDNN", "scalar", "x64:gemm:jit", True),
        ("oneDNN", "avx512", "brg_matmul:avx2", False),
        ("ATen", "neon", "DEFAULT", True),
        ("ATen", "sve256", "SVE256", True),
        ("ATen", "sve256", "DEFAULT", False),
    ],
)
def test_judgement(library: str, asked: str, seen: str, holds: bool) -> None:
    assert judge(library, asked, seen) is holds
