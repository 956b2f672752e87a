"""Question: how like are whole synthetic logs to logs it was not tuned on? Writes the numbers of docs/whole_samples.md.

Run as: python -m hotrow.experiments.fidelity.log_report TRACES RESULTS docs/whole-samples-numbers.md
Results are kept one file per run, so that what was interrupted goes on, and several may run beside each other.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from ...analysis.fidelity import cache_sizes
from ...analysis.miss_ratio import lru_curve
from ...analysis.recommendation.log_fidelity import log_fidelity, paired, shared_pairs
from ...atomic import replacing
from ...tracegen.generate import generate
from ...tracegen.privacy import PrivacyBudget
from ...tracegen.scale.log import Log
from ...tracegen.trace import TableLookups, Trace
from . import bag_sets, log_sets, shared_sets
from .fitting import fit

BUDGET = PrivacyBudget(1.0)  # the default: ε = 1 per sample
SEED = 5  # of what is generated; candidates were judged by another
RELEASES = 3  # of logs of bags at ε = 1, whose mean is reported: they differ most by chance


@dataclass(frozen=True)
class Case:
    """A log, and the groups of features that share tables in it, where they are fitted so."""

    name: str
    trace: Trace
    share: tuple[tuple[str, ...], ...] = ()
    judged: tuple[tuple[str, ...], ...] = ()  # groups compared as one table, fitted so or not

    @property
    def of_bags(self) -> bool:
        """Whether no table has one lookup in every sample."""
        return all(table.offsets is not None for table in self.trace.tables)


@dataclass(frozen=True)
class Result:
    """Errors of one synthetic log. Pairs are (real, synthetic) shares; tables: LRU error of every table, and of those
    that features share; millions: lookups generated per CPU second, in millions."""

    shared: float
    misses: tuple[float, ...]
    perfect: float
    pages: tuple[float, ...]
    sizes: float | None
    repeats: tuple[float, float] | None
    company: tuple[float, float] | None
    tables: dict[str, float]
    common: dict[str, tuple[float, float]]
    handed: dict[str, tuple[float, float]]
    millions: float


def measure(case: Case, budget: PrivacyBudget | None) -> Result:
    """Fit, generate and compare; with the log as cut where it is private."""
    fitted = fit(Log.of(case.trace).sharing(case.share), budget, case.name)
    start = time.process_time()
    made = generate(fitted.profile, seed=SEED)
    seconds = time.process_time() - start
    real = case.trace if budget is None else cut(case.trace, budget.lookups_per_sample)
    found = log_fidelity(real, made, share=case.judged)
    bags = found.bags
    return Result(
        found.shared,
        tuple(m.distance for m in found.misses),
        found.perfect_error,
        tuple(p.error for p in found.pages),
        max(b.sizes for b in bags) if bags else None,
        _mean([b.duplicates for b in bags]),
        _mean([b.company for b in bags]),
        {a.name: _lru(a, b) for a, b in (*paired(real, made), *shared_pairs(real, made, case.judged)) if a.accesses},
        {f.feature: f.common for f in found.features},
        {f.feature: f.handed for f in found.features},
        made.accesses / max(seconds, 1e-9) / 1e6,
    )


def cut(trace: Trace, most: int) -> Trace:
    """The trace with bags of at most so many lookups, the first ones."""
    return Trace(tuple(_cut(table, most) for table in trace.tables))


def _cut(table: TableLookups, most: int) -> TableLookups:
    if table.offsets is None:
        return table
    sizes = np.asarray(table.bag_sizes())
    kept = np.minimum(sizes, most)
    place = np.arange(table.accesses) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return TableLookups(table.name, table.rows, table.indices[place < most], np.concatenate(([0], np.cumsum(kept))))


def _lru(real: TableLookups, synthetic: TableLookups) -> float:
    ids = [np.asarray(table.indices, np.int64) for table in (real, synthetic)]
    sizes = cache_sizes(len(np.unique(ids[0])))
    curves = [lru_curve(x).miss_ratio(sizes) for x in ids]
    return float(np.abs(curves[0] - curves[1]).mean())


def _mean(pairs: Sequence[tuple[float, float]]) -> tuple[float, float] | None:
    return (float(np.mean([a for a, _ in pairs])), float(np.mean([b for _, b in pairs]))) if pairs else None


def cases(folder: Path) -> Iterator[Case]:
    """The test logs, each of them once; those with shared tables fitted with and without."""
    for log, trace in log_sets.load_logs(log_sets.TEST_LOGS, folder):
        yield Case(log.name, trace)
    for log, trace in bag_sets.load_bags(bag_sets.TEST_BAGS, folder):
        if log.seed is not None:  # the real ones are among the logs above
            yield Case(log.name, trace)
    for shared, trace in shared_sets.load_shared(shared_sets.TEST_SHARED, folder):
        yield Case(f"{shared.log.name}, {' and '.join(shared.share)} apart", trace, (), (shared.share,))
        yield Case(f"{shared.log.name}, {' and '.join(shared.share)} shared", trace, (shared.share,), (shared.share,))


def results(case: Case, kept: Path) -> dict[str, list[Result]]:
    """Of one case, exact and private: made now, or read where they were made before."""
    found: dict[str, list[Result]] = {}
    for title, budget in (("exact", None), ("ε = 1", BUDGET)):
        releases = RELEASES if budget is not None and case.of_bags else 1
        found[title] = [
            _kept(kept, f"{case.name} {title} {number}", lambda budget=budget: measure(case, budget))  # type: ignore[misc]
            for number in range(releases)
        ]
    return found


def _kept(folder: Path, name: str, make: Callable[[], Result]) -> Result:
    file = folder / f"{re.sub('[^a-z0-9]+', '-', name.lower())}.json"
    if not file.exists():
        made = make()
        with replacing(file) as beside:
            beside.write_bytes(msgspec.json.encode(made))
    return msgspec.json.decode(file.read_bytes(), type=Result)


def report(every: Sequence[tuple[Case, dict[str, list[Result]]]]) -> str:
    """All numbers, as Markdown."""
    lines = [
        "# Numbers behind docs/whole_samples.md",
        "",
        "Made by `python -m hotrow.experiments.fidelity.log_report`. Errors, 0 is perfect; pairs are real : synthetic.",
        f"ε = 1 per sample; of logs of bags the mean of {RELEASES} releases, compared with the log as cut.",
        "",
        *_table(
            ("log", "", "shared LRU", "misses (worst)", "perfect hits", "pages (worst)", "bag sizes", "repeats",
             "company", "tables' LRU", "M lookups/s"),
            [row for case, found in every if not case.judged for row in _rows(case, found, _whole)],
        ),
        "",
        "## Features that share a table",
        "",
        "common: lookups of a row that other features look up too; handed: of one that another feature asked for last.",
        "",
        *_table(
            ("log", "", "their table's LRU", "each feature's LRU", "common", "handed", "shared LRU", "misses (worst)"),
            [row for case, found in every if case.judged for row in _rows(case, found, _shared)],
        ),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _rows(
    case: Case, found: dict[str, list[Result]], cells: Callable[[Case, list[Result]], list[str]]
) -> list[list[str]]:
    return [[case.name if k == 0 else "", title, *cells(case, some)] for k, (title, some) in enumerate(found.items())]


def _whole(case: Case, some: list[Result]) -> list[str]:
    errors = [error for r in some for error in r.tables.values()]
    sizes = [r.sizes for r in some if r.sizes is not None]
    return [
        _number(np.mean([r.shared for r in some])),
        _with_worst([r.misses for r in some], 3),
        _number(np.mean([r.perfect for r in some]), 3),
        _with_worst([r.pages for r in some], 3),
        _number(np.mean(sizes), 3) if sizes else "–",
        _pair([r.repeats for r in some if r.repeats is not None]),
        _pair([r.company for r in some if r.company is not None]),
        f"{_number(min(errors))} to {_number(max(errors))}" if len(case.trace.tables) > 1 else _number(np.mean(errors)),
        f"{np.mean([r.millions for r in some]):.1f}",
    ]


def _shared(case: Case, some: list[Result]) -> list[str]:
    group = case.judged[0]
    return [
        _number(np.mean([r.tables["+".join(group)] for r in some])),
        ", ".join(_number(np.mean([r.tables[name] for r in some])) for name in group),
        ", ".join(_pair([r.common[name] for r in some]) for name in group),
        ", ".join(_pair([r.handed[name] for r in some]) for name in group),
        _number(np.mean([r.shared for r in some])),
        _with_worst([r.misses for r in some], 3),
    ]


def _number(value: float | np.floating, places: int = 4) -> str:
    return f"{value:.{places}f}".replace("0.", ".", 1)


def _with_worst(values: Sequence[Sequence[float]], places: int) -> str:
    every = np.array(values)
    return f"{_number(every.mean(), places)} ({_number(every.mean(0).max(), places)})"


def _pair(pairs: Sequence[tuple[float, float]]) -> str:
    mean = _mean(pairs)
    return "–" if mean is None else f"{_number(mean[0], 3)} : {_number(mean[1], 3)}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads), *(f"| {' | '.join(row)} |" for row in rows)]


def main(arguments: Sequence[str]) -> None:
    """Write the report of the logs in the first folder, with results kept in the second, to a file."""
    folder, kept, target = map(Path, arguments)
    kept.mkdir(parents=True, exist_ok=True)
    text = report([(case, results(case, kept)) for case in cases(folder)])
    with replacing(target) as beside:
        beside.write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:])
