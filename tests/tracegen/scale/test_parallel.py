"""In parallel or not, the same trace to the byte; more samples bring new rows at the profile's own rate."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.tracegen import files
from hotrow.tracegen.generate import generate, new_rows
from hotrow.tracegen.profile import TraceProfile, characterize
from hotrow.tracegen.samples.made_logs import clicks
from hotrow.tracegen.scale.parallel import generate_in_parallel, write_folder
from hotrow.tracegen.scenarios import zipf
from hotrow.tracegen.trace import Trace, concatenate


@pytest.fixture(scope="module")
def profile() -> TraceProfile:
    return characterize(clicks(1500, 2, users=60, items=300))


def test_workers_change_nothing(profile: TraceProfile) -> None:
    expected = generate(profile, 5000, seed=3)
    for workers in (1, 3):
        with ThreadPoolExecutor(workers) as pool:
            assert concatenate(list(generate_in_parallel(profile, 5000, 3, pool, 2))).equals(expected)


def test_a_folder_has_the_same_bytes_whatever_the_workers(tmp_path, profile: TraceProfile) -> None:
    alone = tmp_path / "alone"
    lookups = write_folder(profile, alone, 4000, 3)
    with ThreadPoolExecutor(2) as pool:
        assert write_folder(profile, tmp_path / "pool", 4000, 3, pool) == lookups
    names = sorted(p.name for p in alone.iterdir())
    assert names == ["part-00000.parquet", "part-00001.parquet", "part-00002.parquet"]
    assert all((alone / n).read_bytes() == (tmp_path / "pool" / n).read_bytes() for n in names)
    assert files.read(alone).equals(generate(profile, 4000, seed=3))
    with pytest.raises(HotrowError, match="there already"):
        write_folder(profile, alone, 10)


def test_a_broken_run_leaves_nothing(tmp_path, profile: TraceProfile) -> None:
    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_folder(profile, tmp_path / "x", 4000, 3, advance=stop)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / ".partial-x").mkdir()
    with pytest.raises(HotrowError, match="one was killed"):
        write_folder(profile, tmp_path / "x", 4000, 3)


def test_more_samples_keep_popular_rows_and_bring_new_ones() -> None:
    growing = characterize(Trace.from_ids(np.arange(4000) // 2, rows=1_000_000))
    assert new_rows(growing.tables[0]) == pytest.approx(2000, rel=0.05)
    closed = characterize(Trace.from_ids(zipf(4000, 1, rows=30), rows=30))
    assert new_rows(closed.tables[0]) == 0
    mixed = Trace.from_ids(np.where(np.arange(4000) % 2, np.arange(4000), 0), rows=10**9)
    made = generate(characterize(mixed), 12_000)
    blocks = [np.unique(made.tables[0].indices[k * 4000 : (k + 1) * 4000]) for k in range(3)]
    assert len(np.intersect1d(blocks[0], blocks[1])) >= 1
    assert len(np.unique(np.concatenate(blocks))) > 2.8 * len(blocks[0])
