"""One file or a folder, one process or two: the same trace."""

from pathlib import Path

from hotrow.experiments.fidelity.generating import write
from hotrow.tracegen import files
from hotrow.tracegen.profile import characterize
from hotrow.tracegen.samples.made_logs import clicks


def test_files_and_folders_hold_the_same_trace(tmp_path: Path) -> None:
    profile = characterize(clicks(500, 2, users=30, items=100))
    made = {}
    for name, workers in (("one.parquet", 1), ("two.parquet", 2), ("folder", 1)):
        made[name] = write(profile, tmp_path / name, 1200, 4, workers=workers)
    assert len(set(made.values())) == 1
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()
    assert files.read(tmp_path / "folder").equals(files.read(tmp_path / "one.parquet"))
    assert made["folder"] == (1200, files.read(tmp_path / "folder").accesses)
