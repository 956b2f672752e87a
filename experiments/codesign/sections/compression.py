"""Section: what tables of fewer bits save, and how fast they are here."""

from __future__ import annotations

from ....models.quantization.inference import quantized_bytes
from ....models.quantization.rows import row_bytes
from ...cache_sizing import binary
from ...grid import Grid
from ...measured.profile_figures import figures
from ...measured.profile_grids import axis_grid
from ...report import Picture, Section, picture
from ..study import CoDesign

BITS = (32, 8, 4)
COST = (
    "What it costs in accuracy is not known from lookups: python -m hotrow.experiments.models.compression_study trains "
    "models to see."
)


def section(result: CoDesign) -> Section:
    """Bytes of tables and rows that a capacity holds, by bits; speed where it was measured."""
    config, curve, knee = result.subject.config, result.curves.shared, result.shared_knee
    capacity = None if knee is None else knee.capacity * result.row_bytes
    rows = []
    for bits in BITS:
        each = result.row_bytes if bits == 32 else row_bytes(config.dim, bits)
        held = "–" if capacity is None else f"{capacity // each:,}"
        hits = "–" if capacity is None else f"{1 - float(curve.miss_ratio([capacity // each])[0]):.2%}"
        rows.append((f"{bits}", f"{each}", binary(quantized_bytes(config, bits)), held, hits))
    where = "" if capacity is None else f"; a cache of {binary(capacity)}, the knee's bytes in float32"
    heads = ("bits of a number", "bytes of a row", "model", "rows it holds", "hits, LRU")
    grids = [Grid(f"Tables of fewer bits, a scale and an offset per row{where}", heads, tuple(rows), "simulated")]
    pictures: tuple[Picture, ...] = ()
    profile = None if result.measured is None else result.measured.profile
    if profile is not None and any(point.axis == "precision" for point in profile.axes):
        drawn = figures(profile)
        if "axis-precision" in drawn:
            pictures = (picture(drawn["axis-precision"], "Inference along precision, over float32.", "measured"),)
        grids.append(axis_grid("precision", profile.axes))
    return Section("compression", "Compression", (COST,), pictures=pictures, grids=tuple(grids))
