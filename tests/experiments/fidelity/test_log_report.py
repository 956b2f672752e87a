"""The report on whole logs: what it measures, keeps and writes."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from hotrow.experiments.fidelity import log_report
from hotrow.experiments.fidelity.log_report import Case, Result, cut, report, results
from hotrow.tracegen.samples.made_logs import airline
from hotrow.tracegen.trace import TableLookups, Trace


@pytest.fixture(scope="module")
def bags() -> Case:
    rng = np.random.default_rng(2)
    sizes = rng.integers(0, 12, 3_000)
    rows = rng.zipf(1.3, int(sizes.sum())) % 400
    offsets = np.concatenate(([0], np.cumsum(sizes)))
    return Case("made bags", Trace((TableLookups("words", 400, rows, offsets),)))


def test_bags_are_cut_to_their_first_lookups() -> None:
    table = TableLookups("a", 9, np.array([1, 2, 3, 4, 5, 6]), np.array([0, 3, 3, 4, 6]))
    one_hot = TableLookups("b", 9, np.array([1, 2, 3, 4]))
    made = cut(Trace((table, one_hot)), 2)
    assert made.tables[0].indices.tolist() == [1, 2, 4, 5, 6]
    assert made.tables[0].bag_sizes().tolist() == [2, 0, 1, 2]
    assert made.tables[1].indices.tolist() == [1, 2, 3, 4]


def test_logs_of_bags_are_released_more_than_once_and_what_is_made_is_kept(
    bags: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_report, "RELEASES", 2)
    found = results(bags, tmp_path)
    assert [len(some) for some in found.values()] == [1, 2]
    assert len(list(tmp_path.iterdir())) == 3
    exact = found["exact"][0]
    assert exact.sizes == 0
    assert exact.tables["words"] < 0.05
    assert exact.repeats is not None
    assert exact.repeats[0] == pytest.approx(exact.repeats[1], abs=0.05)
    file = tmp_path / "made-bags-exact-0.json"
    known = msgspec.json.decode(file.read_bytes(), type=Result)
    file.write_bytes(msgspec.json.encode({**msgspec.to_builtins(known), "shared": 0.4242}))
    again = results(bags, tmp_path)
    assert again["exact"][0].shared == 0.4242
    text = report([(bags, again)])
    assert "| made bags | exact | .4242 |" in text
    assert text.count("| ε = 1 |") == 1


def test_shared_tables_stand_in_a_table_of_their_own(tmp_path: Path) -> None:
    trace = airline(2_000, 1)
    group = ("origin", "dest")
    every = []
    for name, share in (("apart", ()), ("shared", (group,))):
        case = Case(f"airline {name}", trace, share, (group,))
        every.append((case, results(case, tmp_path)))
    shared = every[1][1]["exact"][0]
    assert set(shared.common) == set(group)
    apart = every[0][1]["exact"][0]
    assert (
        abs(shared.common["origin"][1] - shared.common["origin"][0])
        < abs(apart.common["origin"][1] - apart.common["origin"][0]) + 0.05
    )
    text = report(every)
    rows = [line for line in text.splitlines() if line.startswith("| airline")]
    assert len(rows) == 2
    assert "Features that share a table" in text
