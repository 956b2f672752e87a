"""The command line: one verb per question. It parses, calls one function and prints; the work is done elsewhere."""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import shlex
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import HotrowError, __version__
from .atomic import check_writable

if TYPE_CHECKING:
    from .experiments.grid import Grid
    from .models.config import ModelConfig
    from .tracegen.profile import TraceProfile
    from .tracegen.trace import Trace

app = typer.Typer(
    name="hotrow",
    help="Co-design and trace analysis for deep-learning recommendation models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _writable(path: Path | None) -> Path | None:
    if path is not None:
        check_writable(path)
    return path


def _writable_folder(path: Path | None) -> Path | None:
    if path is not None:
        check_writable(path, folder=True)
    return path


def _hush(quiet: bool) -> bool:
    if quiet:
        logging.getLogger("hotrow").setLevel(logging.ERROR)
    return quiet


Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output, and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no notes.", callback=_hush)]
Figures = Annotated[
    Path | None, typer.Option("--out", help="Folder for figures (SVG and PNG).", callback=_writable_folder)
]
DEFAULT_TRACE = "meta-2021"
SIMULATORS = ("din", "ramulator2")  # whose address traces are written
PROCESSOR = "Processor caches"
Preset = Annotated[
    str | None, typer.Option(help="Model whose MLPs are put on the trace; rm1 for bags, criteo-kaggle for one-hot.")
]
Scale = Annotated[float, typer.Option(help="Rows of every table times this; ids are then taken modulo.")]
Batch = Annotated[int, typer.Option(min=1, help="Samples per step.")]
FormatName = Annotated[str | None, typer.Option("--format", help="Format of the trace; found by content if left out.")]


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="Trace to read.")],
    target: Annotated[
        Path, typer.Argument(metavar="DST", help="Trace to write; its suffix names the format.", callback=_writable)
    ],
    format: FormatName = None,
    to: Annotated[str | None, typer.Option(help="Format to write, where the suffix does not tell.")] = None,
    lossy: Annotated[bool, typer.Option("--lossy", help="Leave out what the target cannot hold.")] = False,
    modulo: Annotated[
        int | None, typer.Option(min=1, help="Criteo: take ids modulo this number, not in order of appearance.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option(help="Option of the format read, name=value (docs/formats.md); may be repeated.")
    ] = None,
    to_option: Annotated[list[str] | None, typer.Option(help="The same for the format written.")] = None,
    row_bytes: Annotated[
        int | None, typer.Option(min=1, help="Address traces: bytes of one embedding row; 256 if left out.")
    ] = None,
    update_every: Annotated[
        int | None, typer.Option(min=1, help="Address traces: also write the rows of every so many samples (training).")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Turn a trace of any format into any other, in bounded memory.

    DST may also be an address trace for a hardware simulator: a .din file (Dinero IV), or --to ramulator2.

    Example: hotrow convert day_0.tsv.gz day_0.parquet
    """
    from . import progress
    from .tracegen import files

    reading = _options(option) | ({} if modulo is None else {"max_ind_range": modulo})
    simulator = to if to in SIMULATORS else "din" if to is None and target.suffix == ".din" else None
    kind, idle = ("a trace", {"--row-bytes": row_bytes, "--update-every": update_every})
    if simulator is not None:
        kind, idle = ("an address trace", {"--to-option": to_option, "--lossy": lossy})
    for name, given in idle.items():
        if given:
            raise HotrowError(f"{name} does nothing where {kind} is written; leave it out")
    total = files.samples_in(source, format)
    if simulator is None:
        with progress.bar("convert", "samples", total, quiet) as advance:
            counted = _Counted(files.scan(source, format, **reading), advance)
            files.write(counted, target, to, lossy, **_options(to_option))
        made = {"samples": counted.samples, "lookups": counted.lookups}
    else:
        from .analysis.memory.address_trace import convert_to_addresses

        with progress.bar("convert (twice over)", "samples", total and 2 * total, quiet) as advance:
            made = dataclasses.asdict(
                convert_to_addresses(
                    source, target, simulator, row_bytes or 256, update_every,
                    source_format=format, options=reading, advance=advance,
                )
            )  # fmt: skip
    size = target.stat().st_size if target.is_file() else sum(f.stat().st_size for f in target.iterdir())
    if as_json:
        _print_json({"target": str(target), **made, "bytes": size})
    elif not quiet:
        counts = ", ".join(f"{count:,} {what}" for what, count in made.items())
        print(f"{target}: {counts}, {size / 1e6:,.1f} MB")


@app.command()
def describe(
    trace: Annotated[
        str, typer.Argument(metavar="TRACE", help="Trace file, profile (.json), or a built-in one's name.")
    ],
    format: FormatName = None,
    out: Figures = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """What is this trace like? Size, popularity, bags and exact LRU curve of every table.

    Example: hotrow describe clicks.parquet --out figures
    """
    from . import progress
    from .experiments.traffic import VISITS, figures
    from .experiments.traffic import describe as describe_trace

    stored = _profile_file(trace)
    with progress.bar("read", "samples", None if stored else _samples_in(trace, format), quiet) as advance:
        loaded = _load(trace, format, advance) if stored is None else _drawn(stored)
    with progress.bar("describe", "visits of lookups", VISITS * loaded.accesses, quiet) as advance:
        traffic = describe_trace(loaded, Path(trace).name, advance=advance)
    if out is not None:
        _save_figures(figures(traffic), out)
    if as_json:
        of_profile = {} if stored is None else {"profile": stored.promise}
        _print_json({"how": "measured; LRU curves simulated"} | of_profile | dataclasses.asdict(traffic))
        return
    if stored is not None:
        print(f"{traffic.name}: {stored.promise}; what it generates by itself:")
    extra = f", with {', '.join(traffic.per_sample)}" if traffic.per_sample else ""
    print(
        f"{traffic.name}: {traffic.samples:,} samples, {traffic.lookups:,} lookups, {len(traffic.tables)} tables{extra}"
    )
    grid = traffic.grid()
    print(f"{grid.caption} ({grid.how})")
    _print_grid(grid)


@app.command()
def cache(
    trace: Annotated[str, typer.Argument(metavar="TRACE", help="Trace file, or the name of a built-in profile.")],
    capacity: Annotated[
        list[int] | None, typer.Option(min=1, help="Capacity in rows; may be repeated. Eight sizes if left out.")
    ] = None,
    row_bytes: Annotated[int, typer.Option(min=1, help="Bytes of one embedding row.")] = 256,
    policies: Annotated[str, typer.Option(help="Policies by name with commas between; fast or all.")] = "fast",
    levels: Annotated[
        str,
        typer.Option(
            help="size/ways, innermost first; or a machine, by name (skylake) or .toml file; or none.",
            rich_help_panel=PROCESSOR,
        ),
    ] = "32K/8,1M/16,32M/16",
    inclusion: Annotated[
        str | None,
        typer.Option(
            help="How a level holds those above it: non-inclusive, inclusive, exclusive; with commas, one for each "
            "from the second on. The machine's if left out, else non-inclusive.",
            rich_help_panel=PROCESSOR,
        ),
    ] = None,
    replacement: Annotated[
        str, typer.Option(help="LRU, FIFO or tree-PLRU; with commas, one for each level.", rich_help_panel=PROCESSOR)
    ] = "LRU",
    update_every: Annotated[
        int | None,
        typer.Option(
            min=1, help="Training: rows of every so many samples are also written.", rich_help_panel=PROCESSOR
        ),
    ] = None,
    tlb: Annotated[
        list[str] | None,
        typer.Option(
            help="Also page walks: bytes of a page (4K, 2M) on Skylake's TLB, or with its entries/ways as in "
            "2M:32/4,1536/12; may be repeated.",
            rich_help_panel=PROCESSOR,
        ),
    ] = None,
    sample: Annotated[
        float | None,
        typer.Option(
            help="LRU curves alone, as bands, without holding the trace: rows of each of 8 samples (8192, say), or "
            "below 1 their share (0.01, say; memory then grows with the rows)."
        ),
    ] = None,
    out: Figures = None,
    format: FormatName = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """How much fast memory is enough? LRU sizes, policies, processor caches, samples and batches.

    Example: hotrow cache clicks.parquet --capacity 1000 --capacity 10000 --row-bytes 128 --policies LRU,SIEVE,ARC
    """
    from . import progress
    from .experiments import cache_study

    if sample is not None:
        _sampled_cache(trace, format, sample, row_bytes, tuple(capacity or ()), out, as_json, quiet)
        return
    request = cache_study.Request(
        row_bytes, tuple(capacity or ()), policies, levels, replacement, inclusion, tuple(tlb or ()), update_every
    )
    with progress.bar("cache", "steps", cache_study.steps(request), quiet) as advance:
        study = cache_study.cache_study(_load(trace, format), request, advance)
    if out is not None:
        _save_figures(cache_study.figures(study), out)
    if as_json:
        _print_json(cache_study.plain(study))
        return
    for grid in cache_study.grids(study):
        print(f"{grid.caption} ({grid.how})")
        _print_grid(grid)
        print()


def _sampled_cache(
    trace: str,
    format: str | None,
    sample: float,
    row_bytes: int,
    capacities: tuple[int, ...],
    out: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """The cache verb over a trace that is never in memory as a whole."""
    from . import progress
    from .experiments.sampled_curves import LEFT_OUT, sampled_curves

    with progress.bar("cache", "samples", _samples_in(trace, format), quiet) as advance:
        curves = sampled_curves(_Counted(_parts(trace, format), advance), sample, row_bytes, capacities)
    if out is not None:
        _save_figures(curves.figures(), out)
    if as_json:
        _print_json(curves.plain())
        return
    _print_grids((curves.grid(),))
    if not quiet:
        _print_notes((LEFT_OUT,))


@app.command()
def fit(
    trace: Annotated[Path, typer.Argument(metavar="TRACE", help="The real trace.")],
    target: Annotated[Path, typer.Argument(metavar="PROFILE.json", help="Profile to write.", callback=_writable)],
    epsilon: Annotated[float, typer.Option(help="Privacy budget of the whole file; smaller protects more.")] = 1.0,
    unit: Annotated[str, typer.Option(help="Who is protected: one access, sample or user.")] = "sample",
    delta: Annotated[float, typer.Option(help="Of the gaussian mechanism alone.")] = 0.0,
    mechanism: Annotated[str, typer.Option(help="laplace, or gaussian for many tables.")] = "laplace",
    samples_per_user: Annotated[int, typer.Option(help="A user's samples beyond this many are dropped.")] = 16,
    lookups_per_sample: Annotated[int, typer.Option(help="Bags are cut at this many lookups.")] = 8,
    exact: Annotated[bool, typer.Option("--exact", help="No noise: the profile is NOT PRIVATE.")] = False,
    name: Annotated[str, typer.Option(help="Name in the profile, for everybody to read.")] = "trace",
    format: FormatName = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """A shareable profile of a private trace, differentially private unless --exact.

    Example: hotrow fit clicks.parquet profile.json --epsilon 1 --unit sample
    """
    from . import progress
    from .experiments.fidelity.fitting import fit as fit_trace
    from .tracegen import files
    from .tracegen.privacy import PrivacyBudget

    budget = None
    if not exact:
        budget = PrivacyBudget(epsilon, unit, delta, mechanism, samples_per_user, lookups_per_sample)  # type: ignore[arg-type]
    with progress.bar("read", "samples", files.samples_in(trace, format), quiet) as advance:
        loaded = files.read(trace, format, advance)
    with progress.bar("fit", "lookups", loaded.accesses, quiet) as advance:
        fitted = fit_trace(loaded, budget, name, advance=advance)
    fitted.profile.save(target)
    for note in fitted.notes:
        if exact or not quiet:
            print(f"note: {note}", file=sys.stderr)
    if as_json:
        _print_json({"target": str(target), "private": not exact, "tables": fitted.grid().rows, "notes": fitted.notes})
    elif not quiet:
        spent = "NOT PRIVATE" if exact else f"ε = {epsilon:g} per {unit}" + (f", δ = {delta:g}" if delta else "")
        size = target.stat().st_size / 1e3
        print(f"{target}: {spent}, {len(fitted.profile.tables)} tables, {size:,.0f} kB")
        _print_grid(fitted.grid())


@app.command()
def compare(
    real: Annotated[Path, typer.Argument(metavar="REAL", help="The real trace.")],
    synthetic: Annotated[
        Path | None, typer.Argument(metavar="SYNTHETIC", help="The synthetic one; left out, generators side by side.")
    ] = None,
    epsilon: Annotated[float, typer.Option(help="Of hotrow's private generator, side by side.")] = 1.0,
    unit: Annotated[str, typer.Option(help="Who it protects: one access, sample or user.")] = "sample",
    out: Figures = None,
    format: FormatName = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Is the synthetic trace like the real one? Errors of cache curves, popularity, batches and drift.

    Example: hotrow compare clicks.parquet synthetic.parquet --out figures
    """
    from . import progress
    from .experiments.fidelity import trace_fidelity
    from .tracegen import files
    from .tracegen.privacy import PrivacyBudget

    budgets = (None, PrivacyBudget(epsilon, unit))  # type: ignore[arg-type]
    trace = files.read(real, format)
    steps = trace_fidelity.steps(trace, None if synthetic else budgets)
    with progress.bar("compare", "comparisons", steps, quiet) as advance:
        if synthetic is None:
            result = trace_fidelity.side_by_side(trace, budgets, advance=advance)
        else:
            result = trace_fidelity.compare(trace, files.read(synthetic), advance=advance)
    if out is not None:
        _save_figures(trace_fidelity.figures(result), out)
    if as_json:
        _print_json([_finite(dataclasses.asdict(comparison)) for comparison in result.comparisons])
    else:
        _print_grid(result.grid())


@app.command()
def generate(
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="Profile file, or the name of a built-in profile.")],
    target: Annotated[
        Path,
        typer.Argument(metavar="TRACE", help="Trace to write; its suffix names the format.", callback=_writable),
    ],
    samples: Annotated[
        int | None, typer.Option(min=1, help="Samples to draw; the profile's number if left out.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same trace.")] = 0,
    tables: Annotated[int, typer.Option(min=1, help="Tables of a built-in profile.")] = 8,
    to: Annotated[str | None, typer.Option(help="Format to write, where the suffix does not tell.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Draw a synthetic trace from a profile.

    Example: hotrow generate meta-2021 clicks.parquet --samples 10000 --seed 1
    """
    from . import progress
    from .tracegen import files
    from .tracegen.generate import generate_chunks
    from .tracegen.published import load_profile

    source = load_profile(profile, tables)
    _warn_of(source)
    with progress.bar("generate", "samples", samples or source.samples, quiet) as advance:
        counted = _Counted(generate_chunks(source, samples, seed), advance)
        files.write(counted, target, to)
    if as_json:
        _print_json({"target": str(target), "samples": counted.samples, "lookups": counted.lookups})
    elif not quiet:
        print(
            f"{target}: {counted.samples:,} samples, {counted.lookups:,} lookups from {source.name} ({source.origin})"
        )
        for assumption in source.assumptions:
            print(f"  assumed: {assumption}")


@app.command()
def profile(
    trace: Annotated[
        str | None,
        typer.Option(help="Trace file, or a built-in profile; ids uniform over the preset's rows if left out."),
    ] = None,
    preset: Preset = None,
    scale: Scale = 1.0,
    batch: Annotated[str, typer.Option(help="Samples per step; several with commas between.")] = "1,16,64,1024",
    mode: Annotated[
        str, typer.Option(help="inference, forward (gradients recorded), training; with commas between.")
    ] = "inference,training",
    axis: Annotated[
        list[str] | None,
        typer.Option(help="Also vary isa, threads=1,2, precision, … (docs/profiling.md); may be repeated."),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of PyTorch.")] = 1,
    isa: Annotated[str, typer.Option(help="Widest SIMD: scalar, avx2, avx512; neon, sve256.")] = "native",
    precision: Annotated[str, typer.Option(help="fp32, bf16 or int8-tables.")] = "fp32",
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda-graph.")] = "cpu",
    backend: Annotated[str, typer.Option(help="Of inference: eager, fast, compile, aot, onnx, jax.")] = "eager",
    operators: Annotated[bool, typer.Option("--operators", help="Also single operators at every SIMD width.")] = False,
    colocate: Annotated[
        str | None, typer.Option(help='Also models side by side: their numbers, as in 1,2, or "all".')
    ] = None,
    limit: Annotated[
        float | None, typer.Option(help="Side by side, ms that p99 may take; five times a lone median if left out.")
    ] = None,
    machine: Annotated[
        Path | None, typer.Option(help="File of hotrow calibrate: draws rooflines under its ceilings.")
    ] = None,
    stacks: Annotated[bool, typer.Option(help="Look with py-spy for a flame graph.")] = True,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Processes per setting; 5 for the steps and 3 along axes if left out.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.01, help="Per step and process.")] = 0.3,
    deadline: Annotated[float, typer.Option(min=1, help="Seconds until a process counts as hung.")] = 120.0,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, ids, dense features and order.")] = 0,
    chrome: Annotated[
        Path | None,
        typer.Option(help="Folder for Chrome traces (open at ui.perfetto.dev).", callback=_writable_folder),
    ] = None,
    out: Figures = None,
    format: FormatName = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Where does the time go? Parts of a step by batch, and what width, threads, precision and neighbours change.

    Example: hotrow profile --preset criteo-kaggle --axis isa --axis threads --out profile
    """
    from . import progress
    from .experiments.measured import profile_answer, profile_files
    from .experiments.measured.axes import parse_axes
    from .experiments.measured.profile_study import Request
    from .models.config import load_preset
    from .profiling.machine_files import load_machine
    from .profiling.runner import Plan

    batches, modes = profile_answer.whole_numbers(batch, "--batch"), [word.strip() for word in mode.split(",")]
    question = profile_answer.Question(
        Request(
            batches,
            modes,
            parse_axes(axis or ()),
            threads,
            isa,
            precision,
            device,
            backend,
            stacks,
            seed,
            processes or 3,
        ),
        Plan(processes or 5, seconds, deadline=deadline, traced=5, seed=seed, chrome_traces=chrome),
        operators,
        profile_answer.side_by_side(colocate),
        None if limit is None else 1e-3 * limit,
        None if machine is None else load_machine(machine),
    )
    if trace is None and preset is not None:
        loaded, config = None, load_preset(preset).scaled(scale)
    else:
        loaded = _load(trace or DEFAULT_TRACE, format)
        config = _model(preset, loaded, scale)
    with progress.bar("profile", "steps", profile_answer.steps(question), quiet) as advance:
        found = profile_answer.answer(config, loaded, question, advance)
    if out is not None:
        profile_files.save(found, out, f"hotrow {__version__}: hotrow {shlex.join(sys.argv[1:])}")
    if as_json:
        _print_json(profile_answer.plain(found))
        return
    _print_grids(profile_answer.grids(found))
    if not quiet:
        uniform = ("no trace given, so ids are uniform over the preset's rows",) if loaded is None else ()
        _print_notes((*uniform, *found.notes))
        if out is not None:
            print(f"{out / 'profile.html'}: open it in a browser")


@app.command()
def calibrate(
    machine: Annotated[Path, typer.Argument(metavar="MACHINE.toml", help="Machine file to write.", callback=_writable)],
    name: Annotated[str | None, typer.Option(help="Name of the machine; that of the file if left out.")] = None,
    processes: Annotated[int, typer.Option(min=1, help="Processes per setting; intervals need at least 3.")] = 3,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Most threads to measure with; all processors if left out.")
    ] = None,
    self_test: Annotated[
        bool, typer.Option("--self-test", help="Also try whether a neighbour can take cache away from a program.")
    ] = False,
    out: Figures = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """What can this machine do? Caches, memory, SIMD width by shape, overheads; under three minutes when it is quiet.

    Example: hotrow calibrate here.toml --out figures
    """
    from . import progress
    from .experiments.measured.profile_figures import machine_figures
    from .experiments.measured.working_set import grids
    from .profiling import calibrate as calibration
    from .profiling.machine_files import plain, save_machine

    sizes, plan = calibration.Sizes(threads=threads), dataclasses.replace(calibration.PLAN, processes=processes)
    with progress.bar("calibrate", "processes", calibration.steps(sizes, plan), quiet) as advance:
        found = calibration.calibrate(name or machine.stem, sizes, plan, advance)
    save_machine(found, machine)
    if out is not None:
        _save_figures(machine_figures(found), out)
    if as_json:
        _print_json(plain(found))
        return
    _print_grids(grids(found, self_test))
    if not quiet:
        _print_notes(found.calibration.warnings if found.calibration else ())
        print(f"{machine}: written")


@app.command()
def predict(
    preset: Annotated[str, typer.Option(help="Model: a built-in name or a TOML file.")] = "rm1",
    machine: Annotated[
        str, typer.Option(help="A machine that ships with hotrow, or a TOML file: calibrated, or imagined with base.")
    ] = "skylake",
    trace: Annotated[
        str | None,
        typer.Option(help="Trace file or built-in profile; uniform ids over the model's tables if left out."),
    ] = None,
    batch: Annotated[str, typer.Option(help="Samples per step, several with commas.")] = "1,16,64,256,1024",
    mode: Annotated[str, typer.Option(help="inference or training.")] = "inference",
    threads: Annotated[int, typer.Option(min=1, help="Threads of one model.")] = 1,
    models: Annotated[int, typer.Option(min=1, help="Models side by side on the machine.")] = 1,
    isa: Annotated[str | None, typer.Option(help="SIMD, as the machine file names it; the widest if left out.")] = None,
    limit: Annotated[
        float | None, typer.Option(help="Milliseconds a step may take; five times one undisturbed if left out.")
    ] = None,
    devices: Annotated[int, typer.Option(min=1, help="Devices to shard the tables over.")] = 8,
    against: Annotated[str | None, typer.Option(help="Another machine: how much longer this one takes.")] = None,
    scale: Scale = 1.0,
    fitted: Annotated[
        Path | None, typer.Option(help="Coefficients that --validate wrote, in place of its own.")
    ] = None,
    validate: Annotated[
        bool, typer.Option("--validate", help="Measure the frozen list on this host, fit, and print every error.")
    ] = False,
    traces: Annotated[Path | None, typer.Option(help="--validate: folder with real traces (NAME.npz).")] = None,
    out: Figures = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """What would it take on that machine? Times by operator with intervals and bounds, and what follows from them.

    Example: hotrow predict --preset rm2 --machine skylake --trace meta-2021
    """
    if validate:
        _validate(out or Path("validation"), machine, traces, as_json, quiet)
        return
    from .analysis.prediction.operators import Setting
    from .experiments.measured.profile_answer import whole_numbers
    from .experiments.prediction import command, grids

    if mode not in ("inference", "training"):
        raise HotrowError(f"--mode {mode!r}; it is inference or training")
    request = command.Request(
        batches=whole_numbers(batch, "--batch"),
        mode="training" if mode == "training" else "inference",
        setting=Setting(threads, models),
        isa=isa,
        limit=None if limit is None else limit / 1e3,
        devices=devices,
        against=against,
        fitted=fitted,
    )
    config, lookups = command.inputs(preset, trace, scale, request.batches)
    found = command.answer(config, lookups, machine, request)
    if out is not None:
        _save_figures(grids.figures(found), out)
        grids.save(found, out)
    if as_json:
        _print_json(grids.plain(found))
        return
    _print_grids(grids.grids(found))
    if not quiet:
        _print_notes(found.notes)


def _validate(folder: Path, machine: str, traces: Path | None, as_json: bool, quiet: bool) -> None:
    """Measure what `folder` lacks of the frozen list, fit on its development part, and report."""
    from . import progress
    from .experiments.prediction import points, validation

    here = validation.host_machine(machine)
    with progress.bar("validate", "processes", points.steps(points.load(folder / "points.json")), quiet) as advance:
        measured = points.measure(folder, traces=traces, advance=advance)
    report = validation.validate(measured, folder, here)
    _save_figures(validation.figures(report), folder)
    if as_json:
        _print_json(validation.plain(report))
    else:
        _print_grids(validation.grids(report))


@app.command()
def sweep(
    spec: Annotated[Path, typer.Argument(metavar="SPEC.toml", help="The grid of settings (docs/sweep.md).")],
    out: Annotated[
        Path, typer.Option(help="Folder of results; the same folder goes on.", callback=_writable_folder)
    ] = Path("sweep"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try failed points again.")] = False,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a dask scheduler, or local-cluster; local processes if left out.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes for points that only compute; all processors if left out.")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """A grid of settings: measured here, simulated, predicted. What is finished is kept; the same command goes on.

    Example: hotrow sweep experiments/specs/small.toml --out sweep
    """
    from . import progress
    from .experiments.sweep import command

    asked = command.Asked(spec, out, retry_failed, scheduler, workers)
    said = f"hotrow {__version__}: hotrow {shlex.join(sys.argv[1:])}"
    if dry_run:
        planned, expected = command.look(asked)
        if as_json:
            _print_json(
                {"points": [task.point for task in planned.tasks], "left": len(planned.left), "seconds": expected}
            )
        else:
            _print_grid(planned.grid())
            print(
                f"about {expected:,.0f} s, assumed from points of the same kind or from how many processes they start"
            )
        return
    with progress.bar("sweep", "points", command.steps(asked), quiet) as advance:
        done = command.go(asked, said, advance)
    if as_json:
        _print_json(done.plain())
    elif not quiet:
        for line in done.lines:
            print(line)


@app.command()
def report(
    trace: Annotated[str, typer.Option(help="Trace file, or the name of a built-in profile.")] = DEFAULT_TRACE,
    preset: Preset = None,
    scale: Scale = 1.0,
    batch: Batch = 256,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, and of dense features where the trace has none.")] = 0,
    machine: Annotated[
        str,
        typer.Option(help="Machine that the what-if panel starts from: shipped, or a TOML file; none to leave it out."),
    ] = "skylake",
    out: Annotated[Path, typer.Option(help="HTML file to write.", callback=_writable)] = Path("report.html"),
    format: FormatName = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """The co-design report: traffic, fast memory and operator times on one HTML page.

    Example: hotrow report --trace clicks.parquet --preset criteo-kaggle --out report.html
    """
    from . import progress
    from .experiments import codesign, codesign_page
    from .experiments import report as pages
    from .profiling.machine_files import load_machine

    elsewhere = None if machine == "none" else machine
    if elsewhere is not None:
        load_machine(elsewhere)  # a mistake is said before the work
    loaded = _load(trace, format)
    config = _model(preset, loaded, scale)
    with progress.bar("report", "steps", codesign.STEPS, quiet) as advance:
        source, assumptions = _source(trace)
        result = codesign.codesign(
            loaded, Path(trace).name, source, assumptions, config, batch, seed, elsewhere, advance
        )
    page = codesign_page.report(result, f"hotrow {__version__}: hotrow {shlex.join(sys.argv[1:])}")
    pages.save(page, out)
    if as_json:
        _print_json(codesign.plain(result))
    elif not quiet:
        for line in page.answer:
            print(line)
        print(f"{out}: open it in a browser")


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
def train(context: typer.Context) -> None:
    """How well does a model learn these clicks? Takes the DLRM benchmark's flags (hotrow train --help).

    Example: hotrow train --trace clicks.parquet --preset criteo-kaggle --out run
    """
    from .models.benchmark_flags import parse

    parse(context.args)  # --help and mistakes answer at once
    from .experiments.models.training import main as run

    raise typer.Exit(run(context.args))


class _Counted:
    """Parts of a trace on their way through, counted."""

    def __init__(self, parts: Iterable[Trace], advance: Any) -> None:
        self.parts, self.advance, self.samples, self.lookups = parts, advance, 0, 0

    def __iter__(self) -> Any:
        for part in self.parts:
            yield part
            self.samples += part.samples
            self.lookups += part.accesses
            self.advance(part.samples)


def _profile_file(name: str) -> TraceProfile | None:
    """The profile in a .json file; None for everything else. That an exact one is not private is said at once."""
    from .tracegen.profile import built_in, load

    if name in built_in() or not name.endswith(".json"):
        return None
    stored = load(name)
    _warn_of(stored)
    return stored


def _warn_of(profile: TraceProfile) -> None:
    if profile.origin == "exact":
        print(f"note: {profile.promise}", file=sys.stderr)


def _drawn(profile: TraceProfile) -> Trace:
    from .tracegen.generate import generate

    return generate(profile)


def _load(trace: str, format: str | None = None, advance: Any = None) -> Trace:
    """The trace in a file, or one drawn from the built-in profile of that name."""
    from .progress import ignore
    from .tracegen import files
    from .tracegen.profile import built_in
    from .tracegen.trace import concatenate

    if trace in built_in():
        return concatenate(list(_Counted(_parts(trace, format), advance or ignore)))
    return files.read(trace, format, advance or ignore)


def _parts(trace: str, format: str | None) -> Iterable[Trace]:
    """The parts of a trace in a file, or of one drawn from the built-in profile of that name."""
    from .tracegen import files
    from .tracegen.generate import generate_chunks
    from .tracegen.profile import built_in
    from .tracegen.published import load_profile

    return generate_chunks(load_profile(trace)) if trace in built_in() else files.scan(trace, format)


def _samples_in(trace: str, format: str | None) -> int | None:
    """About how many samples it has, where that is cheap to know."""
    from .tracegen import files
    from .tracegen.profile import built_in
    from .tracegen.published import load_profile

    return load_profile(trace).samples if trace in built_in() else files.samples_in(trace, format)


def _model(preset: str | None, trace: Trace, scale: float) -> ModelConfig:
    """The named model on the trace's tables."""
    from .models.config import for_trace, load_preset

    bags = any(table.offsets is not None for table in trace.tables)
    return for_trace(load_preset(preset or ("rm1" if bags else "criteo-kaggle")), trace).scaled(scale)


def _source(trace: str) -> tuple[str, tuple[str, ...]]:
    """Where a trace comes from, and what was assumed to make it."""
    from .tracegen.profile import built_in
    from .tracegen.published import load_profile

    if trace not in built_in():
        return f"Read from {Path(trace).name}.", ()
    profile = load_profile(trace)
    return f"Synthetic, drawn from {profile.source}.", profile.assumptions


def _options(given: list[str] | None) -> dict[str, Any]:
    """name=value pairs as keywords; whole numbers and true or false are read as such."""
    options: dict[str, Any] = {}
    for pair in given or ():
        name, sign, value = pair.partition("=")
        if not sign or not name:
            raise HotrowError(f"option {pair!r}; write it as name=value")
        words = {"true": True, "false": False}
        options[name.replace("-", "_")] = (
            int(value) if value.lstrip("-").isdecimal() else words.get(value.lower(), value)
        )
    return options


def _save_figures(figures: dict[str, Any], folder: Path) -> None:
    from .analysis import plots
    from .atomic import replacing

    for name, figure in figures.items():
        for suffix in (".svg", ".png"):
            with replacing(folder / f"{name}{suffix}") as beside:
                plots.save(figure, beside)


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=1, allow_nan=False))


def _finite(value: Any) -> Any:
    """The same with None for what is not a number, which JSON does not know."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value


def _print_grid(grid: Grid) -> None:
    for line in grid.lines():
        print(line)


def _print_grids(grids: Iterable[Grid]) -> None:
    for grid in grids:
        print(f"{grid.caption} ({grid.how})")
        _print_grid(grid)
        print()


def _print_notes(notes: Iterable[str]) -> None:
    for note in notes:
        print(f"note: {note}", file=sys.stderr)


def _version(value: bool) -> None:
    if value:
        print(f"hotrow {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 the user's mistake, 2 usage, 3 a fault of ours, 130 Ctrl-C."""
    try:
        app(prog_name="hotrow")
    except HotrowError as error:
        print(f"hotrow: {error}", file=sys.stderr)
        sys.exit(1)
    except MemoryError as error:
        print(f"hotrow: not enough memory ({error}); use fewer tables, samples or rows", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"hotrow: {where}{error.strerror or error}", file=sys.stderr)
        sys.exit(1)
    except Exception:
        traceback.print_exc()
        print("hotrow: this is a fault of hotrow, not of your input; please report the lines above", file=sys.stderr)
        sys.exit(3)
    except SystemExit as stop:
        if stop.code == 130:
            print("hotrow: stopped; nothing half-written is left", file=sys.stderr)
        raise


if __name__ == "__main__":
    main()
