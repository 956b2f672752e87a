"""libCacheSim's oracleGeneral: 24-byte records of time, object id, object size and next access; plain, gzip or zstd.

A little-endian record is uint32 clock time, uint64 object id, uint32 object size, int64 position of the object's next
access; positions count from 1, and −1 says never again. It holds one table, one lookup per sample and its time; a
trace without times gets its samples' numbers. Format: libCacheSim, https://github.com/1a1a11a/libCacheSim.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from shutil import copyfileobj

import numpy as np
from numpy.typing import NDArray

from ... import HotrowError
from ..trace import SampleError, Trace
from .archive import spooling
from .flat import Rows, chosen_table, per_lookup
from .format import Format, Holds
from .next_access import NextAccess
from .streams import COMPRESSIONS, is_compressed, reading, writing

RECORD = np.dtype([("time", "<u4"), ("id", "<u8"), ("size", "<u4"), ("next", "<i8")])
MAX_TIME = 2**32 - 1
SUFFIXES = tuple(base + end for base in (".oraclegeneral", ".oraclegeneral.bin") for end in ("", *COMPRESSIONS))


def scan(path: Path, *, samples: int, renumber: bool = False) -> Iterator[Trace]:
    """Yield parts of at most `samples` records; sizes and next accesses are passed over.

    renumber: row ids in order of first appearance, instead of the object ids as they are.
    """
    rows = Rows(renumber)
    done = 0
    with reading(path) as stream:
        while data := stream.read(RECORD.itemsize * samples):
            while len(data) % RECORD.itemsize and (more := stream.read(-len(data) % RECORD.itemsize)):
                data += more
            if len(data) % RECORD.itemsize:
                place = f"{len(data) % RECORD.itemsize} bytes after record {done + len(data) // RECORD.itemsize}"
                raise HotrowError(f"{path}: {place}; a record has {RECORD.itemsize}: is the file cut off?")
            records = np.frombuffer(data, RECORD)
            table = rows.table(np.ascontiguousarray(records["id"]))
            yield Trace((table,), time=records["time"].astype(np.int64))
            done += len(records)
    if not done:
        yield Trace((rows.table(np.empty(0, np.uint64)),), time=np.empty(0, np.int64))


def write(parts: Iterable[Trace], path: Path, *, lossy: bool = False, table: str = "", object_size: int = 1) -> None:
    """Write one table's lookups; with `lossy`, bags are strung together and times rounded and cut to uint32.

    table: which one of several; the first if "". object_size: bytes of every object, 1 makes capacities counts.
    The next accesses are found on disk, beside the file: memory does not grow with the trace.
    """
    if not 0 < object_size < 2**32:
        raise HotrowError(f"option object_size is {object_size}; it must be from 1 to 2^32 − 1")
    with spooling(path) as spool:
        compressed = path.suffix.lower() in COMPRESSIONS
        plain = spool.folder / "records" if compressed else path
        following = NextAccess(spool.folder)
        done = 0
        with plain.open("wb") as file:
            for part in parts:
                lookups = chosen_table(part, table)
                records = np.empty(lookups.accesses, RECORD)
                records["time"] = per_lookup(lookups, _clock(part, done, lossy))
                records["id"], records["size"] = lookups.indices, object_size
                file.write(records.tobytes())
                following.append(lookups.indices.astype(np.int64, copy=False))
                done += part.samples
        _fill(plain, following)
        if compressed:
            with plain.open("rb") as source, writing(path) as target:
                copyfileobj(source, target, 1 << 20)


def _clock(part: Trace, done: int, lossy: bool) -> NDArray[np.uint32]:
    """Each sample's clock time; SampleError for one that is no whole number of 32 bits, unless `lossy`."""
    if part.time is None:
        return np.minimum(np.arange(done, done + part.samples), MAX_TIME).astype(np.uint32)
    clock: NDArray[np.uint32] = np.rint(np.clip(part.time, 0, MAX_TIME)).astype(np.uint32)
    wrong = np.flatnonzero(clock != part.time)
    if len(wrong) and not lossy:
        s = int(wrong[0])
        rule = "a clock time is a whole number from 0 to 2^32 − 1"
        raise SampleError("time", s, f"{part.time[s]}; {rule}: write .parquet, or allow the loss with --lossy")
    return clock


def _fill(path: Path, following: NextAccess) -> None:
    """Write the next accesses into the records, which are there without them."""
    with path.open("r+b") as file:
        position = 0
        for block in following.blocks():
            records = np.fromfile(path, RECORD, len(block), offset=position)
            records["next"] = block
            file.seek(position)
            file.write(records.tobytes())
            position += records.nbytes


def _sniff(path: Path, head: bytes) -> bool:
    return path.name.lower().endswith(SUFFIXES)


FORMAT = Format(
    name="oracle_general",
    summary="libCacheSim's oracleGeneral records",
    suffixes=SUFFIXES,
    holds=Holds(tables=False, bags=False, rows=False, names=False, user=False, dense=False, label=False),
    sniff=_sniff,
    scan=scan,
    write=write,
    samples=lambda path: None if is_compressed(path) else path.stat().st_size // RECORD.itemsize,
)
