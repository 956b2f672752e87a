"""Write beside, then rename: whole or not at all."""

import os
import sys
from pathlib import Path

import pytest

from hotrow import HotrowError
from hotrow.atomic import check_writable, replacing


def test_a_finished_block_replaces_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.txt"
    for text in ("one", "two"):
        with replacing(target) as beside:
            assert beside.suffix == ".txt"
            beside.write_text(text)
        assert target.read_text() == text
    assert os.listdir(target.parent) == ["a.txt"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_broken_block_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(error), replacing(target) as beside:
        beside.write_text("half")
        raise error
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_file_in_the_way_of_the_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HotrowError, match=r"file/a\.txt: cannot be written"), replacing(tmp_path / "file" / "a.txt"):
        pass


def test_a_folder_is_not_overwritten(tmp_path: Path) -> None:
    with pytest.raises(HotrowError, match="is a folder"), replacing(tmp_path):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_write_permission_is_said(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(HotrowError, match="cannot be written"), replacing(tmp_path / "a"):
        pass


def test_a_link_stays_and_what_it_points_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there" / "a.txt")
    with replacing(tmp_path / "link") as beside:
        beside.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there" / "a.txt").read_text() == "new"


def test_a_pipe_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(HotrowError, match="a device or a pipe"), replacing(tmp_path / "pipe"):
        pass
    with pytest.raises(HotrowError, match="a device or a pipe"):
        check_writable(tmp_path / "pipe")


def test_what_cannot_be_written_is_known_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path, folder in ((tmp_path / "file" / "a", False), (tmp_path / "file", True), (tmp_path, False)):
        with pytest.raises(HotrowError, match=r"is a (file|folder)"):
            check_writable(path, folder)
    check_writable(tmp_path / "new" / "a")
    check_writable(tmp_path / "file")
    check_writable(tmp_path, folder=True)
    if sys.platform == "linux":
        for path, folder in ((Path("/proc/a.toml"), False), (Path("/proc/new/b"), True), (Path("/sys"), True)):
            with pytest.raises(HotrowError, match=r"no file can be made in /(proc|sys)"):
                check_writable(path, folder)
    assert not (tmp_path / "new").exists()
