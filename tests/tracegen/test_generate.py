"""Synthetic traces keep what the profile says, by every design, and the same seed gives the same trace."""

import msgspec
import numpy as np
import pytest

from hotrow import HotrowError
from hotrow.tracegen.generate import calibrated, generate, generate_chunks, synthesize, table_rng
from hotrow.tracegen.popularity import row_counts
from hotrow.tracegen.privacy import PrivacyBudget
from hotrow.tracegen.profile import VERSION, TraceProfile, Variant, characterize, load
from hotrow.tracegen.release import release
from hotrow.tracegen.scenarios import SCENARIOS, news
from hotrow.tracegen.trace import TableLookups, Trace, concatenate

VARIANTS = (
    Variant("independent"),
    Variant("renewal"),
    Variant("renewal", windows=False),
    Variant("depthband"),
    Variant("depthband", windows=False),
)


def varied(profile: TraceProfile, variant: Variant) -> TraceProfile:
    tables = tuple(msgspec.structs.replace(table, variant=variant) for table in profile.tables)
    return msgspec.structs.replace(profile, tables=tables)


@pytest.fixture(scope="module")
def trace() -> Trace:
    return Trace.from_ids(news(12_000, 3, articles=800), 40_000)


@pytest.fixture(scope="module")
def bags() -> Trace:
    rng = np.random.default_rng(4)
    sizes = rng.integers(0, 6, 3000)
    return Trace.from_ids(rng.geometric(0.02, sizes.sum()), 2000, offsets=np.concatenate(([0], np.cumsum(sizes))))


@pytest.mark.parametrize("variant", VARIANTS, ids=Variant.label)
def test_counts_and_bag_sizes_are_exact_and_seeds_decide(variant: Variant, trace: Trace, bags: Trace) -> None:
    for real in (trace, bags):
        profile = varied(characterize(real), variant)
        made = generate(profile, seed=1)
        assert made.equals(generate(profile, seed=1))
        assert not made.equals(generate(profile, seed=2))
        a, b = real.tables[0], made.tables[0]
        assert np.array_equal(row_counts(a.indices), row_counts(b.indices))
        assert np.array_equal(np.sort(a.bag_sizes()), np.sort(b.bag_sizes()))
        assert b.rows == a.rows


@pytest.mark.parametrize("scenario", list(SCENARIOS))
def test_designs_are_more_local_than_independent_draws_where_the_trace_is(scenario: str) -> None:
    ids = SCENARIOS[scenario](20_000, 5)
    profile = characterize(Trace.from_ids(ids))
    for design in ("renewal", "depthband"):
        made = synthesize(varied(profile, Variant(design)).tables[0], table_rng(0, 0, 1))
        assert np.array_equal(np.sort(np.bincount(made.order)), np.sort(np.bincount(ids)))
        assert made.fallback < 0.35


@pytest.mark.parametrize(
    "ids", [[0], [0, 0], [0, 1], [3] * 50, list(range(50)), [0, 1] * 40, [0] * 30 + [1] * 30], ids=str
)
@pytest.mark.parametrize("variant", VARIANTS, ids=Variant.label)
def test_tiny_and_odd_traces(ids: list[int], variant: Variant) -> None:
    made = generate(varied(characterize(Trace.from_ids(ids)), variant))
    assert sorted(row_counts(made.tables[0].indices)) == sorted(row_counts(np.array(ids)))


@pytest.mark.parametrize("unit", ["access", "sample", "user"])
def test_a_private_profile_generates_by_every_variant(unit: str, bags: Trace) -> None:
    user = np.arange(bags.samples) // 2
    one = TableLookups("one", 300, np.random.default_rng(0).integers(0, 300, bags.samples))
    profile = release(Trace((bags.tables[0], one), user=user), PrivacyBudget(20.0, unit, samples_per_user=1))
    for variant in VARIANTS:
        made = generate(varied(profile, variant))
        assert made.samples == profile.samples
        assert [t.accesses for t in made.tables] == [t.accesses for t in profile.tables]
    if unit == "user":
        assert abs(made.samples - bags.samples / 2) < 600


def test_chunks_are_the_trace_and_samples_may_be_fewer_or_more(trace: Trace) -> None:
    profile = characterize(trace)
    assert generate(profile, 5).samples == 5
    long = generate(profile, trace.samples + 7)
    assert long.equals(concatenate(list(generate_chunks(profile, trace.samples + 7))))
    with pytest.raises(HotrowError, match="0 samples"):
        generate(profile, 0)


def test_a_profile_survives_its_file_and_damage_is_seen(tmp_path, trace: Trace) -> None:
    profile = varied(characterize(trace), Variant("depthband"))
    path = tmp_path / "p.json"
    profile.save(path)
    assert load(path).tables == profile.tables
    assert generate(load(path)).equals(generate(profile))
    text = path.read_text()
    path.write_text(text.replace('"NOT PRIVATE"', '"x"').replace("NOT PRIVATE", "private"))
    with pytest.raises(HotrowError, match="damaged"):
        load(path)
    path.write_text(
        text.replace(f'"version": {VERSION}', f'"version": {VERSION + 1}', 1).replace('"name"', '"unknown"')
    )
    with pytest.raises(HotrowError, match="newer hotrow"):
        load(path)
    path.write_text(text[: len(text) // 2])
    with pytest.raises(HotrowError, match="not a trace profile"):
        load(path)
    with pytest.raises(HotrowError, match="cannot be read"):
        load(tmp_path / "nothing.json")


def test_a_calibration_is_kept_and_generates_as_well_as_a_new_one(trace: Trace) -> None:
    table = varied(characterize(trace), Variant("renewal")).tables[0]
    ready = calibrated(table, table_rng(0, 0, 9))
    assert ready.calibration is not None
    real = reuse_shares(trace.tables[0].indices)
    distances = [
        np.abs(reuse_shares(synthesize(t, table_rng(0, 0, seed)).order) - real).max()
        for t in (table, ready)
        for seed in (1, 2)
    ]
    assert max(distances[2:]) < min(0.06, max(distances[:2]) + 0.015)
    assert (
        calibrated(msgspec.structs.replace(table, variant=Variant("depthband")), table_rng(0, 0, 9)).calibration is None
    )


def reuse_shares(ids: np.ndarray) -> np.ndarray:
    """Cumulated shares of reuse times by octave."""
    order = np.argsort(ids, kind="stable")
    same = ids[order][1:] == ids[order][:-1]
    octaves = np.floor(np.log2(np.diff(order)[same])).astype(np.int64)
    return np.cumsum(np.bincount(octaves, minlength=20)) / len(octaves)
