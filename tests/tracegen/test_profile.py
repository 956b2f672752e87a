"""Profiles that come with hotrow, and packed arrays."""

import hashlib
from importlib import resources
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from hotrow import HotrowError
from hotrow.tracegen.packed import Packed
from hotrow.tracegen.profile import TableProfile, Variant, built_in, characterize, load
from hotrow.tracegen.published import load_profile
from hotrow.tracegen.trace import Trace


@settings(max_examples=50, deadline=None)
@given(arrays(np.int64, array_shapes(max_dims=2, max_side=8, min_side=0), elements=st.integers(-9, 9)))
def test_packed_arrays_come_back(values: np.ndarray) -> None:
    assert np.array_equal(Packed.of(values).array(), values)


def test_a_packed_array_that_does_not_fill_its_shape_is_refused() -> None:
    assert Packed.of(np.array([5, 0, 0, 0, -3])).values == "5 0*3 -3"
    with pytest.raises(msgspec.ValidationError, match="needs 4"):
        msgspec.json.decode(b'{"shape": [2, 2], "values": "1 0*2"}', type=Packed)


def test_a_design_with_temporal_order_needs_locality() -> None:
    with pytest.raises(ValueError, match="needs locality"):
        TableProfile("t", 5, ((2, 1),), variant=Variant("renewal"))


PUBLISHED = ("meta-2021", "meta-2022", "criteo-kaggle", "dcnv2-multi-hot")


@pytest.mark.parametrize("name", [n for n in built_in() if n not in PUBLISHED])
def test_released_profiles_are_private_small_and_attributed(name: str) -> None:
    profile = load_profile(name)
    header = profile.privacy
    assert header is not None
    assert header.epsilon_spent <= header.epsilon == 1.0
    assert header.unit == "sample"
    assert "CC" in profile.attribution
    assert all(table.certificate is not None for table in profile.tables)
    size = len((resources.files("hotrow.tracegen") / "profiles" / f"{name}.json").read_bytes())
    assert size < 1_000_000 * len(profile.tables)


@pytest.mark.parametrize("name", ["meta-2021", "meta-2022"])
def test_published_profiles_still_scale(name: str) -> None:
    assert len(load_profile(name, tables=2).tables) == 2


def test_calibrations_of_older_versions_are_left_out_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    profile = characterize(Trace.from_ids(np.arange(400) % 37))
    known = msgspec.json.decode(msgspec.json.encode(profile))
    known["version"] = 5
    known["tables"][0]["calibration"] = {"laws": known["tables"][0]["locality"]["pairs"], "memory": 0.5}
    known["checksum"] = ""
    known["checksum"] = hashlib.sha256(msgspec.json.encode(known, order="sorted")).hexdigest()
    path.write_bytes(msgspec.json.encode(known))
    read = load(path)
    assert read.tables == profile.tables
    assert read.tables[0].calibration is None
    path.write_bytes(msgspec.json.encode(known).replace(b'"memory":0.5', b'"memory":0.6'))
    with pytest.raises(HotrowError, match="damaged"):
        load(path)
