"""Question: what would an architect conclude from this traffic on this machine? The co-design report."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import msgspec
import numpy as np

from ..analysis import plots
from ..analysis.knee import Knee, knee
from ..analysis.recommendation.interleave import interleaved
from ..analysis.recommendation.split import Split, splits
from ..analysis.reuse_distance import stack_distances
from ..models.config import ModelConfig
from ..models.cost import bag_statistics
from ..profiling.host import Host
from ..profiling.measurement import OperatorProfile, Part
from ..progress import Advance, ignore
from ..tracegen.trace import Trace
from .bottlenecks import RoleRate, profile_forward_and_training, rates
from .cache_sizing import CacheSizing, binary, cache_sizing
from .cache_sizing import grid as sizing_grid
from .grid import Grid
from .report import Picture, Report, Section
from .traffic import Traffic, describe, figures

MAX_ROWS = 40  # of a table in the report; more cannot be read
STEPS = 4  # that codesign advances by
FLAT = 0.05  # a knee less deep than this is hardly one

WORDS = {
    "backward": "backward, in no part",
    "bottom": "bottom MLP",
    "top": "top MLP",
    "embedding": "embedding lookups",
    "interaction": "interaction",
    "data": "preparing the batch",
}


@dataclass(frozen=True)
class CoDesign:
    """Everything a report says, as numbers: traffic, cache sizes, one shared cache, operators, model."""

    name: str
    source: str
    assumptions: tuple[str, ...]
    config: ModelConfig
    batch: int
    traffic: Traffic
    sizing: tuple[CacheSizing, ...]
    shared_knee: Knee | None
    splits: tuple[Split, ...]
    forward: OperatorProfile
    training: OperatorProfile
    rates: tuple[RoleRate, ...]  # of the forward pass


def codesign(
    trace: Trace,
    name: str,
    source: str,
    assumptions: tuple[str, ...],
    config: ModelConfig,
    batch: int,
    seed: int = 0,
    advance: Advance = ignore,
) -> CoDesign:
    """Measure `trace` and a step of `config` on it.

    source, assumptions: where the trace comes from and what was assumed to make it.
    config: a model with the trace's tables (models.config.for_trace). batch: samples per step.
    """
    forward, training = profile_forward_and_training(config, trace, batch, seed)
    advance(1)
    traffic = describe(trace, name)
    advance(1)
    row_bytes = config.dim * 4
    sizing = cache_sizing(trace, row_bytes)
    advance(1)
    shared_knee, made = _shared(trace, row_bytes, np.random.default_rng(seed))
    advance(1)
    reached = rates(forward, config, bag_statistics(trace, batch))
    return CoDesign(
        name, source, assumptions, config, batch, traffic, sizing, shared_knee, made, forward, training, reached
    )


def plain(result: CoDesign) -> dict[str, Any]:
    """The numbers of the report as plain values, for JSON."""
    return {
        "name": result.name,
        "source": result.source,
        "assumptions": list(result.assumptions),
        "model": msgspec.to_builtins(result.config),
        "batch": result.batch,
        "traffic": asdict(result.traffic),
        "sizing": [asdict(size) for size in result.sizing],
        "shared_knee": None if result.shared_knee is None else asdict(result.shared_knee),
        "splits": [asdict(split) for split in result.splits],
        "forward": msgspec.to_builtins(result.forward),
        "training": msgspec.to_builtins(result.training),
    }


def report(result: CoDesign, command: str) -> Report:
    """The page that tells `result`; `command` makes it again."""
    return Report(
        title=f"Co-design report: {result.config.name} on {result.name}",
        answer=_answer(result),
        sections=(
            _traffic(result),
            _memory(result),
            _operators(result),
            _model(result),
            _machine(result),
            _origins(result),
        ),
        made=f"Made by {command}",
    )


def _shared(trace: Trace, row_bytes: int, rng: np.random.Generator) -> tuple[Knee | None, tuple[Split, ...]]:
    """The knee of one LRU cache for all tables, and that capacity shared out in other ways."""
    distances = stack_distances(interleaved(trace))
    if distances.max(initial=-1) < 0:
        return None, ()
    found = knee(distances, rng)
    return found, splits(trace, row_bytes, found.capacity * row_bytes)


def _answer(result: CoDesign) -> tuple[str, ...]:
    traffic, forward, training = result.traffic, result.forward, result.training
    hottest = forward.roles[0]
    slowest = training.roles[0]
    lines = [
        f"{traffic.lookups:,} lookups ask for {traffic.touched_rows:,} different rows in {_tables(traffic)}. "
        f"{_head(traffic)}",
        f"On this machine a forward pass of {result.batch} samples takes {_time(forward)} with one thread, most of it "
        f"in {_word(hottest)} ({hottest.share.value:.0%}). A training step takes {_time(training)}, most of it in "
        f"{_word(slowest)} ({slowest.share.value:.0%}).",
    ]
    if result.shared_knee is not None:
        found, row_bytes = result.shared_knee, result.config.dim * 4
        lines.insert(
            1,
            f"One LRU cache for all tables has its knee at {found.capacity:,} rows "
            f"({binary(found.capacity * row_bytes)} at {row_bytes} bytes a row; 90 % interval {found.low:,} to "
            f"{found.high:,} rows) and there serves {1 - found.miss_ratio:.1%} of the lookups."
            + (" The curve is nearly straight, so this knee says little." if found.depth < FLAT else ""),
        )
    return tuple(lines)


def _tables(traffic: Traffic) -> str:
    return "one table" if len(traffic.tables) == 1 else f"{len(traffic.tables)} tables"


def _head(traffic: Traffic) -> str:
    busiest = max(traffic.tables, key=lambda table: (table.lookups, table.touched_rows))
    if not busiest.lookups:
        return "Nobody looked anything up."
    share = 100 * busiest.rows_for_half / busiest.touched_rows
    return (
        f"In the busiest table, {busiest.name}, half of the lookups go to {busiest.rows_for_half:,} rows, "
        f"{share:.2g} % of those touched."
    )


def _time(profile: OperatorProfile) -> str:
    total = profile.total
    return f"{1e3 * total.value:.3g} ms (95 % interval {1e3 * total.low:.3g} to {1e3 * total.high:.3g})"


def _word(part: Part) -> str:
    role = part.role.removesuffix(" backward")
    suffix = ", backward" if part.role.endswith(" backward") else ""
    return WORDS.get(role, role) + suffix


def _traffic(result: CoDesign) -> Section:
    drawn = figures(result.traffic)
    pictures = (
        Picture(
            plots.to_svg(drawn["popularity"], "Popularity of rows by table"),
            "Share of the lookups that the hottest rows take.",
            "measured",
        ),
        Picture(
            plots.to_svg(drawn["lru"], "LRU miss ratio by table"),
            "Misses of an LRU cache of its own for each table, exact, cold start.",
            "measured",
        ),
    )
    points = tuple(f"Assumed: {assumption}." for assumption in result.assumptions)
    return Section("traffic", "The traffic", (result.source,), points, pictures, (_short(result.traffic.grid()),))


def _memory(result: CoDesign) -> Section:
    words = [
        "Reachable is the hit ratio of a cache that holds every row: first accesses always miss. The columns name the "
        "smallest LRU cache that gets this share of the reachable hits.",
    ]
    grids = [_short(sizing_grid(result.sizing))]
    if result.shared_knee is not None:
        capacity = result.shared_knee.capacity
        words.append(
            f"The second table shares out the knee's {capacity:,} rows in three ways: to the table where the next row "
            "gains most, evenly, and as one cache for all tables."
        )
        rows = tuple((split.how, f"{split.hit_ratio:.2%}", _rows(split)) for split in result.splits)
        heads = ("how", "hits", "rows per table")
        grids.append(Grid(f"{capacity:,} rows shared out, LRU, cold start", heads, rows, "measured"))
    return Section("memory", "How much fast memory is enough", tuple(words), grids=tuple(grids))


def _rows(split: Split) -> str:
    if split.rows is None:
        return "all together"
    shown = ", ".join(f"{rows:,}" for rows in split.rows[:12])
    return shown if len(split.rows) <= 12 else f"{shown}, …"


def _operators(result: CoDesign) -> Section:
    profiles = {"forward": result.forward, "training": result.training}
    names = list(dict.fromkeys(part.role for profile in profiles.values() for part in profile.roles))
    shares = {
        name: [next((p.share.value for p in profile.roles if p.role == name), 0.0) for profile in profiles.values()]
        for name in names
    }
    parts = sorted(((_label(name), values) for name, values in shares.items()), key=lambda part: -sum(part[1]))
    bars = [f"{name}\n{1e3 * profile.total.value:.3g} ms" for name, profile in profiles.items()]
    picture = Picture(
        plots.to_svg(
            plots.stacked_shares(bars, parts, f"Time of a step at batch {result.batch}"), "Time of a step by part"
        ),
        "Times are from runs without a profiler; shares from runs under torch.profiler.",
        "measured",
    )
    words = (
        f"Under the profiler a forward pass took {result.forward.overhead.value:.2f} and a training step "
        f"{result.training.overhead.value:.2f} times as long as without; its shares are used, its times are not.",
    )
    notes = tuple(dict.fromkeys((*result.forward.notes, *result.training.notes)))
    grids = (role_grid(result.forward), role_grid(result.training), rate_grid(result.rates))
    return Section("operators", "Where the time goes", words, notes, (picture,), grids)


def role_grid(profile: OperatorProfile) -> Grid:
    """Shares and times of a profile's roles with their intervals."""
    rows = tuple(
        (
            _label(part.role),
            f"{part.share.value:.1%}",
            f"{part.share.low:.1%} … {part.share.high:.1%}",
            f"{1e3 * part.seconds.value:.3g}",
            f"{1e3 * part.seconds.low:.3g} … {1e3 * part.seconds.high:.3g}",
        )
        for part in profile.roles
    )
    heads = (profile.name, "share", "95 % interval", "ms", "95 % interval")
    return Grid(f"{profile.name}: {_time(profile)}", heads, rows, "measured")


def rate_grid(rates: tuple[RoleRate, ...]) -> Grid:
    """Work of every role and how fast it was done."""
    rows = tuple(
        (
            _label(rate.role),
            f"{rate.work.flops / 1e6:,.3g}",
            f"{rate.work.bytes / 1e6:,.3g}",
            f"{rate.work.intensity:.3g}",
            f"{rate.flops_per_second / 1e9:,.3g}",
            f"{rate.bytes_per_second / 1e9:,.3g}",
            f"{rate.work.distinct_bytes / rate.work.row_bytes:.0%}" if rate.work.row_bytes else "–",
        )
        for rate in rates
    )
    heads = ("forward", "MFLOP", "MB", "FLOP/byte", "GFLOP/s", "GB/s", "rows not asked for twice")
    caption = "Work of one forward pass, computed from the model and the trace's bags, over its measured time"
    return Grid(caption, heads, rows, "measured")


def _label(role: str) -> str:
    base = role.removesuffix(" backward")
    return WORDS.get(base, base) + role.removeprefix(base)


def _model(result: CoDesign) -> Section:
    config = result.config
    rows = (
        ("dense features", f"{config.dense:,}"),
        ("bottom MLP", " – ".join(map(str, (config.dense, *config.bottom)))),
        ("interaction", config.interaction),
        ("top MLP", " – ".join(map(str, (config.interaction_width, *config.top)))),
        ("tables", f"{len(config.tables)}, {sum(t.rows for t in config.tables):,} rows in all, {config.dim} wide"),
        ("lookups per sample", f"{config.lookups:.3g}"),
        ("parameters", f"{config.parameters:,} ({binary(config.bytes)} in float32)"),
        ("source", config.source or "written by its user"),
    )
    words = (
        "Tables (rows and bags) are those of the trace; MLPs, interaction and width are those of the model named.",
    )
    return Section("model", "The model", words, grids=(Grid(config.name, ("part", "value"), rows, "assumed"),))


def _machine(result: CoDesign) -> Section:
    host = result.forward.host
    grid = Grid("As the operating system reports it", ("fact", "value"), host_rows(host), "measured")
    return Section("machine", "The machine", grids=(grid,))


def host_rows(host: Host) -> tuple[tuple[str, str], ...]:
    """What is known of a machine, as rows of a grid."""
    caches = ", ".join(
        f"L{c.level} {c.kind} {binary(c.bytes)}" + (f", {c.ways} ways" if c.ways else "")
        for c in host.caches
        if c.bytes
    )
    packages = ", ".join(f"{name} {version}" for name, version in host.packages.items() if version)
    rows = (
        ("processor", host.cpu),
        ("cores", f"{host.cores} ({host.processors} logical may be used)"),
        ("vector extensions", ", ".join(host.simd)),
        ("caches", caches),
        ("memory", binary(host.memory_bytes)),
        ("huge pages", host.huge_pages),
        ("system", f"{host.system}, {host.architecture}"),
        ("software", f"Python {host.python}, {packages}"),
        ("load before", None if host.load is None else f"{host.load:g}"),
        ("hotrow commit", host.commit),
    )
    return tuple((fact, value or "not reported") for fact, value in rows)


def _origins(result: CoDesign) -> Section:
    rows = (
        ("lookups, popularity, bags", "measured: counted in the trace"),
        ("LRU curves and sizes", "measured: exact stack distances of the trace, one stream per table, cold start"),
        ("knee", "measured; its interval is from resampling 32 consecutive blocks of the trace"),
        (
            "splits of one capacity",
            "measured: read off the exact curves; the shared cache sees the model's order of lookups",
        ),
        ("step times", "measured on this machine: median of repeated bare runs, bootstrap interval"),
        ("shares of operators", "measured under torch.profiler, which slows small operators more than large ones"),
        ("FLOPs and bytes", "predicted: computed from the model's shape and the trace's bags, nothing measured"),
        ("model", "assumed: MLPs of the named preset put on the tables of the trace"),
    )
    words = (
        "The caches here are software caches of whole rows under LRU. Hardware caches hold lines, share their sets "
        "with everything else, and start warm.",
    )
    grid = Grid("Origins", ("number", "origin"), rows, "measured")
    return Section("origins", "How every number came about", words, grids=(grid,))


def _short(grid: Grid) -> Grid:
    """The first MAX_ROWS rows of a long grid, and how many are left out."""
    if len(grid.rows) <= MAX_ROWS:
        return grid
    return Grid(f"{grid.caption} ({MAX_ROWS} of {len(grid.rows)} tables)", grid.heads, grid.rows[:MAX_ROWS], grid.how)
