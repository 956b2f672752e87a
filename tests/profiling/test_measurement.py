"""Measurements and profiles: what they check, and that JSON brings them back."""

from pathlib import Path

import msgspec
import pytest

from hotrow import HotrowError
from hotrow.profiling.host import host_facts
from hotrow.profiling.measurement import (
    OTHER,
    Interval,
    Measurement,
    OperatorProfile,
    Part,
    measurement_from_json,
    profile_from_json,
    to_json,
)

TIME = Measurement("step", 2.0, 1.5, 2.5, "s", "measured", 10, {"threads": 1, "contended": False})


def part(role: str, share: float) -> Part:
    return Part(role, role, Interval(share, share, share), Interval(2 * share, 0, 2), 1)


def made_profile(tmp_path: Path, shares: dict[str, float]) -> OperatorProfile:
    parts = tuple(part(role, share) for role, share in shares.items())
    return OperatorProfile("forward", TIME, TIME, parts, parts, host_facts(tmp_path), ("a note",))


def test_json_brings_everything_back(tmp_path: Path) -> None:
    assert measurement_from_json(to_json(TIME)) == TIME
    profile = made_profile(tmp_path, {"top": 0.75, OTHER: 0.25})
    assert profile_from_json(to_json(profile)) == profile


def test_what_is_not_attributed_is_other(tmp_path: Path) -> None:
    profile = made_profile(tmp_path, {"top": 0.75, OTHER: 0.25})
    assert profile.attributed == 0.75
    assert profile.role("top").share.value == 0.75
    with pytest.raises(HotrowError, match=r"no role 'bottom' .* it has top, other"):
        profile.role("bottom")


def test_shares_must_sum_to_one(tmp_path: Path) -> None:
    with pytest.raises(HotrowError, match="roles do not sum to 1"):
        made_profile(tmp_path, {"top": 0.75})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"value": 3.0}, "outside its interval"),
        ({"high": float("inf")}, "must be finite"),
        ({"value": float("nan")}, "must be finite"),
        ({"n": 0}, "made of 0 observations"),
    ],
)
def test_a_measurement_checks_itself(change: dict[str, float], message: str) -> None:
    with pytest.raises(HotrowError, match=message):
        msgspec.structs.replace(TIME, **change)


@pytest.mark.parametrize(
    "text", [b"{", b"{}", to_json(TIME).replace(b"measured", b"guessed"), to_json(TIME).replace(b'"unit"', b'"units"')]
)
def test_faulty_json_is_said(text: bytes) -> None:
    with pytest.raises(HotrowError, match="not Measurement in JSON"):
        measurement_from_json(text)
