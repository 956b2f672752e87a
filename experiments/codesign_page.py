"""The page of a co-design: its numbers in words, figures and tables."""

from __future__ import annotations

from dataclasses import replace

from ..analysis import plots
from ..analysis.knee import Knee
from ..analysis.recommendation.split import Split
from ..profiling.host import Host
from .cache_sizing import binary
from .cache_sizing import figures as sizing_figures
from .cache_sizing import grid as sizing_grid
from .codesign import CoDesign
from .grid import Grid
from .measured.operator_grids import part_name, rate_grid, role_grid, role_name, time_of
from .memory_levels import known_capacities
from .prediction import grids as prediction_grids
from .report import Picture, Report, Section
from .traffic import Traffic, figures
from .which_machine import Ranking

MAX_ROWS = 40  # of a table; more cannot be read
CAPTIONS = {
    "predicted-shares": "Shares of a step by batch.",
    "roofline": "The model's parts under the ceilings of several machines, by their datasheets.",
    "what-if": "A step's time when one thing of the machine changes and all else stays.",
}
FLAT = 0.05  # a knee less deep than this is hardly one


def report(result: CoDesign, command: str) -> Report:
    """The page that tells `result`; `command` makes it again."""
    return Report(
        title=f"Co-design report: {result.config.name} on {result.name}",
        answer=_answer(result),
        sections=(
            _traffic(result),
            _memory(result),
            _operators(result),
            *_predicted(result),
            _model(result),
            _machine(result),
            _origins(result),
        ),
        made=f"Made by {command}",
        panel=result.panel,
    )


def _answer(result: CoDesign) -> tuple[str, ...]:
    traffic, forward, training = result.traffic, result.forward, result.training
    hottest = forward.roles[0]
    slowest = training.roles[0]
    lines = [
        f"{traffic.lookups:,} lookups ask for {traffic.touched_rows:,} different rows in {_tables(traffic)}. "
        f"{_head(traffic)}",
        f"On this machine a forward pass of {result.batch} samples takes {time_of(forward)} with one thread, the "
        f"largest part in {part_name(hottest)} ({hottest.share.value:.0%}). A training step takes "
        f"{time_of(training)}, the largest part in {part_name(slowest)} ({slowest.share.value:.0%}).",
    ]
    if result.shared_knee is not None:
        found, row_bytes = result.shared_knee, result.row_bytes
        lines.insert(
            1,
            f"One LRU cache for all tables has its knee at {found.capacity:,} rows "
            f"({binary(found.capacity * row_bytes)} at {row_bytes} bytes a row; {_interval(found)}) and there serves "
            f"{1 - found.miss_ratio:.1%} of the lookups."
            + (" The curve is nearly straight, so this knee says little." if found.depth < FLAT else ""),
        )
    if result.ranking is not None:
        lines.append("Predicted: " + _ranking_words(result.ranking)[0])
    if result.assumptions:
        lines.append(f"The lookups are synthetic. {result.assumptions[0].capitalize()}.")
    if any(note.startswith("contended") for note in (*forward.notes, *training.notes)):
        lines.append(
            "Other work shared the processor while times were measured: they are too long, and shares inexact."
        )
    return tuple(lines)


def _interval(knee: Knee) -> str:
    if knee.low is None:
        return "the end of the curve, which has no interval"
    return f"90 % interval {knee.low:,} to {knee.high:,} rows"


def _tables(traffic: Traffic) -> str:
    return "one table" if len(traffic.tables) == 1 else f"{len(traffic.tables)} tables"


def _head(traffic: Traffic) -> str:
    busiest = max(traffic.tables, key=lambda table: (table.lookups, table.touched_rows))
    if not busiest.lookups:
        return "Nobody looked anything up."
    share = 100 * busiest.rows_for_half / busiest.touched_rows
    return (
        f"In the busiest table, {busiest.name}, half of the lookups go to {busiest.rows_for_half:,} rows, "
        f"{share:.3g} % of those touched."
    )


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
            "simulated",
        ),
    )
    points = tuple(f"Assumed: {assumption}." for assumption in result.assumptions)
    return Section("traffic", "The traffic", (result.source,), points, pictures, (_short(result.traffic.grid()),))


def _memory(result: CoDesign) -> Section:
    words = [
        "Reachable is the hit ratio of a cache that holds every row: first accesses always miss. The columns name the "
        "smallest LRU cache that gets this share of the reachable hits.",
    ]
    grids = [_without(_short(sizing_grid(result.sizing)), ("lookups", "touched"))]  # the traffic's table has them
    if result.shared_knee is not None:
        capacity = result.shared_knee.capacity
        words.append(
            f"The second table shares out the knee's {capacity:,} rows in three ways: to the table where the next row "
            "gains most, evenly, and as one cache for all tables."
        )
        rows = tuple((split.how, f"{split.hit_ratio:.2%}", _rows(split)) for split in result.splits)
        heads = ("how", "hits", "rows per table")
        grids.append(Grid(f"{capacity:,} rows shared out, LRU, cold start", heads, rows, "simulated"))
    drawn = sizing_figures(result.curves, known_capacities(result.row_bytes))
    pictures = (
        Picture(
            plots.to_svg(drawn["lru-shared"], "LRU miss ratio of one cache for all tables"),
            "One LRU cache for all tables, exact, cold start. The knee has its 90 % interval, unless it is the end of "
            "the curve; dotted, what published "
            f"processors' caches would hold of rows of {result.row_bytes} bytes.",
            "simulated",
        ),
        Picture(
            plots.to_svg(drawn["lru-tables"], "LRU hits by table and capacity"),
            "Hits of an LRU cache of its own for each table, by its capacity.",
            "simulated",
        ),
    )
    return Section("memory", "How much fast memory is enough", tuple(words), pictures=pictures, grids=tuple(grids))


def _without(grid: Grid, heads: tuple[str, ...]) -> Grid:
    """A table without some of its columns."""
    kept = [k for k, head in enumerate(grid.heads) if head not in heads]
    rows = tuple(tuple(row[k] for k in kept) for row in grid.rows)
    return replace(grid, heads=tuple(grid.heads[k] for k in kept), rows=rows)


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
    parts = sorted(((role_name(name), values) for name, values in shares.items()), key=lambda part: -sum(part[1]))
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


def _predicted(result: CoDesign) -> tuple[Section, ...]:
    """Another machine, and all that are known."""
    if result.elsewhere is None or result.ranking is None:
        return ()
    found = result.elsewhere
    words = (
        f"Predicted for {found.machine.name} in inference, from its datasheet, the model's shape and the trace's "
        "reuse. The intervals are wide because nothing of that machine was measured.",
    )
    drawn = prediction_grids.figures(found)
    pictures = tuple(
        Picture(plots.to_svg(figure, name.replace("-", " ")), CAPTIONS[name], "predicted")
        for name, figure in drawn.items()
    )
    elsewhere = Section(
        "elsewhere",
        f"The same model on {found.machine.name}",
        words,
        tuple(f"{note[:1].upper()}{note[1:]}." for note in found.notes),
        pictures,
        prediction_grids.grids(found),
    )
    ranked = Section("machines", "Which machine", _ranking_words(result.ranking), grids=(result.ranking.grid(),))
    return elsewhere, ranked


def _ranking_words(ranking: Ranking) -> tuple[str, ...]:
    best, frugal, cheap = (ranking.best(by) for by in ("samples_per_second", "per_watt", "per_usd"))
    if best is None:
        return ("No machine keeps the limit.",)
    words = f"{best.name} serves most samples per second within {1e3 * ranking.limit:,.3g} ms"
    words += f"; {frugal.name} most per watt" if frugal else ""
    words += f"; {cheap.name} most per dollar of the machine's price" if cheap else ""
    return (
        f"{words}. A prediction from a datasheet can be wrong by a factor of four, and machines closer than that are "
        "not told apart.",
    )


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
        *(
            (("other machines, sliders", "predicted: hotrow's model of times, from datasheets; 90 % intervals"),)
            if result.elsewhere
            else ()
        ),
        ("lookups, popularity, bags", "measured: counted in the trace"),
        ("LRU curves and sizes", "simulated: exact stack distances of the trace, one stream per table, cold start"),
        ("knee", "simulated; its interval is from resampling 32 consecutive blocks of the trace"),
        (
            "splits of one capacity",
            "simulated: read off the exact curves; the shared cache sees the model's order of lookups",
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
