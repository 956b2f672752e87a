"""Room: what does not fit is refused in one line before it is begun."""

from pathlib import Path

import pytest

from hotrow import HotrowError
from hotrow.experiments.fidelity import room
from hotrow.experiments.fidelity.generating import write
from hotrow.tracegen.profile import characterize
from hotrow.tracegen.samples.made_logs import clicks


def test_only_what_fits_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "available_bytes", lambda: 1000)
    room.require_room(1000 // room.BYTES, "")
    with pytest.raises(HotrowError, match=r"23 lookups at once take .* free; take less"):
        room.require_room(1 + 1000 // room.BYTES, "take less")


def test_generating_asks_for_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = characterize(clicks(500, 2, users=30, items=100))
    monkeypatch.setattr(room, "available_bytes", lambda: 1000)
    with pytest.raises(HotrowError, match="--first"):
        write(profile, tmp_path / "made.parquet")
    assert list(tmp_path.iterdir()) == []
