"""Baselines keep what they say they keep."""

from pathlib import Path

import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.analysis.reuse_distance import stack_distances
from hotrow.tracegen.baselines import (
    BASELINES,
    StackProfile,
    generate_from_stack,
    load_stack_profile,
    stack_profile,
)
from hotrow.tracegen.scenarios import sessions


@pytest.fixture(scope="module")
def ids() -> np.ndarray:
    return sessions(20_000, 1, users=2000)


@pytest.mark.parametrize("name", list(BASELINES))
def test_each_makes_as_many_lookups_reproducibly(name: str, ids: np.ndarray) -> None:
    made = [BASELINES[name](ids, np.random.default_rng(3)) for _ in range(2)]
    assert len(made[0]) == len(ids)
    assert np.array_equal(*made)
    assert made[0].max() < ids.max() + 1


@pytest.mark.parametrize("name", ["independent", "markov"])
def test_popularity_is_exact(name: str, ids: np.ndarray) -> None:
    made = BASELINES[name](ids, np.random.default_rng(3))
    assert np.array_equal(np.sort(np.bincount(made)), np.sort(np.bincount(ids)))


def test_zipf_gives_the_top_row_its_share(ids: np.ndarray) -> None:
    made = BASELINES["zipf"](ids, np.random.default_rng(3))
    assert np.bincount(made).max() == pytest.approx(np.bincount(ids).max(), rel=0.2)


def test_the_lru_stack_reproduces_stack_distances(ids: np.ndarray) -> None:
    profile = stack_profile(ids)
    depths = stack_distances(ids) + 1
    assert profile.cumulated[0] == pytest.approx(np.mean(depths == 0))
    made = generate_from_stack(profile, len(ids), np.random.default_rng(1))
    real, ours = (np.sort(stack_distances(x)) for x in (ids, made))
    assert np.abs(np.quantile(real, [0.2, 0.5, 0.8]) - np.quantile(ours, [0.2, 0.5, 0.8])).max() <= 0.1 * real.max()


def test_exact_depths_give_exact_rows() -> None:
    profile = StackProfile(np.array([7, 5, 9]), np.array([0, 3]), np.array([0.0, 1.0]))
    assert generate_from_stack(profile, 6, np.random.default_rng(0)).tolist() == [7, 5, 9, 7, 5, 9]


def test_the_benchmarks_file_is_read_and_written(tmp_path: Path, ids: np.ndarray) -> None:
    profile = stack_profile(ids)
    profile.save(tmp_path / "dist.log")
    again = load_stack_profile(tmp_path / "dist.log")
    assert np.array_equal(again.rows, profile.rows)
    assert np.array_equal(again.cumulated, profile.cumulated)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1, 2\n0\n", "2 lines"),
        ("1, x\n0\n1\n", "line 1"),
        ("1\n0, 1\n1\n", "as many"),
        ("1\n0, 1\n0.2, 0.5\n", "end at"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "d").write_text(text)
    with pytest.raises(HotrowError, match=message):
        load_stack_profile(tmp_path / "d")
