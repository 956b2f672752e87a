"""Vocabularies against a dict."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow.tracegen.vocabulary import Vocabulary, WideVocabulary

KINDS = ((Vocabulary, np.uint32), (WideVocabulary, np.int64))


@pytest.mark.parametrize(("kind", "dtype"), KINDS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_numbers_follow_first_appearance(kind: type[Any], dtype: Any, data: st.DataObject) -> None:
    limits = np.iinfo(dtype)
    keys = st.lists(st.integers(0, 40) | st.integers(int(limits.min), int(limits.max)), max_size=60)
    vocabulary, seen = kind(), dict[int, int]()
    for batch in data.draw(st.lists(keys, max_size=5)):
        numbers = vocabulary.number(np.array(batch, dtype))
        assert numbers.tolist() == [seen.setdefault(key, len(seen)) for key in batch]
    assert vocabulary.size == len(seen)


@pytest.mark.parametrize(("kind", "dtype"), KINDS)
@pytest.mark.parametrize("shift", [0, 16, 20])
def test_it_grows_and_keeps_what_it_knows(kind: type[Any], dtype: Any, shift: int) -> None:
    keys = np.random.default_rng(1).integers(0, 4000, 6000).astype(dtype) << dtype(shift)  # all share low bits
    distinct = np.array(list(dict.fromkeys(keys.tolist())), dtype)
    vocabulary = kind()
    first = vocabulary.number(keys)
    assert vocabulary.size == len(distinct)
    assert np.array_equal(distinct[first], keys)
    assert np.array_equal(vocabulary.number(keys), first)
