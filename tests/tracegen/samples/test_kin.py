"""Kin: counted as by hand, in parts as in one; chains link equals alone, where more are alike than by chance."""

import msgspec
import numpy as np
import pytest

from hotrow.analysis.recommendation.chain_choice import choose_chains
from hotrow.tracegen.generate import generate
from hotrow.tracegen.measure import exact_profile
from hotrow.tracegen.profile import Variant, load
from hotrow.tracegen.samples.chains import drawn_chains, linked_shares
from hotrow.tracegen.samples.kin import (
    ALIKE,
    ALONE,
    CLASSES,
    UNLIKE,
    UNSEEN,
    kin_class,
    kin_table,
    note_births,
    repeat_table,
    repeats,
)
from hotrow.tracegen.samples.made_bags import strangers

MOST = 4


def some_bags(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and slots of 300 bags of up to MOST lookups, some slots empty."""
    rng = np.random.default_rng(seed)
    filled = np.flatnonzero(rng.random(300 * MOST) < 0.8)
    return rng.integers(0, 400, len(filled)), filled


@pytest.mark.parametrize("seed", [1, 2])
def test_kin_is_that_of_a_dictionary_and_of_parts(seed: int) -> None:
    numbers, slots = some_bags(seed)
    of_slot = dict(zip(slots.tolist(), numbers.tolist(), strict=True))
    born: dict[int, int] = {}
    for slot, row in of_slot.items():
        born.setdefault(row, slot)
    counts = np.bincount(numbers, minlength=400)
    expected = np.zeros((CLASSES, 3), np.int64)
    for row, slot in born.items():
        before = of_slot.get(slot - 1) if slot % MOST else None
        if before is None or born[before] != slot - 1:
            way = ALONE
        else:
            way = ALIKE if kin_class(counts[[row]]) == kin_class(counts[[before]]) else UNLIKE
        expected[kin_class(counts[[row]])[0], way] += 1
    after = np.full(400, UNSEEN)
    for part in np.split(np.arange(len(slots)), np.searchsorted(slots, [40 * MOST, 41 * MOST])):
        note_births(numbers[part], slots[part], MOST, after)
    seen = np.flatnonzero(counts)
    assert (after[counts == 0] == UNSEEN).all()
    rank = np.cumsum(counts > 0) - 1
    dense = np.where(after[seen] >= 0, rank[after[seen]], after[seen])
    assert np.array_equal(kin_table(counts[seen], dense), expected)


def test_repeats_are_those_of_sets() -> None:
    numbers, slots = some_bags(3)
    numbers = numbers % 5
    bags = slots // MOST
    expected = np.array([numbers[k] in numbers[:k][bags[:k] == bags[k]] for k in range(len(numbers))])
    assert np.array_equal(repeats(numbers, bags, 5), expected)
    table = repeat_table(numbers, slots, 300, MOST, 5)
    assert np.array_equal(table, np.bincount(np.bincount(bags, expected, 300).astype(int), minlength=len(table)))


def test_chains_are_as_long_as_released_and_link_equals_alone() -> None:
    rng = np.random.default_rng(4)
    counts = np.repeat([40, 3, 2, 1], [10, 1000, 5000, 10_000])
    kin = np.zeros((CLASSES, 3), np.int64)
    kin[0] = 2500, 7500, 0
    kin[1] = 5000, 0, 0
    kin[2] = 100, 450, 450  # alike no more often than by chance would need fewer
    linked = linked_shares(kin, 0.0)
    assert linked[0] == 0.75
    assert linked[1] == 0.0
    lengths = drawn_chains(counts, linked, rng)
    assert lengths.sum() == len(counts)
    starts = np.cumsum(lengths) - lengths
    assert all(len(np.unique(counts[a : a + n])) == 1 for a, n in zip(starts, lengths, strict=True))
    assert abs(lengths[counts[starts] == 1].mean() - 4) < 0.3
    assert (lengths[counts[starts] == 2] == 1).all()


def test_what_chance_or_noise_explains_is_no_chain() -> None:
    kin = np.zeros((CLASSES, 3), np.int64)
    kin[0] = 0, 500, 500  # half of all rows are of this class, so half are alike by chance
    kin[1] = 0, 500, 500
    assert linked_shares(kin, 0.0).max() < 1e-9
    kin[0, UNLIKE] = 0
    assert linked_shares(kin, 0.0)[0] > 0.5
    assert linked_shares(kin, 400.0).max() == 0.0


def test_a_profile_from_before_kin_is_read_and_generates_the_same_counts(tmp_path) -> None:
    log = strangers(300, 1, 100)
    profile = exact_profile(log)
    table = profile.tables[0]
    locality = msgspec.structs.replace(table.locality, kin=None, repeats=None)
    old = msgspec.structs.replace(
        profile, version=4, tables=(msgspec.structs.replace(table, locality=locality, variant=Variant("renewal")),)
    )
    old.save(tmp_path / "old.json")
    made = generate(choose_chains(load(tmp_path / "old.json")), seed=2).tables[0]
    real = log.tables[0]
    assert made.accesses == real.accesses
    assert np.array_equal(np.sort(np.bincount(made.indices))[-50:], np.sort(np.bincount(real.indices))[-50:])
