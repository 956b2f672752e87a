"""Criteo logs as columns: what reading says, in days, bounded by nothing but the disk."""

import os
from pathlib import Path

import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.models.data.store import open_columns, process_criteo, raw_days, require_older, split
from hotrow.tracegen import files


def line(rng: np.random.Generator) -> str:
    counts = ["" if n < 0 else str(n) for n in rng.integers(-1, 9, 13)]
    ids = ["" if n == 0 else f"{n * 2654435761 % 2**32:08x}" for n in rng.integers(0, 6, 26)]
    return "\t".join([str(rng.integers(0, 2)), *counts, *ids])


def write(path: Path, lines: int, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    path.write_text("".join(line(rng) + "\n" for _ in range(lines)))
    return path


def test_columns_are_what_reading_gives(tmp_path: Path) -> None:
    log = write(tmp_path / "train.txt", 50, 0)
    process_criteo(raw_days(log), tmp_path / "c")
    columns, about = open_columns(tmp_path / "c")
    trace = files.read(log, "criteo")
    assert about.days == (50,)
    assert columns.rows == tuple(table.rows for table in trace.tables)
    for mine, table in zip(columns.indices, trace.tables, strict=True):
        np.testing.assert_array_equal(mine, table.indices)
    np.testing.assert_array_equal(columns.dense, trace.dense)
    np.testing.assert_array_equal(columns.label, trace.label)


def test_days_share_their_vocabulary(tmp_path: Path) -> None:
    whole = "".join(write(tmp_path / f"day_{day}", 20, day).read_text() for day in range(3))
    (tmp_path / "all").write_text(whole)
    process_criteo(raw_days(tmp_path / "day"), tmp_path / "days")
    process_criteo(raw_days(tmp_path / "all"), tmp_path / "one")
    (days, about), (one, _) = open_columns(tmp_path / "days"), open_columns(tmp_path / "one")
    assert about.days == (20, 20, 20)
    assert all(np.array_equal(a, b) for a, b in zip(days.indices, one.indices, strict=True))
    training, lengths, test = split(days, about.days)
    assert (training.samples, lengths, test.samples) == (40, (20, 20), 10)
    np.testing.assert_array_equal(test.label, one.label[50:])
    seven, lengths, half = split(one, (60,))
    assert (len(lengths), seven.samples, half.samples) == (6, 52, 4)


def test_modulo_and_sub_sampling(tmp_path: Path) -> None:
    log = write(tmp_path / "train.txt", 400, 0)
    process_criteo([log], tmp_path / "m", max_ind_range=3, sub_sample_rate=0.75, seed=5)
    columns, about = open_columns(tmp_path / "m")
    assert max(columns.rows) <= 3
    labels = files.read(log, "criteo").label
    assert labels is not None
    assert columns.label is not None
    assert columns.label.sum() == labels.sum()
    assert 0.15 < (columns.label == 0).sum() / (labels == 0).sum() < 0.35
    assert (about.max_ind_range, about.sub_sample_rate) == (3, 0.75)


def test_a_bad_line_leaves_nothing_behind(tmp_path: Path) -> None:
    log = write(tmp_path / "train.txt", 5, 0)
    log.write_text(log.read_text() + "0\t1\n")
    with pytest.raises(HotrowError, match="line 6: 2 fields"):
        process_criteo([log], tmp_path / "c")
    assert [path.name for path in tmp_path.iterdir()] == ["train.txt"]


def test_what_is_damaged_is_said(tmp_path: Path) -> None:
    with pytest.raises(HotrowError, match=r"no such file, and no .*day_0"):
        raw_days(tmp_path / "day")
    with pytest.raises(HotrowError, match="no processed columns"):
        open_columns(tmp_path)
    process_criteo([write(tmp_path / "t", 5, 0)], tmp_path / "c")
    (tmp_path / "c" / "table-3.i32").write_bytes(b"1234")
    with pytest.raises(HotrowError, match=r"table-3\.i32: 4 bytes instead of 20"):
        open_columns(tmp_path / "c")
    with pytest.raises(HotrowError, match="sub-sample rate 1"):
        process_criteo([tmp_path / "t"], tmp_path / "d", sub_sample_rate=1)


def test_a_label_that_is_none_names_file_and_sample(tmp_path: Path) -> None:
    log = write(tmp_path / "train.txt", 5, 0)
    lines = log.read_text().splitlines()
    log.write_text("\n".join([*lines[:3], "7" + lines[3][1:], lines[4]]) + "\n")
    with pytest.raises(HotrowError, match=r"train\.txt, sample 3: label 7; it must be 0 or 1"):
        process_criteo(raw_days(log), tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_a_log_that_has_changed_is_not_passed_over(tmp_path: Path) -> None:
    log, folder = write(tmp_path / "train.txt", 5, 0), tmp_path / "c"
    require_older(folder, log)
    process_criteo(raw_days(log), folder)
    require_older(folder, log)
    require_older(folder, tmp_path / "gone")
    later = (folder / "columns.json").stat().st_mtime + 10
    os.utime(log, (later, later))
    with pytest.raises(HotrowError, match=r"train\.txt has changed since it was processed; delete"):
        require_older(folder, log)
