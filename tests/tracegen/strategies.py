"""Random traces for property tests: several tables, bags, empty bags, one sample, none, the largest ids."""

import numpy as np
from hypothesis import strategies as st

from hotrow.tracegen.trace import TableLookups, Trace

NAMES = ("f0", "f1", "a", "time", "user", "dense", "label", "table:time", "größe, 2", "offsets", "0")
ROWS = (1, 3, 2**31, 2**31 + 1, 2**63 - 1, 2**63)


@st.composite
def lookups(draw: st.DrawFn, name: str, samples: int, bags: bool | None, rows: tuple[int, ...] = ROWS) -> TableLookups:
    """One table; `bags` None leaves it open."""
    declared = draw(st.sampled_from(rows))
    if draw(st.booleans()) if bags is None else bags:
        sizes = draw(st.lists(st.integers(0, 3), min_size=samples, max_size=samples))
        offsets = np.concatenate(([0], np.cumsum(sizes, dtype=np.int64)))
    else:
        offsets = None
    accesses = samples if offsets is None else int(offsets[-1])
    ids = draw(st.lists(st.integers(0, declared - 1), min_size=accesses, max_size=accesses))
    return TableLookups(name, declared, np.array(ids, np.int64), offsets)


def flat_traces(largest: int = 2**63 - 1) -> st.SearchStrategy[Trace]:
    """One table called f0 whose declared rows are its largest id + 1, one lookup per sample, nothing else."""
    ids = st.integers(0, 5) | st.integers(0, largest) | st.just(largest)
    return st.lists(ids, max_size=20).map(lambda values: Trace.from_ids(np.array(values, np.int64)))


def renamed(trace: Trace, ones_are_one_hot: bool = False) -> Trace:
    """The trace as a format without names and declared rows returns it: f0, f1, … with the largest id + 1 as rows.

    ones_are_one_hot: so does one that cannot tell bags of one lookup each from one-hot.
    """
    tables = []
    for k, table in enumerate(trace.tables):
        is_one_hot = table.offsets is None or (ones_are_one_hot and bool((table.bag_sizes() == 1).all()))
        rows = int(table.indices.max()) + 1 if table.accesses else 0
        tables.append(TableLookups(f"f{k}", rows, table.indices, None if is_one_hot else table.offsets))
    return Trace(tuple(tables), trace.time, trace.user, trace.dense, trace.label)


@st.composite
def criteo_traces(draw: st.DrawFn, rows: int, largest_count: int) -> Trace:
    """What Criteo's forms hold to the bit: 26 tables of `rows` rows, 13 logarithms of counts, whole labels."""
    n = draw(st.integers(1, 10))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    tables = tuple(TableLookups(f"C{k + 1}", rows, rng.integers(0, rows, n)) for k in range(26))
    top = draw(st.sampled_from([2, 10**6, largest_count]))
    dense = np.log1p(rng.integers(0, top, (n, 13)).astype(float)).astype(np.float32)
    return Trace(tables, dense=dense, label=rng.integers(0, 2, n))


@st.composite
def traces(
    draw: st.DrawFn,
    bags: bool | None = None,
    tables: int = 4,
    rows: tuple[int, ...] = ROWS,
    least: int = 0,
    values: bool = True,
) -> Trace:
    """A trace of up to `tables` tables, with at least `least` samples, with or without per-sample values."""
    samples = draw(st.integers(least, 6))
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=tables, unique=True))
    columns = {}
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    if values:
        options = {
            "time": draw(st.sampled_from((rng.integers(-(2**63), 2**63 - 1, samples), rng.normal(size=samples)))),
            "user": rng.integers(-(2**63), 2**63 - 1, samples),
            "dense": rng.normal(size=(samples, draw(st.integers(1, 3)))).astype(np.float32),
            "label": rng.normal(size=samples).astype(np.float32),
        }
        columns = {name: value for name, value in options.items() if draw(st.booleans())}
    return Trace(tuple(draw(lookups(name, samples, bags, rows)) for name in names), **columns)  # type: ignore[arg-type]
