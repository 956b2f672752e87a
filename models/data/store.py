"""Columns on disk: Criteo logs processed once, in bounded memory, into plain arrays that training maps into memory.

A folder with columns.json and raw little-endian files: label.f32 [samples], dense.f32 [samples, 13], and table-K.i32
[samples] for every table. Ids are numbered in order of first appearance, after taking them modulo `max_ind_range` where
that is above 0: so does the DLRM benchmark (facebookresearch/dlrm).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ... import HotrowError
from ...atomic import replacing
from ...progress import Advance, ignore
from ...tracegen import files
from ...tracegen.days import split_days
from ...tracegen.trace import Trace
from ...tracegen.vocabulary import Vocabulary
from .distributions import stream_key, uniform_floats
from .source import Columns

ABOUT = "columns.json"
ALL_KEYS = 2**32  # folds nothing: Criteo's ids have 32 bits
DENSE, TABLES = 13, 26
KEEP = 5  # the stream of random numbers that chooses which non-clicks stay
COMPRESSIONS = ("", ".gz", ".zst")


class About(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a folder of columns holds: samples of each day, rows of each table, and how the ids were made."""

    version: int
    days: tuple[int, ...]
    rows: tuple[int, ...]
    max_ind_range: int
    sub_sample_rate: float

    @property
    def samples(self) -> int:
        """Samples of all days."""
        return sum(self.days)


def raw_days(raw: Path) -> list[Path]:
    """The files of a log: `raw` itself, or raw_0, raw_1, … (each plain, .gz or .zst). HotrowError if there is none."""
    if raw.is_file():
        return [raw]
    days: list[Path] = []
    for day in count():
        found = [path for end in COMPRESSIONS if (path := Path(f"{raw}_{day}{end}")).is_file()]
        if not found:
            break
        days.append(found[0])
    if not days:
        raise HotrowError(f"{raw}: no such file, and no {raw}_0; give the Criteo log with --raw-data-file")
    return days


def process_criteo(
    days: Sequence[Path],
    target: Path,
    max_ind_range: int = 0,
    sub_sample_rate: float = 0.0,
    seed: int = 0,
    advance: Advance = ignore,
) -> None:
    """Read Criteo logs, a file per day, and write them as columns to the folder `target`: whole or not at all.

    sub_sample_rate: share of the samples without a click that is left out, by chance. Raises HotrowError naming file,
    line, field and rule.
    """
    if not 0 <= sub_sample_rate < 1:
        raise HotrowError(f"sub-sample rate {sub_sample_rate}; it must be at least 0 and below 1")
    vocabularies = [Vocabulary() for _ in range(TABLES)]
    lengths = []
    with replacing(target) as beside:
        beside.unlink()
        beside.mkdir()
        with ExitStack() as stack:
            label, dense, *tables = (
                stack.enter_context((beside / name).open("wb"))
                for name in ("label.f32", "dense.f32", *map(_table_file, range(TABLES)))
            )
            done = 0
            for day in days:
                before = done
                read = 0
                for part in _parts(day, max_ind_range):
                    _check_labels(day, read, _of(part.label))
                    read += part.samples
                    keep = _kept(part, sub_sample_rate, seed, done)
                    dense.write(np.ascontiguousarray(_of(part.dense)[keep], "<f4").data)
                    label.write(np.ascontiguousarray(_of(part.label)[keep], "<f4").data)
                    for file, table, vocabulary in zip(tables, part.tables, vocabularies, strict=True):
                        file.write(vocabulary.number(table.indices[keep].astype(np.uint32)).data)
                    done += len(part.tables[0].indices[keep])
                    advance(part.samples)
                lengths.append(done - before)
        rows = tuple(max(1, vocabulary.size) for vocabulary in vocabularies)
        about = About(1, tuple(lengths), rows, max_ind_range, sub_sample_rate)
        (beside / ABOUT).write_bytes(msgspec.json.encode(about))


def require_older(folder: Path, raw: Path) -> None:
    """Raise HotrowError where a log has changed since it was processed into `folder`; a log that is gone has not."""
    about = folder / ABOUT
    if not about.is_file():
        return
    made = about.stat().st_mtime
    days = raw_days(raw) if raw.is_file() or list(raw.parent.glob(f"{raw.name}_0*")) else []
    for day in days:
        if day.stat().st_mtime > made:
            raise HotrowError(
                f"{folder}: {day} has changed since it was processed; delete the folder to process it anew"
            )


def open_columns(folder: Path) -> tuple[Columns, About]:
    """The columns in a folder, mapped into memory. Raises HotrowError where it is damaged."""
    try:
        about = msgspec.json.decode((folder / ABOUT).read_bytes(), type=About)
    except (OSError, msgspec.DecodeError) as error:
        raise HotrowError(f"{folder}: no processed columns ({error}); delete it and process the log again") from error
    n = about.samples
    if not n:
        raise HotrowError(f"{folder}: holds no samples; delete it and process another log")
    columns = Columns(
        n,
        about.rows,
        tuple(_mapped(folder / _table_file(k), np.int32, (n,)) for k in range(len(about.rows))),
        (None,) * len(about.rows),
        _mapped(folder / "dense.f32", np.float32, (n, DENSE)),
        _mapped(folder / "label.f32", np.float32, (n,)),
    )
    return columns, about


def split(columns: Columns, days: Sequence[int]) -> tuple[Columns, tuple[int, ...], Columns]:
    """Training columns and their days, and test columns: the last day's second half.

    Where the log is one file, seven equal parts are its days, as in the DLRM benchmark. The last day's first half is
    for validation and in neither.
    """
    if len(days) == 1:
        parts = split_days(columns.samples)
        lengths = tuple(len(day) for day in parts.training)
        return columns.between(0, sum(lengths)), lengths, columns.between(parts.test.start, parts.test.stop)
    training = sum(days[:-1])
    middle = training + (days[-1] + 1) // 2
    return columns.between(0, training), tuple(days[:-1]), columns.between(middle, columns.samples)


def _parts(day: Path, max_ind_range: int) -> Iterator[Trace]:
    return files.scan(day, "criteo", max_ind_range=max_ind_range or ALL_KEYS)


def _check_labels(day: Path, read: int, label: NDArray[np.float32]) -> None:
    bad = np.flatnonzero(~((label >= 0) & (label <= 1)))
    if len(bad):
        raise HotrowError(
            f"{day}, sample {read + int(bad[0])}: label {label[bad[0]]:g}; it must be 0 or 1: correct or drop it"
        )


def _kept(part: Trace, rate: float, seed: int, start: int) -> Any:
    """Which samples stay: an index for arrays."""
    if not rate:
        return slice(None)
    drawn = uniform_floats(stream_key(seed, KEEP, start), np.arange(part.samples), 1)[:, 0]
    return np.flatnonzero((_of(part.label) > 0.5) | (drawn >= rate))


def _of(values: NDArray[np.float32] | None) -> NDArray[np.float32]:
    assert values is not None, "Criteo logs have labels and dense features"
    return values


def _table_file(k: int) -> str:
    return f"table-{k}.i32"


def _mapped(path: Path, dtype: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    """Copy-on-write, as torch takes only arrays that can be written to; nobody writes."""
    needed = int(np.prod(shape)) * 4
    size = path.stat().st_size if path.is_file() else -1
    if size != needed:
        raise HotrowError(f"{path}: {size} bytes instead of {needed}; delete its folder and process the log again")
    return np.memmap(path, dtype, "c", shape=shape)
