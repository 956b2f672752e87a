"""Vocabulary against a dict."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow.tracegen.vocabulary import Vocabulary

KEYS = st.lists(st.integers(0, 40) | st.integers(0, 2**32 - 1), max_size=60)


@settings(max_examples=50, deadline=None)
@given(st.lists(KEYS, max_size=5))
def test_numbers_follow_first_appearance(batches: list[list[int]]) -> None:
    vocabulary, seen = Vocabulary(), dict[int, int]()
    for batch in batches:
        numbers = vocabulary.number(np.array(batch, np.uint32))
        assert numbers.tolist() == [seen.setdefault(key, len(seen)) for key in batch]
    assert vocabulary.size == len(seen)


def test_it_grows_and_keeps_what_it_knows() -> None:
    keys = np.random.default_rng(1).permutation(5000).astype(np.uint32) * np.uint32(65536)  # all share low bits
    distinct = list(dict.fromkeys(keys.tolist()))
    vocabulary = Vocabulary()
    first = vocabulary.number(keys)
    again = vocabulary.number(keys)
    assert first.tolist() == again.tolist()
    assert vocabulary.size == len(distinct)
    assert np.array_equal(np.array(distinct)[first], keys)
