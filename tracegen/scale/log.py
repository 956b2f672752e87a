"""Log: a trace that can be read again and again in parts, so that measuring it need not hold it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ... import HotrowError
from ...progress import Advance, ignore
from .. import files
from ..clock import Clock, Feature
from ..sharing.groups import check_groups, shared_name
from ..trace import Trace

CHUNK = 1 << 18  # samples of a part
HELD = 1 << 25  # lookups that are kept rather than read again, at most 256 MB


@dataclass(frozen=True)
class TableForm:
    """What is known of a table before it is measured. longest: lookups of its largest bag, at least 1, as far as a log
    was read for that; one_hot: whether its form has no bags. column: its place among the log's columns, of a feature
    that shares its table; features: those that share this one. rows: declared, at most, as far as it was read."""

    name: str
    one_hot: bool
    longest: int = 1
    column: int = 0
    features: tuple[TableForm, ...] = ()
    rows: int = field(default=0, compare=False)

    def clock(self, samples: int, lookups_per_sample: int | None = None) -> Clock:
        """Its clock; every bag has so many slots, or as many as its longest needs, which is no public number."""
        if not self.features:
            return Clock(self.name, samples, self._slots(lookups_per_sample), self.one_hot)
        features = tuple(Feature(f.name, f._slots(lookups_per_sample), f.one_hot, f.column) for f in self.features)
        return Clock(self.name, samples, sum(f.per_sample for f in features), False, features)

    def _slots(self, lookups_per_sample: int | None) -> int:
        return 1 if self.one_hot else lookups_per_sample or self.longest


@dataclass(frozen=True, eq=False)
class Log:
    """A trace's samples and tables, whether it has user ids, and `parts`, which reads it from the beginning.

    lookups: about how many; note: what whoever reads its profile should know, if anything.
    """

    samples: int
    lookups: int
    tables: tuple[TableForm, ...]
    users: bool
    parts: Callable[[], Iterator[Trace]]
    note: str = ""

    @classmethod
    def of(cls, trace: Trace | Log) -> Log:
        """A trace in memory, as one part; a log as it is."""
        if isinstance(trace, Log):
            return trace
        return cls(trace.samples, trace.accesses, _forms(trace), trace.user is not None, lambda: iter((trace,)))

    @classmethod
    def on_disk(
        cls,
        path: str | Path,
        format: str | None = None,
        bags: bool = False,
        advance: Advance = ignore,
        first: int | None = None,
        share: Sequence[Sequence[str]] = (),
    ) -> Log:
        """The trace in `path`. Read once to count samples, where no footer does, and with `bags` the largest bags.

        A short log is kept. advance: told the samples as they are read; first: only so many samples; share: as of
        sharing, whose HotrowError comes before the log is read.
        """
        samples, lookups, users = 0, 0, True
        tables: tuple[TableForm, ...] = ()
        held: list[Trace] | None = []
        for part in _scanned(path, format, first):
            samples += part.samples
            lookups += part.accesses
            if not tables:
                check_groups(share, [table.name for table in part.tables])
            tables = _forms(part, tables)
            users = users and part.user is not None
            if held is not None:
                held.append(_lean(part))
                if lookups > HELD:
                    held = None
                    some_bags = not all(table.one_hot for table in tables)
                    counted = None if bags and some_bags else _counted(path, format)
                    if counted is not None:
                        counted = counted if first is None else min(first, counted)
                        lookups, samples = lookups * counted // samples, counted
                        break
            advance(part.samples)
        if not tables:
            raise HotrowError(f"{path}: no samples, and no tables to measure")
        note = f"measured on the first {samples:,} samples of its log" if samples == first else ""
        if held is not None:
            return cls(samples, lookups, tables, users, lambda: iter(held), note).sharing(share)
        log = cls(samples, lookups, tables, users, lambda: _again(path, format, samples, tables, first), note)
        return log.sharing(share)

    def sharing(self, groups: Sequence[Sequence[str]]) -> Log:
        """The same log in which the features of every group look up one table, called by all their names.

        Raises HotrowError where a group is none (see sharing.check_groups) or the log has shared tables already.
        """
        check_groups(groups, [table.name for table in self.tables])
        forms = {table.name: replace(table, column=k) for k, table in enumerate(self.tables)}
        for group in groups:
            features = tuple(forms.pop(name) for name in group)
            longest = sum(feature.longest for feature in features)
            first = min(feature.column for feature in features)
            forms[shared_name(group)] = TableForm(shared_name(group), False, longest, first, features)
        tables = sorted(forms.values(), key=lambda form: form.column)
        return replace(self, tables=tuple(t if t.features else replace(t, column=0) for t in tables))

    def watched(self, advance: Advance) -> Log:
        """The same log, which tells `advance` its samples whenever it is read."""

        def parts() -> Iterator[Trace]:
            for part in self.parts():
                yield part
                advance(part.samples)

        return replace(self, parts=parts)


def _forms(part: Trace, known: tuple[TableForm, ...] = ()) -> tuple[TableForm, ...]:
    """Tables with the largest bags so far. Raises HotrowError where a part has other tables than those known."""
    forms = tuple(
        TableForm(t.name, t.offsets is None, max(1, int(t.bag_sizes().max(initial=1))), rows=t.rows)
        for t in part.tables
    )
    if not known:
        return forms
    if [(t.name, t.one_hot) for t in forms] != [(t.name, t.one_hot) for t in known]:
        raise HotrowError("parts of a trace differ in their tables; they must have the same tables in the same order")
    return tuple(
        replace(a, longest=max(a.longest, b.longest), rows=max(a.rows, b.rows))
        for a, b in zip(known, forms, strict=True)
    )


def _lean(part: Trace) -> Trace:
    """What measuring needs of a part."""
    return Trace(part.tables, user=part.user)


def _counted(path: str | Path, format: str | None) -> int | None:
    """The samples of a trace, where a format says so beforehand."""
    chosen = files.recognise(path) if format is None else files.formats()[format]
    return None if chosen is None or chosen.extent is None else files.extent(path, format).samples


def _scanned(path: str | Path, format: str | None, first: int | None) -> Iterator[Trace]:
    """The trace's parts, up to its first `first` samples."""
    left = first
    for part in files.scan(path, format, CHUNK):
        if left is None:
            yield part
            continue
        yield part.samples_between(0, left)
        left -= part.samples
        if left <= 0:
            return


def _again(
    path: str | Path, format: str | None, samples: int, tables: tuple[TableForm, ...], first: int | None
) -> Iterator[Trace]:
    done = 0
    for part in _scanned(path, format, first):
        _forms(part, tables)
        done += part.samples
        if done > samples:
            break
        yield _lean(part)
    if done != samples:
        raise HotrowError(f"{path}: it changed while it was read; keep it as it is and measure again")
