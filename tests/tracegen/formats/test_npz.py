"""npz: files from elsewhere, and every way in which one can be broken."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.tracegen import files
from hotrow.tracegen.trace import Trace

IDS = np.array([0, 1, 2, 3])


def test_arrays_of_another_hand(tmp_path: Path) -> None:
    path = tmp_path / "other.npz"
    np.savez(
        path, f0=IDS.astype(">i2"), f1=IDS.astype(np.uint8), offsets_f1=[0, 4, 4, 4, 4], t=[1.5, 2, 3, 4], extra="x"
    )
    trace = files.read(path)
    assert [(t.name, t.rows, t.samples) for t in trace.tables] == [("f0", 4, 4), ("f1", 4, 4)]
    assert trace.tables[1].bag_sizes().tolist() == [4, 0, 0, 0]
    assert trace.time is not None
    assert trace.time.tolist() == [1.5, 2, 3, 4]


@pytest.mark.parametrize("samples", [1, 3, 10])
def test_a_matrix_in_fortran_order_is_read(tmp_path: Path, samples: int) -> None:
    dense = np.arange(12, dtype=np.float32).reshape(4, 3)
    np.savez_compressed(tmp_path / "one.npz", f0=IDS, dense=np.asfortranarray(dense))
    parts = list(files.scan(tmp_path / "one.npz", samples=samples))
    assert np.array_equal(np.concatenate([part.dense for part in parts]), dense)  # type: ignore[misc]


def test_offsets_alone_belong_to_the_only_field(tmp_path: Path) -> None:
    np.savez(tmp_path / "one.npz", f3=IDS, offsets=[0, 1, 4])
    assert files.read(tmp_path / "one.npz").tables[0].bag_sizes().tolist() == [1, 3]


def test_undeclared_rows_rise_from_part_to_part(tmp_path: Path) -> None:
    np.savez(tmp_path / "one.npz", f0=IDS)
    assert [part.tables[0].rows for part in files.scan(tmp_path / "one.npz", samples=2)] == [2, 4]


@pytest.mark.parametrize("name", ["nycflights17", "mooncake_conversation", "tinyshakespeare_words"])
def test_real_traces_agree_with_numpy(shared: Path, tmp_path: Path, name: str) -> None:
    path = shared / "data" / f"{name}.npz"
    with np.load(path) as arrays:
        trace = files.read(path)
        for table in trace.tables:
            assert np.array_equal(table.indices, arrays[table.name])
            offsets = f"offsets_{table.name}"
            assert (table.offsets is None) == (offsets not in arrays)
            if table.offsets is not None:
                assert np.array_equal(table.offsets, arrays[offsets])
    files.write(files.scan(path, samples=5000), tmp_path / "again.npz")
    assert files.read(tmp_path / "again.npz").equals(trace)


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "no field": ({"x": IDS}, "no array named f0"),
    "float ids": ({"f0": IDS / 2}, "array 'f0' is float64 of shape .4,.; it must be integers in 1 dimension"),
    "two dimensions": ({"f0": IDS.reshape(2, 2)}, "it must be integers in 1 dimension"),
    "lengths": ({"f0": IDS, "f1": IDS[:3]}, "array 'f1' has 3 samples but the first table has 4"),
    "time length": ({"f0": IDS, "t": IDS[:3]}, "array 't' has 3 samples"),
    "time scalar": ({"f0": IDS, "t": np.int64(3)}, "array 't' has 0 samples"),
    "negative": ({"f0": -IDS}, "sample 3: index -3; row ids start at 0"),
    "declared": ({"f0": IDS, "rows_f0": [3]}, r"sample 3: index 3; the table declares 3 rows"),
    "offsets start": ({"f0": IDS, "offsets_f0": [1, 4]}, "offsets start at 1"),
    "offsets fall": ({"f0": IDS, "offsets_f0": [0, 3, 2, 4]}, "sample 1: offsets fall"),
    "offsets end": ({"f0": IDS, "offsets_f0": [0, 3]}, "offsets end at 3 but there are 4 accesses"),
    "offsets beyond": ({"f0": IDS, "offsets_f0": [0, 2**60]}, "offsets end at 1152921504606846976 but"),
    "offsets empty": ({"f0": IDS, "offsets_f0": np.empty(0, int)}, "offsets are empty"),
    "NaN in dense": ({"f0": IDS, "dense": [[0.0], [0.0], [np.nan], [0.0]]}, "dense column 0, sample 2: nan"),
    "pickled": ({"f0": np.array([{}, {}])}, "array 'f0' holds pickled objects; they are not loaded"),
    "column order": ({"f0": IDS, "dense": np.zeros((4, 2, 3), order="F")}, "3 dimensions in Fortran order"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_wrong_is_named(tmp_path: Path, case: str) -> None:
    arrays, message = BROKEN[case]
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(HotrowError, match=rf"bad.npz: .*{message}"):
        files.read(tmp_path / "bad.npz")


def test_a_header_that_promises_terabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    with zipfile.ZipFile(path, "w") as archive, archive.open("f0.npy", "w") as file:
        header = {"descr": "<i8", "fortran_order": False, "shape": (10**12,)}
        np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(HotrowError, match=r"array 'f0' promises shape \(1000000000000,\) but holds 128 bytes"):
        files.read(path)


def test_an_archive_that_lies_about_its_sizes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    np.savez_compressed(path, f0=IDS)
    data = path.read_bytes()
    size = (128 + IDS.nbytes).to_bytes(4, "little")
    path.write_bytes(data.replace(size, (2**31 - 1).to_bytes(4, "little")))
    with pytest.raises(HotrowError, match=r"array 'f0' claims 2147483647 bytes from"):
        files.read(path)


def test_another_compression_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("f0.npy", b"x")
    with pytest.raises(HotrowError, match="array 'f0' is compressed by method 12"):
        files.read(path)


def test_our_files_open_in_numpy(tmp_path: Path) -> None:
    files.write(Trace.from_ids([5, 6, 7], rows=9, offsets=[0, 1, 3]), tmp_path / "trace.npz")
    with np.load(tmp_path / "trace.npz") as arrays:
        assert arrays["f0"].tolist() == [5, 6, 7]
        assert arrays["offsets_f0"].tolist() == [0, 1, 3]
        assert arrays["rows_f0"].tolist() == [9]
