"""Watching a training: a TensorBoard log without TensorBoard, and a Chrome trace of a few of its steps.

The log is a file of TFRecords (length, checksum, data, checksum) of Event messages in protocol-buffer encoding, as
tensorboard/compat/proto/event.proto and tensorflow/core/lib/io/record_writer.h define them.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

from torch.profiler import ProfilerActivity, profile

from ... import HotrowError
from ...atomic import replacing
from ...models.training.train import Done

WARM, TRACED = 3, 10
CASTAGNOLI = 0x82F63B78  # CRC-32C, bits reversed
MASK = 0xA282EAD8


class Log:
    """Appends losses, rates and test metrics to an event file in a folder."""

    def __init__(self, folder: Path) -> None:
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = (folder / name).open("wb")
        except OSError as error:
            raise HotrowError(
                f"{folder}: cannot be written ({error.strerror}); change --tensorboard-filename"
            ) from error
        self._table = _crc_table()
        self._write(_double(1, time.time()) + _bytes(3, b"brain.Event:2"))

    def add(self, done: Done, step: int) -> None:
        """Write what a batch brought, at this step of the optimizer."""
        values: dict[str, float] = {}
        if done.point is not None:
            values |= {"Train/Loss": done.point.loss, "Train/Rate": done.point.rate}
        if done.test is not None:
            metrics = done.test.metrics
            named = {
                "Loss": metrics.loss,
                "Acc": metrics.accuracy,
                "AUC": metrics.auc,
                "NE": metrics.normalised_entropy,
            }
            values |= {f"Test/{name}": value for name, value in named.items() if value is not None}
        if values:
            summary = b"".join(
                _bytes(1, _bytes(1, tag.encode()) + b"\x15" + struct.pack("<f", value)) for tag, value in values.items()
            )
            self._write(_double(1, time.time()) + b"\x10" + _varint(step) + _bytes(5, summary))
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, event: bytes) -> None:
        length = struct.pack("<Q", len(event))
        self._file.write(length + self._checksum(length) + event + self._checksum(event))

    def _checksum(self, data: bytes) -> bytes:
        crc = 0xFFFFFFFF
        for byte in data:
            crc = self._table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
        crc ^= 0xFFFFFFFF
        return struct.pack("<I", ((crc >> 15 | crc << 17) + MASK) & 0xFFFFFFFF)


def profiled(steps: Iterator[Done], out: Path) -> Iterator[Done]:
    """The same steps; of ten of them, after three, out/training.json.gz gets a Chrome trace (ui.perfetto.dev)."""
    profiler = profile(activities=[ProfilerActivity.CPU])
    number = 0
    for number, done in enumerate(steps, start=1):
        if number == WARM + TRACED:
            _finish(profiler, out)
        yield done
        if number == WARM:
            profiler.start()
    if WARM <= number < WARM + TRACED:
        _finish(profiler, out)


def _finish(profiler: profile, out: Path) -> None:
    profiler.stop()
    with replacing(out / "training.json.gz") as beside:
        profiler.export_chrome_trace(str(beside))


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (CASTAGNOLI if value & 1 else 0)
        table.append(value)
    return table


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _bytes(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _double(field: int, value: float) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<d", value)
