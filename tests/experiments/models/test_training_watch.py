"""The TensorBoard log: records whose lengths and checksums hold, and messages with the numbers in them."""

import struct
from pathlib import Path

import pytest

from hotrow import HotrowError
from hotrow.experiments.models.training_watch import Log, _crc_table
from hotrow.models.training.metrics import Metrics
from hotrow.models.training.train import Done, Evaluated, Point


def masked(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _crc_table()[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def test_the_checksum_is_crc_32c() -> None:
    crc = 0xFFFFFFFF
    for byte in b"123456789":
        crc = _crc_table()[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    assert crc ^ 0xFFFFFFFF == 0xE3069283  # the check value of RFC 3720


def test_records_and_numbers(tmp_path: Path) -> None:
    log = Log(tmp_path / "tb")
    test = Evaluated(0, 2, Metrics(5, 0.5, 0.75, None, 0.9), True)
    log.add(Done(0, 2, 2, 0.1, Point(0, 2, 0.25, 0.1), test, True), 300)
    log.add(Done(0, 1, 2, 0.1, None, None, True), 301)
    log.close()
    (path,) = (tmp_path / "tb").iterdir()
    data, records = path.read_bytes(), []
    while data:
        (length,), (check,) = struct.unpack("<Q", data[:8]), struct.unpack("<I", data[8:12])
        assert check == masked(data[:8])
        event = data[12 : 12 + length]
        assert struct.unpack("<I", data[12 + length : 16 + length])[0] == masked(event)
        records.append(event)
        data = data[16 + length :]
    assert len(records) == 2
    assert b"brain.Event:2" in records[0]
    assert b"\x10\xac\x02" in records[1]  # step 300 as a varint
    for tag, value in ((b"Train/Loss", 0.25), (b"Test/Acc", 0.75), (b"Test/NE", 0.9)):
        assert tag + b"\x15" + struct.pack("<f", value) in records[1]
    assert b"AUC" not in records[1]


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HotrowError, match="tensorboard-filename"):
        Log(tmp_path / "file")
