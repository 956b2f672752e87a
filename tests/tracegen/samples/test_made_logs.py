"""Made logs: fields that copy each other do, bags are the user's last items."""

import numpy as np
import pytest

from hotrow.tracegen.samples.made_logs import clicks, groceries, independent_fields


def test_fields_copy_users_and_items() -> None:
    log = clicks(4000, 3, users=100, items=500)
    user, item = log.table("user").indices, log.table("item").indices
    for owner, copied in ((user, "country"), (item, "category")):
        pairs = np.unique(np.stack((owner, log.table(copied).indices)), axis=1)
        assert pairs.shape[1] == len(np.unique(owner))
    assert log.equals(clicks(4000, 3, users=100, items=500))
    assert not log.equals(clicks(4000, 4, users=100, items=500))


def test_history_holds_the_users_last_items_and_tags_are_fixed() -> None:
    log = clicks(1500, 5, users=40, items=200)
    user, item = log.table("user").indices, log.table("item").indices
    history, tags = log.table("history"), log.table("tags")
    assert history.offsets is not None
    assert tags.offsets is not None
    of_item: dict[int, list[int]] = {}
    for s in range(log.samples):
        before = [int(item[k]) for k in range(s) if user[k] == user[s]]
        bag = history.indices[history.offsets[s] : history.offsets[s + 1]].tolist()
        assert bag == before[::-1][:12]
        mine = tags.indices[tags.offsets[s] : tags.offsets[s + 1]].tolist()
        assert of_item.setdefault(int(item[s]), mine) == mine


def test_lines_of_a_basket_share_household_and_store() -> None:
    log = groceries(4000, 3, households=100, stores=20)
    basket = log.table("basket").indices
    for shared in ("household", "store"):
        pairs = np.unique(np.stack((basket, log.table(shared).indices)), axis=1)
        assert pairs.shape[1] == len(np.unique(basket))
    assert 0.4 < np.mean(np.diff(basket) == 0) < 0.65
    assert log.equals(groceries(4000, 3, households=100, stores=20))


@pytest.mark.parametrize("tables", [1, 3])
def test_independent_fields_have_rising_sizes(tables: int) -> None:
    log = independent_fields(100, 1, tables)
    assert [t.rows for t in log.tables] == [30 * 8**k for k in range(tables)]
