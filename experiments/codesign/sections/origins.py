"""Sections: the model, the machine, and how every number came about."""

from __future__ import annotations

from ....profiling.host import Host
from ...cache_sizing import binary
from ...grid import Grid, number_of
from ...report import Section
from ..study import CoDesign

CACHES = (
    "The caches of the traffic's and the memory's sections are software caches of whole rows under LRU. Hardware "
    "caches hold lines, share their sets with everything else, and start warm."
)


def sections(result: CoDesign) -> tuple[Section, ...]:
    """What the numbers stand on."""
    return _model(result), _machine(result), _origins(result)


def _model(result: CoDesign) -> Section:
    config = result.subject.config
    rows = (
        ("dense features", f"{config.dense:,}"),
        ("bottom MLP", " – ".join(map(str, (config.dense, *config.bottom)))),
        ("interaction", config.interaction),
        ("top MLP", " – ".join(map(str, (config.interaction_width, *config.top)))),
        (
            "tables",
            f"{len(config.tables)}, {number_of(sum(t.rows for t in config.tables), 'row')} in all, {config.dim} wide",
        ),
        ("lookups per sample", f"{config.lookups:.3g}"),
        ("parameters", f"{config.parameters:,} ({binary(config.bytes)} in float32)"),
        ("source", config.source or "written by its user"),
    )
    words = (
        "Tables (rows and bags) are those of the trace; MLPs, interaction and width are those of the model named.",
    )
    return Section("model", "The model", words, grids=(Grid(config.name, ("part", "value"), rows, "assumed"),))


def _machine(result: CoDesign) -> Section:
    grid = Grid("As the operating system reports it", ("fact", "value"), host_rows(result.host), "measured")
    return Section("machine", "This machine", grids=(grid,))


def host_rows(host: Host) -> tuple[tuple[str, str], ...]:
    """What is known of a machine, as rows of a grid."""
    caches = ", ".join(
        f"L{c.level} {c.kind} {binary(c.bytes)}" + (f", {number_of(c.ways, 'way')}" if c.ways else "")
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
    rows = [
        ("lookups, popularity, bags", "measured: counted in the trace"),
        ("LRU curves and sizes", "simulated: exact stack distances of the trace, one stream per table, cold start"),
        ("knee", "simulated; its interval is from resampling 32 consecutive blocks of the trace"),
        (
            "splits of one capacity",
            "simulated: read off the exact curves; the shared cache sees the model's order of lookups",
        ),
        ("model", "assumed: MLPs of the named preset put on the tables of the trace"),
    ]
    if result.measured is not None:
        rows += [
            ("step times", "measured on this machine: median over processes, the interval reaches over them"),
            ("shares of operators", "measured under torch.profiler, which slows small operators more than large ones"),
            ("FLOPs and bytes", "predicted: computed from the model's shape and the trace's bags, nothing measured"),
        ]
    if result.elsewhere is not None:
        rows += [
            ("other machines, sliders", "predicted: hotrow's model of times, from datasheets; 90 % intervals"),
            ("machines' facts", "each with its source and a mark in its file: datasheet, published or assumed"),
        ]
    if result.subject.certified is not None:
        rows.append(("certificate", "predicted from the profile's released statistics; it has not seen the real trace"))
    grid = Grid("Origins", ("number", "origin"), tuple(rows), "measured")
    return Section("origins", "How every number came about", (CACHES,), grids=(grid,))
