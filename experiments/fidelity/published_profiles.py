"""Question: what can be said of Criteo's tables without their logs? Profiles from published rows, bags and hit rates.

python -m hotrow.experiments.fidelity.published_profiles HIT_RATES.csv tracegen/profiles
writes criteo-kaggle and dcnv2-multi-hot. HIT_RATES.csv: capacity in rows in its second column, least and greatest hit
rate in per cent in the next two.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from ...models.config import load_preset
from ...tracegen.popularity import spectrum
from ...tracegen.profile import TableProfile, TraceProfile
from ...tracegen.samples.skew import Law, counts_of, fit_law

KAGGLE_SAMPLES, DCNV2_SAMPLES = 200_000, 20_000
LARGEST = 5  # tables behind the published hit rates


def kaggle(capacities: np.ndarray, rates: np.ndarray) -> tuple[TraceProfile, Law]:
    """criteo-kaggle: published rows; the skew of the five largest tables fitted to published FIFO hit rates."""
    tables = load_preset("criteo-kaggle").tables
    law, error = fit_law(sorted(table.rows for table in tables)[-LARGEST:], capacities, rates)
    made = tuple(
        TableProfile(f"C{k + 1}", table.rows, spectrum(counts_of(table.rows, law, KAGGLE_SAMPLES)))
        for k, table in enumerate(tables)
    )
    return TraceProfile(
        "criteo-kaggle",
        "published",
        "rows: DLRM benchmark (Naumov et al. 2019, arXiv 1906.00091); skew: published hit rates of a FIFO cache over "
        f"the {LARGEST} largest tables",
        KAGGLE_SAMPLES,
        made,
        (
            f"popularity is Zipf–Mandelbrot, exponent {law.exponent:g}, shift {law.shift:g}, the same in all tables; "
            f"FIFO hit rates of the {LARGEST} largest then differ from the published ones by {error:.4f} on average "
            f"over {len(capacities)} capacities (of independent draws, by formula)",
            "temporal order is not published: draws are independent; the skew makes up for the locality behind the "
            "published hit rates",
            "the other tables' skew is not published: the same law is assumed",
        ),
    ), law


def dcnv2(law: Law) -> TraceProfile:
    """dcnv2-multi-hot: published rows and bag sizes; the skew assumed to be that of criteo-kaggle."""
    made = []
    for k, table in enumerate(load_preset("mlperf-dcnv2").tables):
        size = round(table.pooling)
        counts = counts_of(table.rows, law, DCNV2_SAMPLES * size)
        made.append(TableProfile(f"C{k + 1}", table.rows, spectrum(counts), ((size, DCNV2_SAMPLES),)))
    return TraceProfile(
        "dcnv2-multi-hot",
        "published",
        "rows and bag sizes: MLPerf Training v3.0 and Inference v3.1 onward, recommendation (DLRM-DCNv2)",
        DCNV2_SAMPLES,
        tuple(made),
        (
            "bags are of fixed size, as published",
            f"popularity is assumed: Zipf–Mandelbrot, exponent {law.exponent:g}, shift {law.shift:g}, as in "
            "criteo-kaggle; draws are independent",
        ),
    )


def main(hit_rates: Path, folder: Path) -> None:
    """Write both profiles."""
    table = np.loadtxt(hit_rates, delimiter=",", skiprows=1)[1:]
    profile, law = kaggle(table[:, 1], table[:, 2:4].mean(1) / 100)
    for made in (profile, dcnv2(law)):
        made.save(folder / f"{made.name}.json")
        print(made.name, *made.assumptions, sep="\n  ")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
