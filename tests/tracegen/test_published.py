"""Profiles from published aggregates hold every published bin."""

import csv
from pathlib import Path

import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.tracegen.generate import generate
from hotrow.tracegen.popularity import reuse_bins, row_counts
from hotrow.tracegen.published import load_profile, published


@pytest.mark.parametrize("name", ["meta-2021", "meta-2022"])
@pytest.mark.parametrize("tables", [3, 8])
def test_a_drawn_trace_has_the_published_histogram(name: str, tables: int) -> None:
    histogram = published(name)
    trace = generate(load_profile(name, tables))
    counts = np.concatenate([row_counts(table.indices) for table in trace.tables])
    rows, lookups = reuse_bins(counts, np.array(histogram.edges))
    assert rows == pytest.approx(histogram.rows, abs=0.001)
    assert lookups == pytest.approx(histogram.lookups, abs=0.001)
    assert trace.samples == histogram.samples
    assert trace.accesses == pytest.approx(histogram.lookups_total * tables / histogram.tables, rel=0.001)


def test_the_numbers_are_those_published(shared: Path) -> None:
    with (shared / "reference" / "meta_reuse.csv").open() as file:
        given = {row["file"]: row for row in csv.DictReader(file)}
    for name in ("meta-2021", "meta-2022"):
        histogram = published(name)
        row = next(row for file, row in given.items() if histogram.source.endswith(file))
        assert histogram.rows == tuple(float(v) for k, v in row.items() if k.startswith("rows_"))
        assert histogram.lookups == tuple(float(v) for k, v in row.items() if k.startswith("lookups_"))


@pytest.mark.parametrize("tables", [0, 857])
def test_more_tables_than_published_are_refused(tables: int) -> None:
    with pytest.raises(HotrowError, match="1 to 856"):
        load_profile("meta-2021", tables)
