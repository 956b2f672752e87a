"""The split into days."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow import HotrowError
from hotrow.tracegen.days import split_days


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 12), st.integers(0, 1000))
def test_ranges_cover_every_sample_once_in_order(days: int, more: int) -> None:
    samples = days + more
    split = split_days(samples, days)
    ranges = [*split.training, split.validation, split.test]
    assert [sample for part in ranges for sample in part] == list(range(samples))
    sizes = [len(part) for part in split.training] + [len(split.validation) + len(split.test)]
    assert max(sizes) - min(sizes) <= 1
    assert 0 <= len(split.validation) - len(split.test) <= 1


def test_seven_days_by_default() -> None:
    split = split_days(45_840_617)  # Criteo Kaggle
    assert len(split.training) == 6
    assert split.test.stop == 45_840_617


@pytest.mark.parametrize(
    ("samples", "days", "rule"), [(6, 7, "6 samples"), (100, 1, "at least 2"), (0, 7, "0 samples")]
)
def test_what_cannot_be_split_is_refused(samples: int, days: int, rule: str) -> None:
    with pytest.raises(HotrowError, match=rule):
        split_days(samples, days)
