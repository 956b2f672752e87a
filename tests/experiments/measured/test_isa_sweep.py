"""Widths by operator: one quick operator at every width, and the words for what a library did not do."""

from hotrow.experiments.measured.isa_sweep import WidthPoint, grid, isa_sweep
from hotrow.profiling.host import host_facts
from hotrow.profiling.isa import NATIVE, Verified, widths
from hotrow.profiling.measurement import Measurement
from hotrow.profiling.processes.runner import Plan

TIME = Measurement("s", 1e-6, 0.9e-6, 1.1e-6, "s", "measured", 3)


def test_one_operator_at_every_width() -> None:
    plan = Plan(processes=1, seconds=0.0, patience=0.0, least=3)
    (points,) = isa_sweep(["embedding_bag dim 16"], plan)
    assert [p.width for p in points] == [NATIVE, *widths(host_facts().simd)]
    assert all(p.agrees for p in points)
    assert points[0].speedup is not None
    assert points[0].speedup.value == 1
    assert all(p.library is not None and p.library.library == "FBGEMM" for p in points)


def test_what_was_not_in_effect_is_said() -> None:
    points = (
        WidthPoint("a", "avx2", Verified("MKL", "avx2", "generic, CNR AUTO", "", False), TIME, TIME, True),
        WidthPoint("a", "scalar", Verified("FBGEMM", "not settable", "AVX512", "", None), TIME, TIME, None),
        WidthPoint("b", "avx512", None, None, None, None, "this processor lacks avx512f"),
    )
    rows = grid(points).rows
    assert rows[0][-1] == "MKL: generic, CNR AUTO although asked for avx2"
    assert rows[1][-1] == "FBGEMM: AVX512 (not settable)"
    assert (rows[2][2], rows[2][5]) == ("failed", "this processor lacks avx512f")
